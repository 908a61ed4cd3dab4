"""A rolling upgrade: workers with names and volumes of their own are replaced one by one while changes flow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson

import histories
import oracle
from kafka_broker import free_port
from live import Worker, committed, log_ends, read, until, wait_for_the_end
from scenario import Feeder, changes
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings

SEED = 20261124
RATE = 150.0
NAMES = ("detect-0", "detect-1")


def pod(settings: Settings, name: str) -> Settings:
    """One of a StatefulSet: the same name and the same volume each time, another address."""
    return replace(settings, instance=name, data=settings.data / name, http=f"127.0.0.1:{free_port()}")


def test_a_rolling_upgrade_raises_every_alert_once(
    live: Settings, start: Callable[..., Worker], tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(histories.POLICIES[-1])
    settings = replace(live, clock="log", policy=policy, session_seconds=10.0)
    settings.data.mkdir()
    pods = {name: start(pod(settings, name)) for name in NAMES}
    for worker in pods.values():
        worker.wait_ready()
    feeder = Feeder(settings, changes(settings.partitions, SEED), RATE)
    feeder.start()
    # There, and back again: from the highest number down, each when the one before is ready, as a StatefulSet does.
    for name in (*reversed(NAMES), *reversed(NAMES)):
        before = sum(committed(settings).values())
        until(lambda before=before: sum(committed(settings).values()) > before + RATE, "changes to be judged")  # type: ignore[misc]
        assert pods[name].stop() == 0, pods[name].tail()
        pods[name] = start(pod(settings, name)).wait_ready()
    told = feeder.end()
    wait_for_the_end(settings)
    for worker in pods.values():
        assert worker.stop() == 0, worker.tail()

    expected, found = oracle.expected(settings, oracle.real_core(policy.read_text())), oracle.found(settings)
    assert sum(log_ends(settings).values()) >= told
    assert len(expected.alerts) > 50
    assert found.alerts == expected.alerts
    assert found.wins == expected.wins
    assert found.states == expected.states
    assert found.dead_letters == expected.dead_letters
    for topic, revision in ((topics.ALERTS, "revision"), (topics.WINS, "id")):
        written = [orjson.loads(message.value() or b"") for message in read(settings, topic)]
        twice = [one for one, times in Counter((each["id"], each[revision]) for each in written).items() if times > 1]
        assert not twice, f"{topic}: {twice}\n" + "\n".join(worker.tail() for worker in pods.values())
