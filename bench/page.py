"""The live page in a browser: its first paint with many open alerts, and a new alert on screen."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
from confluent_kafka import Producer

import chromium
from kafka_broker import free_port
from live import Worker, produce
from told import alert_record
from wellwon.core.units import format_instant
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings

OPEN = 10_000
"""Alerts that are open already."""
PAINTS, NEW = 9, 40
"""How often each is measured."""
WATCH = """
window.painted = {};
new MutationObserver(changes => {
  for (const change of changes) for (const row of change.addedNodes)
    if (row.dataset?.mark) requestAnimationFrame(() => { window.painted[row.dataset.mark] = Date.now(); });
}).observe(document.querySelector("#alerts"), {childList: true});
"""
"""Notes when a new row is in a frame: the browser's clock is the machine's."""
FIRST_PAINT = "performance.getEntriesByName('first-contentful-paint')"


def measure(settings: Settings) -> dict[str, Any]:
    """Milliseconds from navigation to the first paint, and from the producer's call to the frame with the alert."""
    settings = replace(settings, web=f"127.0.0.1:{free_port()}")
    topics.create(settings)
    now = time.time_ns() // 1_000_000
    alerts = [_alert(f"d{number}", now - number * 60_000) for number in range(OPEN)]
    produce(settings, alerts, topics.ALERTS)
    worker = Worker(settings, (sys.executable, "-m", "wellwon.web.run")).start().wait_ready()
    try:
        with tempfile.TemporaryDirectory() as folder, chromium.running(Path(folder)) as browser:
            tab = browser.tab()  # one only: a browser draws tabs that nobody sees once a second
            paints = [_first_paint(tab, f"http://{settings.web}/") for _ in range(PAINTS)]
            tab.get(f"(() => {{ {WATCH} }})()")
            shown = _news(settings, tab)
    finally:
        worker.stop()
    return {"open": OPEN, "first_paint_ms": sorted(paints), "new_alert_ms": sorted(shown)}


def _alert(deal: str, at: int) -> tuple[bytes, bytes]:
    instant = format_instant(at)
    return deal.encode(), alert_record(deal=deal, at=instant, opened_at=instant)


def _first_paint(tab: chromium.Tab, address: str) -> float:
    tab.open("about:blank")
    tab.open(address)
    tab.until(f"{FIRST_PAINT}.length")
    return float(tab.get(f"{FIRST_PAINT}[0].startTime"))


def _news(settings: Settings, tab: chromium.Tab) -> list[float]:
    producer = Producer({"bootstrap.servers": settings.kafka, "partitioner": "murmur2_random", "linger.ms": 0})
    found = []
    for number in range(NEW):
        key, value = _alert(f"new{number}", time.time_ns() // 1_000_000)
        painted = f"window.painted[{orjson.loads(value)['fingerprint']!r}]"
        sent = time.time() * 1e3
        producer.produce(settings.topic(topics.ALERTS), value, key)
        producer.flush()
        tab.until(painted)
        found.append(float(tab.get(painted)) - sent)
    return found
