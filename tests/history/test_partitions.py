"""Spread over partitions, with the same clock in each, the log gives the alerts and wins that a replay gives."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from wellwon.core.facts import encode_facts, encode_mark
from wellwon.core.output import Output
from wellwon.core.partition import Partition
from wellwon.core.rollup import Rollup
from wellwon.core.wire import encode_clock
from wellwon.history.clock import Tick, with_clock
from wellwon.history.replay import Replay
from wellwon.policy import compile_text, load_policy
from wellwon.simulate.files import write_changes
from wellwon.simulate.organisation import policy_text
from wellwon.simulate.stream import Simulation
from wellwon.sources.feed import Feed
from wellwon.sources.history import Options
from wellwon.sources.kinds import kind_named
from wellwon.sources.mapping import SourceView

PARTITIONS = 3


class Record(NamedTuple):
    key: bytes | None
    value: bytes
    offset: int


def final(alerts: list[bytes], wins: list[bytes]) -> dict[str, Any]:
    """What is open at the end, and the last word on each win."""
    found: dict[str, Any] = {}
    for value in alerts:
        alert = orjson.loads(value)
        found[alert["fingerprint"]] = alert
        if alert["transition"] == "resolved":
            del found[alert["fingerprint"]]
    for value in wins:
        win = orjson.loads(value)
        found[f"win:{win['opportunity_id']}"] = win
    return found


def test_partitions_and_replay_agree(tmp_path: Path) -> None:
    policy = policy_text()
    file = tmp_path / "changes.jsonl"
    with file.open("wb") as out:
        write_changes(Simulation(3, 150, 1), out)

    def feed() -> Feed:
        return Feed(kind_named("changes"), [str(file)], SourceView.of(load_policy(policy)), Options(), lambda _: None)

    alerts: list[bytes] = []
    wins: list[bytes] = []
    Replay(policy, compile_text, alert=alerts.append, win=wins.append, dead_letter=lambda _: None).run(feed())

    parts = [Partition(n, policy, {}, compile_text) for n in range(PARTITIONS)]
    logs: list[list[Record]] = [[] for _ in parts]
    for item in with_clock(feed(), parts[0].ruleset.calendar):
        if isinstance(item, Tick):
            for log in logs:
                log.append(Record(None, encode_clock(item.at), len(log)))
        else:
            log = logs[zlib.crc32(item.key) % PARTITIONS]
            log.append(Record(item.key, item.value, len(log)))
    outputs: list[Output] = []
    rollup = Rollup(policy, {}, compile_text)
    for part, log in zip(parts, logs, strict=True):
        # Slices as they happen to come, and what is due settled only at the end.
        outputs += [part.apply(log[start : start + 97]) for start in range(0, len(log), 97)]
        while (settled := part.settle()) is not None:
            outputs.append(settled)
        # One partition after the other: a worker may be hours ahead of the others.
        facts = [value for out in outputs for value in encode_facts(tuple(out.facts.values()), part.number)]
        told = [*facts, encode_mark(part.clock, part.number, PARTITIONS)]
        outputs.append(rollup.apply(Record(None, value, 0) for value in told))
    live = final([v for o in outputs for _, v in o.alerts], [v for o in outputs for _, v in o.wins])
    assert len(live) > 20
    assert live == final(alerts, wins)
