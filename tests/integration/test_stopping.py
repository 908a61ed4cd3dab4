"""Whoever runs a worker tells it to stop, and it stops: in good order, or at least in time."""

from __future__ import annotations

import signal
import sys
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


def how_they_end(workers: list[Worker]) -> dict[str, int | None]:
    """Tell all to stop, and return their exit codes once they have, in time."""
    for worker in workers:
        worker.signal(signal.SIGTERM)
    until(lambda: all(worker.exit_code is not None for worker in workers), "all to end", GRACE_S)
    return {worker.settings.instance: worker.exit_code for worker in workers}


def test_the_grace_period_is_enough() -> None:
    assert CANCEL_S + STOP_S < LEAVE_S < GRACE_S


@pytest.mark.parametrize("python", [("-m", "wellwon"), (STUBBORN,)], ids=["as-it-is", "stubborn"])
def test_a_command_ends_in_good_order(begun: Callable[..., Worker], python: tuple[str, ...]) -> None:
    workers = [begun(name, *python) for name in COMMANDS]
    for worker in workers:
        worker.wait_ready()
    assert how_they_end(workers) == dict.fromkeys(COMMANDS, 0), "\n".join(worker.tail() for worker in workers)


def test_told_before_it_has_begun(begun: Callable[..., Worker]) -> None:
    assert how_they_end([begun("worker")])["worker"] in (0, -signal.SIGTERM)


def test_a_broker_that_hangs_keeps_no_command(begun: Callable[..., Worker], broker: Broker) -> None:
    workers = [begun(name) for name in COMMANDS]
    for worker in workers:
        worker.wait_ready()
    broker.pause()
    try:
        codes = how_they_end(workers)
    finally:
        broker.resume()
    assert set(codes.values()) <= {0, 1}, codes
