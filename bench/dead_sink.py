"""A sink that is down under load: what detection notices of it, and what becomes of what it missed.

Changes go through detect, and more alerts straight into its topic, as other workers would write them. One receiver is
well for a while, then nobody listens there, then it is back; another one is well all the time.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Consumer, Producer

from cluster import CACHE, CHANGES_PER_DEAL, Record, named, simulated
from delivery import SECRET, ready_deliver
from fakes import web as fake
from latency import WARM_UP_S, firing, is_settled, ready_worker
from told import alert_record
from wellwon.core.model import ALERT
from wellwon.core.units import format_instant
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings
from wellwon.simulate.organisation import policy_text

RATE = 500
"""Changes per second."""
EVERY = 5
"""With each of so many changes goes one more alert."""
DEALS = 2_000
"""That those alerts are about."""
UP_S = 60
GRACE_S = 120.0
SINKS = """
deliver:
  settle_minutes: 0
  sinks:
    hook: {kind: webhook, hears: [revops]}
    other: {kind: webhook, hears: [revops]}
"""


def measure(settings: Settings, seconds: int) -> dict[str, Any]:
    """Leave the sink down for so long."""
    up = min(UP_S, seconds)
    went, count = RATE * (WARM_UP_S + up), RATE * (WARM_UP_S + up + seconds)
    records = [record for record in simulated(count // CHANGES_PER_DEAL) if record[0] is not None][:count]
    expected = firing(records)
    topics.create(settings)
    sent, took, shadow = [0.0] * len(records), dict[str, float](), set[str]()
    hook, other = fake.receiver(), fake.receiver()
    with ExitStack() as stack:
        stack.enter_context(fake.running(other))
        with fake.running(hook):
            os.environ |= {"WELLWON_SINK_OTHER": other.url, "WELLWON_SINK_OTHER_SECRET": SECRET}
            worker = stack.enter_context(ready_deliver(_deliver(settings), hook.url))
            detect = named(settings, "dead-sink")
            stack.enter_context(ready_worker(detect, "dead-sink"))
            _wait(lambda: is_settled(detect), "the worker's own records")
            threading.Thread(target=_watch, args=(settings, expected, sent, took, shadow), daemon=True).start()
            feeding = threading.Thread(target=_feed, args=(settings, records, sent))
            feeding.start()
            _wait(lambda: sent[went - 1] > 0, "the first part", WARM_UP_S + up + GRACE_S)
        feeding.join()
        _wait(lambda: len(took) == len(expected), "the alerts of all changes")
        told = {*expected, *(alert_id(place) for place in range(0, len(records), EVERY))} - shadow
        _wait(lambda: told <= set(_heard(other)), "the other sink to hear everything")
        missed = len(told - set(_heard(hook)))
        back = time.monotonic()
        with fake.running(hook):
            _wait(lambda: told <= set(_heard(hook)), "the sink to hear what it missed", GRACE_S + missed / 50)
            caught_up = time.monotonic() - back
            _wait(lambda: worker.metrics()["wellwon_sink_queue_messages"] == 0, "nothing to wait any more")
        given_up = worker.metrics()["wellwon_messages_given_up_total"]
    heard = _heard(hook)
    return {
        "rate": RATE,
        "alerts_per_second": round(len(told) / (WARM_UP_S + up + seconds)),
        "seconds_up": up,
        "seconds_down": seconds,
        "up": _ms([spent for id_, spent in took.items() if RATE * WARM_UP_S <= expected[id_] < went]),
        "down": _ms([spent for id_, spent in took.items() if expected[id_] >= went]),
        "alerts": len(told),
        "missed": missed,
        "caught_up_seconds": caught_up,
        "lost": len(told - set(heard)),
        "given_up": given_up,
        "twice": sum(number - 1 for number in Counter(heard).values()),
        "out_of_order": _out_of_order(heard),
    }


def _deliver(settings: Settings) -> Settings:
    policy = CACHE / "dead-sink-policy.yaml"
    policy.write_text(policy_text() + SINKS)
    settings = named(settings, "dead-sink-deliver")
    settings.data.mkdir(parents=True)
    about = {"clock": "wall", "deliver_group": settings.group, "private_webhooks": True}
    return replace(settings, policy=Path(policy), **about)  # type: ignore[arg-type]


def alert_id(place: int) -> str:
    """The alert that goes with a change."""
    number = place // EVERY
    return f"late-discount:d{number % DEALS}:2026-Q4:{number // DEALS + 1}"


def _feed(settings: Settings, records: list[Record], sent: list[float]) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka, "partitioner": "murmur2_random", "linger.ms": 0})
    changes, alerts, began = settings.topic(topics.CHANGES), settings.topic(topics.ALERTS), time.monotonic()
    for place, (key, value) in enumerate(records):
        due = began + place / RATE
        while (wait := due - time.monotonic()) > 0:
            time.sleep(wait)
        sent[place] = time.monotonic()
        producer.produce(changes, value, key)
        if place % EVERY == 0:
            _, deal, _, revision = alert_id(place).split(":")
            record = alert_record(deal=deal, revision=int(revision), at=format_instant(time.time_ns() // 1_000_000))
            producer.produce(alerts, record, deal.encode())
        producer.poll(0)
    producer.flush(60)


def _watch(
    settings: Settings, expected: dict[str, int], sent: list[float], took: dict[str, float], shadow: set[str]
) -> None:
    """Note when each alert of a change is in a consumer's hands, and which of them nobody is told of."""
    consumer = Consumer(
        {"bootstrap.servers": settings.kafka, "group.id": "bench-alerts", "auto.offset.reset": "earliest"}
        | {"fetch.wait.max.ms": 100, "enable.auto.commit": False}
    )
    consumer.subscribe([settings.topic(topics.ALERTS)])
    while len(took) < len(expected):
        message = consumer.poll(0.2)
        if message is None or message.error() is not None:
            continue
        now = time.monotonic()
        alert = orjson.loads(message.value() or b"")
        id_ = alert["id"]
        if alert["mode"] != ALERT:
            shadow.add(id_)
        if id_ in expected and id_ not in took:
            took[id_] = now - sent[expected[id_]]
    consumer.close()


def _heard(server: fake.Server) -> list[str]:
    """The alerts that a receiver took, in order."""
    ids = [request.headers["webhook-id"] for request in list(server.taken)]
    return [id_ for id_ in ids if not id_.startswith("win:")]


def _out_of_order(heard: list[str]) -> int:
    last: dict[str, int] = {}
    wrong = 0
    for id_ in heard:
        mark, _, revision = id_.rpartition(":")
        wrong += int(revision) <= last.get(mark, 0)
        last[mark] = int(revision)
    return wrong


def _ms(took: list[float]) -> dict[str, float]:
    took.sort()
    return {str(share): took[min(len(took) - 1, len(took) * share // 100)] * 1e3 for share in (50, 90, 99, 100)}


def _wait(condition: Callable[[], bool], what: str, seconds: float = GRACE_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {seconds:.0f} s for {what}")
        time.sleep(1.0)
