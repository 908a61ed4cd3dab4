"""From the producer's call with a change to the alert in a consumer's hands.

Which change fires which alert is known beforehand: the core alone runs over the same log, record by record.
"""

from __future__ import annotations

import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from confluent_kafka import Consumer, Producer

from cluster import CACHE, CHANGES_PER_DEAL, ROOT, Group, Record, cpu_seconds, named, pinned, simulated
from contenders import worker
from wellwon.core.partition import Partition
from wellwon.policy import compile_text
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings
from wellwon.simulate.organisation import policy_text

WARM_UP_S = 15
"""A broker that has just started compiles itself first: its answers to the producer take up to 1.4 s in the first nine
seconds, and a few milliseconds after. What it delays in these seconds is not counted."""
GRACE_S = 60.0


class _One:
    __slots__ = ("key", "offset", "value")

    def __init__(self, key: bytes | None, value: bytes, offset: int) -> None:
        self.key, self.value, self.offset = key, value, offset


def firing(records: list[Record]) -> dict[str, int]:
    """Which record brings about which alert: alert id to its place."""
    partition = Partition(0, policy_text(), {}, compile_text)
    found = {}
    for place, (key, value) in enumerate(records):
        for _, alert in partition.apply([_One(key, value, place)]).alerts:
            found[orjson.loads(alert)["id"]] = place
    return found


@contextmanager
def ready_worker(settings: Settings, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that holds its partitions."""
    command, variables = worker(ROOT / "streams")(settings)
    log = CACHE / "logs" / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        process = subprocess.Popen(pinned(command), env=variables, stdout=out, stderr=out)
    try:
        while not is_ready(settings):
            if process.poll() is not None:
                raise RuntimeError(f"the worker ended; see {log}")
            time.sleep(0.01)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=120)


def is_ready(settings: Settings) -> bool:
    """What the worker's /ready says."""
    try:
        with urllib.request.urlopen(f"http://{settings.http}/ready", timeout=5) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def is_settled(settings: Settings) -> bool:
    """Whether the worker has read its own policy records: the producers of both sides are connected by then."""
    group = Group(settings, settings.group)
    try:
        return all(offset > 0 for offset in group.committed().values())
    finally:
        group.close()


def measure(settings: Settings, seconds: int, rate: int) -> dict[str, Any]:
    """Feed a running worker for so long, with so many changes a second."""
    count = rate * (WARM_UP_S + seconds)
    # Without clock records: at this pace a quarter is over in a minute, and time would do what changes should.
    records = [record for record in simulated(count // CHANGES_PER_DEAL) if record[0] is not None][:count]
    expected = firing(records)
    topics.create(settings)
    settings = named(settings, "latency")
    sent = [0.0] * len(records)
    took: dict[str, float] = {}
    with ready_worker(settings, "latency") as process:
        consumer = Consumer(
            {"bootstrap.servers": settings.kafka, "group.id": "bench-alerts", "auto.offset.reset": "earliest"}
            | {"fetch.wait.max.ms": 100, "enable.auto.commit": False}
        )
        consumer.subscribe([settings.topic(topics.ALERTS)])
        while not consumer.assignment() or not is_settled(settings):
            consumer.poll(0.1)
        feeding = threading.Thread(target=_feed, args=(settings, records, sent, rate))
        busy = cpu_seconds(process.pid)
        feeding.start()
        deadline = time.monotonic() + WARM_UP_S + seconds + GRACE_S
        while len(took) < len(expected) and time.monotonic() < deadline:
            message = consumer.poll(0.2)
            if message is None or message.error() is not None:
                continue
            now = time.monotonic()
            alert = orjson.loads(message.value())["id"]
            if alert in expected and alert not in took:
                took[alert] = now - sent[expected[alert]]
        feeding.join()
        busy = cpu_seconds(process.pid) - busy
        consumer.close()
    if len(took) < len(expected):
        raise RuntimeError(f"{len(expected) - len(took)} of {len(expected)} alerts did not arrive")
    ordered = sorted(spent for alert, spent in took.items() if expected[alert] >= rate * WARM_UP_S)
    ms = {str(share): ordered[min(len(ordered) - 1, len(ordered) * share // 100)] * 1e3 for share in (50, 90, 99, 100)}
    return {
        "rate": rate,
        "seconds": seconds,
        "warm_up_s": WARM_UP_S,
        "alerts": len(ordered),
        "ms": ms,
        "cpu_share": busy / (WARM_UP_S + seconds),
    }


def _feed(settings: Settings, records: list[Record], sent: list[float], rate: int) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka, "partitioner": "murmur2_random", "linger.ms": 0})
    topic, began = settings.topic(topics.CHANGES), time.monotonic()
    for place, (key, value) in enumerate(records):
        due = began + place / rate
        while (wait := due - time.monotonic()) > 0:
            time.sleep(wait)
        sent[place] = time.monotonic()
        producer.produce(topic, value, key)
        producer.poll(0)
    producer.flush(30)
