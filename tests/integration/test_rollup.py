"""The rollup on a real broker: killed in between, with the worker that feeds it, it tells what a replay tells."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from kafka_broker import free_port
from live import Worker, read, until
from wellwon.history.clock import with_clock
from wellwon.history.replay import Replay
from wellwon.policy import compile_text, load_policy
from wellwon.runtime import topics
from wellwon.runtime.ingest import Ingest
from wellwon.runtime.settings import Settings
from wellwon.simulate.files import write_changes
from wellwon.simulate.organisation import policy_text
from wellwon.simulate.stream import Simulation
from wellwon.sources.feed import Feed
from wellwon.sources.history import Options
from wellwon.sources.kinds import kind_named
from wellwon.sources.mapping import SourceView

ROLLUP = (sys.executable, "-m", "wellwon.runtime.rollup")
EAGER = "\nrules:\n  bulk-push: {deals: 2, share: 1, hours: 168}\n  borrowed-from-next-period: {share: 1}\n"


def of_groups(values: Iterable[bytes]) -> dict[str, Any]:
    """Alerts about owners and teams by id; the same id never says two things."""
    found: dict[str, Any] = {}
    for alert in map(orjson.loads, values):
        if alert["subject"]["kind"] != "deal":
            assert found.setdefault(alert["id"], alert) == alert
    return found


def test_killed_in_between_it_tells_what_a_replay_tells(
    live: Settings, start: Callable[..., Worker], tmp_path: Path
) -> None:
    policy, changes = tmp_path / "policy.yaml", tmp_path / "changes.jsonl"
    policy.write_text(policy_text() + EAGER)
    with changes.open("wb") as out:
        write_changes(Simulation(11, 400, 1), out)

    def feed() -> Feed:
        view = SourceView.of(load_policy(policy.read_text()))
        return Feed(kind_named("changes"), [str(changes)], view, Options(), lambda _: None)

    alerts: list[bytes] = []
    Replay(policy.read_text(), compile_text, alert=alerts.append, win=len, dead_letter=lambda _: None).run(feed())
    expected = of_groups(alerts)
    assert {alert["subject"]["kind"] for alert in expected.values()} == {"owner", "team"}

    detect = replace(live, policy=policy, clock="log")
    rollup = replace(detect, instance="rollup", data=live.data.with_name("rollup"), http=f"127.0.0.1:{free_port()}")

    def told() -> dict[str, Any]:
        return of_groups(message.value() or b"" for message in read(live, topics.ALERTS))

    records = with_clock(feed(), load_policy(policy.read_text()).calendar.build())
    with Ingest(detect) as ingest:
        working, rolling = start(detect).wait_ready(), start(rollup, *ROLLUP).wait_ready()
        ingest.send(islice(records, 2_500))
        ingest.confirm()
        until(lambda: rolling.metrics()["wellwon_slice_changes_count"] > 0, "the first facts")
        rolling.kill()
        working.kill()
        working = start(detect)
        rolling = start(rollup, *ROLLUP)
        ingest.send(islice(records, 1_500))
        ingest.confirm()
        rolling.wait_ready().kill()
        rolling = start(rollup, *ROLLUP)
        ingest.send(records)
        ingest.confirm()
        until(lambda: told().keys() >= expected.keys(), "everything to be told")
    assert working.stop() == 0, working.tail()
    assert rolling.stop() == 0, rolling.tail()
    assert told() == expected
    assert not read(live, topics.DEAD_LETTERS)

    # A checkpoint and the changelog bring back what stands: nothing is told again, or taken back.
    count = len(read(live, topics.ALERTS))
    again = start(rollup, *ROLLUP).wait_ready()
    ended = {alert["fingerprint"] for alert in expected.values() if alert["transition"] == "resolved"}
    opened = {alert["fingerprint"] for alert in expected.values()}
    assert again.metrics()["wellwon_open_findings"] == len(opened - ended) > 0
    assert again.stop() == 0
    assert len(read(live, topics.ALERTS)) == count
