"""Whoever runs a worker tells it to stop, and it stops: in good order, or at least in time."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kafka_broker import Broker, free_port
from live import Worker, until
from wellwon.runtime import topics
from wellwon.runtime.serving import CANCEL_S, LEAVE_S, STOP_S
from wellwon.runtime.settings import Settings

STUBBORN = str(Path(__file__).resolve().parent.parent / "stubborn.py")
GRACE_S = 30
"""What Kubernetes and Compose give a process before they kill it."""
COMMANDS = {
    "worker": ("worker",),
    "rollup": ("rollup",),
    "deliver": ("deliver",),
    "web": ("web",),
    "ingest": ("ingest", "changes", "--follow", "feed"),
    "reread": ("reread",),
    "receive": ("receive", "hubspot", "--listen", "127.0.0.1:0"),
}


@pytest.fixture
def begun(live: Settings, start: Callable[..., Worker], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Worker]:
    topics.create(live, [topics.raw_topic("feed")])

    def begin(name: str, *python: str) -> Worker:
        about = {
            "instance": name,
            "http": f"127.0.0.1:{free_port()}",
            "web": f"127.0.0.1:{free_port()}",
            "hubspot_secret": "s3cret",
            "hubspot_url": "https://hooks.example.com/hubspot",
        }
        monkeypatch.setenv("WELLWON_CRM_HUBSPOT_TOKEN", "pat-1")
        return start(replace(live, **about), sys.executable, *(python or ("-m", "wellwon")), *COMMANDS[name])

    return begin


def seconds_to_end(worker: Worker) -> float:
    """How long it takes from SIGTERM to its end."""
    began = time.monotonic()
    worker.signal(signal.SIGTERM)
    until(lambda: worker.exit_code is not None, "it to end", GRACE_S)
    return time.monotonic() - began


def test_the_grace_period_is_enough() -> None:
    assert CANCEL_S + STOP_S < LEAVE_S < GRACE_S


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_command_ends_in_good_order(begun: Callable[..., Worker], name: str) -> None:
    worker = begun(name).wait_ready()
    seconds_to_end(worker)
    assert worker.exit_code == 0, worker.tail()


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_task_that_ignores_its_cancellation_keeps_no_command(begun: Callable[..., Worker], name: str) -> None:
    worker = begun(name, STUBBORN).wait_ready()
    seconds_to_end(worker)
    assert worker.exit_code == 0, worker.tail()


def test_told_before_it_has_begun(begun: Callable[..., Worker]) -> None:
    worker = begun("worker")
    seconds_to_end(worker)
    assert worker.exit_code in (0, -signal.SIGTERM)


def test_a_broker_that_hangs_keeps_no_command(begun: Callable[..., Worker], broker: Broker) -> None:
    workers = [begun(name) for name in COMMANDS]
    for worker in workers:
        worker.wait_ready()
    broker.pause()
    try:
        for worker in workers:
            worker.signal(signal.SIGTERM)
        began = time.monotonic()
        until(lambda: all(worker.exit_code is not None for worker in workers), "all to end", GRACE_S)
    finally:
        broker.resume()
    codes = {worker.settings.instance: worker.exit_code for worker in workers}
    assert set(codes.values()) <= {0, 1}, json.dumps(codes)
    assert time.monotonic() - began < GRACE_S
