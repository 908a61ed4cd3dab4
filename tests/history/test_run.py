"""Every deal by itself gives what a replay of the whole log gives: the same flags and the same wins."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from wellwon.core.units import DAY, parse_instant
from wellwon.history.deal_run import DealRun, HistoryInfo
from wellwon.history.replay import Replay
from wellwon.history.run import runs
from wellwon.policy import compile_text, load_policy
from wellwon.simulate.files import write_changes
from wellwon.simulate.organisation import policy_text
from wellwon.simulate.stream import Simulation
from wellwon.sources.by_deal import Exports
from wellwon.sources.feed import Feed
from wellwon.sources.history import Options
from wellwon.sources.kinds import kind_named
from wellwon.sources.mapping import SourceView


class Story(NamedTuple):
    """An alert from its opening to its end."""

    deal: str
    rule: str
    period: str
    severity: str
    ended: str
    opened: int
    closed: int


def followed(
    kind: str, *files: Path, policy: str = "", workers: int = 1, as_of: int | None = None, **more: Any
) -> tuple[list[DealRun], HistoryInfo]:
    compiled = load_policy(policy)
    source = Exports(kind_named(kind), [str(file) for file in files], SourceView.of(compiled), Options(), **more)
    result = runs(source, compiled, as_of, workers)
    return list(result), result.info


def replayed(kind: str, *files: Path, policy: str, until: int | None = None) -> tuple[list[Story], dict[str, Any]]:
    alerts: list[dict[str, Any]] = []
    wins: dict[str, Any] = {}

    def win(value: bytes) -> None:
        told = orjson.loads(value)
        wins[told["opportunity_id"]] = None if told["withdrawn"] else told["reading"]

    feed = Feed(
        kind_named(kind), [str(file) for file in files], SourceView.of(load_policy(policy)), Options(), lambda _: None
    )
    replay = Replay(
        policy,
        compile_text,
        alert=lambda value: alerts.append(orjson.loads(value)),
        win=win,
        dead_letter=lambda _: None,
    )
    replay.run(feed, until)
    severities = ("info", "warning", "high")
    found: list[Story] = []
    standing: dict[str, tuple[int, str]] = {}
    for alert in alerts:
        at = parse_instant(alert["at"])
        name = alert["fingerprint"]
        subject = alert["opportunity_id"], alert["rule"], alert["period"]
        if alert["transition"] == "resolved":
            opened, severity = standing.pop(name)
            found.append(Story(*subject, severity, alert["reason"], opened, at))
        else:
            opened, before = standing.get(name, (at, "info"))
            standing[name] = opened, max(before, alert["severity"], key=severities.index)
    for name, (opened, severity) in standing.items():
        rule, deal, period = name.split(":")
        found.append(Story(deal, rule, period, severity, "", opened, 0))
    return sorted(found), {deal: reading for deal, reading in wins.items() if reading}


def stories(found: list[DealRun]) -> list[Story]:
    return sorted(
        Story(run.deal_id, f.rule, f.period, f.severity, f.ended, f.opened_at, f.closed_at)
        for run in found
        for f in run.flags
    )


def same_stories(found: list[Story], expected: list[Story]) -> None:
    """The same but for the grain of a replay's clock: full hours, and midnights where nothing happens for days."""
    assert [story[:5] for story in found] == [story[:5] for story in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert 0 <= theirs.opened - ours.opened <= DAY
        assert 0 <= theirs.closed - ours.closed <= DAY


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("run") / "changes.jsonl"
    with file.open("wb") as out:
        write_changes(Simulation(5, 200, 2, pressured=0.5, lookalikes=0.2, near_misses=0.2), out)
    return file


def test_the_flags_are_those_of_a_replay(simulated: Path) -> None:
    expected, wins = replayed("changes", simulated, policy=policy_text())
    found, info = followed("changes", simulated, policy=policy_text())
    assert len(expected) > 50
    same_stories(stories(found), expected)
    assert {run.deal_id: run.win.reading for run in found if run.win} == wins
    assert (info.deals, info.partial, info.rejected) == (200, False, 0)
