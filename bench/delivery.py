"""From the producer's call with an alert to the request at a receiver, without a settle time.

A change takes the time of `latency` more. The receiver answers at once; it runs beside the feeder, in this process.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from cluster import CACHE, cpu_seconds, named
from fakes import web as fake
from latency import GRACE_S, WARM_UP_S
from live import Worker
from told import alert_record
from wellwon.core.units import format_instant
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings

DEALS = 5_000
POLICY = "deliver:\n  settle_minutes: 0\n  sinks:\n    hook: {kind: webhook, hears: [revops]}\n"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"""Of the convention's own example."""


@contextmanager
def ready_deliver(settings: Settings, url: str) -> Iterator[Worker]:
    """A deliver worker that delivers to this address."""
    os.environ |= {"WELLWON_SINK_HOOK": url, "WELLWON_SINK_HOOK_SECRET": SECRET}
    worker = Worker(settings, (sys.executable, "-m", "wellwon.runtime.deliver_worker")).start()
    try:
        yield worker.wait_ready()
    finally:
        worker.stop()


def _policy() -> Path:
    path = CACHE / "deliver-policy.yaml"
    path.write_text(POLICY)
    return path


def measure(settings: Settings, seconds: int, rate: int) -> dict[str, Any]:
    """Feed a running worker for so long, with so many alerts a second."""
    count = rate * (WARM_UP_S + seconds)
    settings = replace(
        named(settings, "delivery"), policy=_policy(), clock="wall", deliver_group="delivery", private_webhooks=True
    )
    settings.data.mkdir(parents=True)
    topics.create(settings)
    sent: dict[str, tuple[int, float]] = {}
    with fake.running(fake.receiver()) as receiver, ready_deliver(settings, receiver.url) as worker:
        assert worker.process is not None
        busy = cpu_seconds(worker.process.pid)
        feeding = threading.Thread(target=_feed, args=(settings, count, sent, rate))
        feeding.start()
        deadline = time.monotonic() + WARM_UP_S + seconds + GRACE_S
        while len(receiver.taken) < count and time.monotonic() < deadline:
            time.sleep(0.1)
        feeding.join()
        busy = cpu_seconds(worker.process.pid) - busy
    if len(receiver.taken) < count:
        raise RuntimeError(f"{count - len(receiver.taken)} of {count} alerts did not arrive")
    took = []
    for request in receiver.taken:
        place, at = sent[request.headers["webhook-id"]]
        if place >= rate * WARM_UP_S:
            took.append(request.at - at)
    took.sort()
    return {
        "rate": rate,
        "seconds": seconds,
        "warm_up_s": WARM_UP_S,
        "alerts": len(took),
        "ms": {str(share): took[min(len(took) - 1, len(took) * share // 100)] * 1e3 for share in (50, 90, 99, 100)},
        "cpu_share": busy / (WARM_UP_S + seconds),
    }


def _feed(settings: Settings, count: int, sent: dict[str, tuple[int, float]], rate: int) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka, "partitioner": "murmur2_random", "linger.ms": 0})
    topic, began = settings.topic(topics.ALERTS), time.time()
    for place in range(count):
        due = began + place / rate
        while (wait := due - time.time()) > 0:
            time.sleep(wait)
        deal, revision = f"d{place % DEALS}", place // DEALS + 1
        record = alert_record(deal=deal, revision=revision, at=format_instant(time.time_ns() // 1_000_000))
        sent[f"late-discount:{deal}:2026-Q4:{revision}"] = place, time.time()
        producer.produce(topic, record, deal.encode())
        producer.poll(0)
    producer.flush(30)
