"""How many webhook events a second one receiver on one core takes into Kafka, each answered when Kafka has it."""

from __future__ import annotations

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from typing import Any

import aiohttp
import orjson

from cluster import BROKER_CORE, WORKER_CORE
from fakes import hubspot
from kafka_broker import free_port
from live import environment, until
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings

SECRET, URL = "bench-secret", "https://in.example.com/hubspot"
CONCURRENT = 10
"""HubSpot's own default: requests at a time."""
BODIES = (100, 10, 1)
"""Events a body: HubSpot's most, and less."""


def measure(settings: Settings, seconds: int) -> dict[str, Any]:
    """Events a second, and the time to the answer, by size of body."""
    settings = replace(settings, hubspot_secret=SECRET, hubspot_url=URL)
    topics.create(settings, [topics.raw_topic("hubspot")])
    port = free_port()
    command = [sys.executable, "-m", "wellwon", "receive", "hubspot", "--listen", f"127.0.0.1:{port}"]
    receiver = subprocess.Popen(command, env=environment(settings), stderr=subprocess.DEVNULL)
    try:
        if WORKER_CORE is not None:
            os.sched_setaffinity(receiver.pid, {WORKER_CORE})
            os.sched_setaffinity(0, {BROKER_CORE})
        until(lambda: _ready(settings), "the receiver")
        address = f"http://127.0.0.1:{port}/hubspot"
        runs = [asyncio.run(_run(address, size, seconds)) for size in BODIES]
    finally:
        receiver.terminate()
        receiver.wait(30)
        if WORKER_CORE is not None:
            os.sched_setaffinity(0, range(os.cpu_count() or 1))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": seconds,
        "concurrent": CONCURRENT,
        "load_average": os.getloadavg()[0],
        "children_cpu_seconds": used.ru_utime + used.ru_stime,
        "runs": runs,
    }


def _ready(settings: Settings) -> bool:
    import urllib.request

    try:
        with urllib.request.urlopen(f"http://{settings.http}/ready", timeout=1) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


async def _run(address: str, size: int, seconds: int) -> dict[str, Any]:
    at = time.time_ns() // 1_000_000
    body = orjson.dumps([hubspot.changed("amount", str(n), at=at, deal=1_000 + n) for n in range(size)])
    headers = hubspot.headers(SECRET, URL, body, at)
    took: list[float] = []
    refused = 0
    end = time.monotonic() + seconds

    async def post(session: aiohttp.ClientSession) -> None:
        nonlocal refused
        while time.monotonic() < end:
            began = time.monotonic()
            async with session.post(address, data=body, headers=headers) as answer:
                refused += answer.status != 200
            took.append(time.monotonic() - began)

    began = time.monotonic()
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(post(session) for _ in range(CONCURRENT)))
    elapsed = time.monotonic() - began
    quantiles = statistics.quantiles(took, n=100)
    return {
        "events_per_body": size,
        "events_per_second": round((len(took) - refused) * size / elapsed),
        "refused": refused,
        "p50_ms": round(quantiles[49] * 1_000, 1),
        "p99_ms": round(quantiles[98] * 1_000, 1),
        "max_ms": round(max(took) * 1_000, 1),
    }
