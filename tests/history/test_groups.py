"""Owners and teams in a backtest: what a replay's rollup tells of them, asked once a day and by parts."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from deal_runs import Kept
from wellwon.core.lifecycle import RETRACTED
from wellwon.core.units import DAY, parse_instant
from wellwon.history.replay import Replay
from wellwon.history.report.data import as_dict
from wellwon.history.report.page import page
from wellwon.history.run import follow_all
from wellwon.history.tally import Tally
from wellwon.policy import compile_text, load_policy
from wellwon.simulate.files import write_changes
from wellwon.simulate.groups import GROUP_RULES, GroupSimulation
from wellwon.sources import by_deal
from wellwon.sources.by_deal import Exports
from wellwon.sources.feed import Feed
from wellwon.sources.history import Options
from wellwon.sources.kinds import CHANGES, kind_named
from wellwon.sources.mapping import SourceView


class Alert(NamedTuple):
    """How an alert about an owner or a team came."""

    opened: int
    ended: int | None
    severity: str
    reason: str


Key = tuple[str, str, str]
"""Rule, owner or team, period."""


def alerts(records: list[dict[str, Any]]) -> dict[Key, Alert]:
    found: dict[Key, Alert] = {}
    for record in records:
        subject = record["subject"]
        if subject["kind"] == "deal":
            continue
        key = record["rule"], f"{subject['kind']}:{subject['id']}", record["period"]
        at, resolved = parse_instant(record["at"]), record["transition"] == "resolved"
        before = found.get(key, Alert(at, None, record["severity"], ""))
        severity = before.severity if resolved else record["severity"]
        found[key] = Alert(before.opened, at if resolved else None, severity, record["reason"] if resolved else "")
    return found


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    simulation = GroupSimulation(7, 72, quarters=2)
    file = tmp_path_factory.mktemp("groups") / "changes.jsonl"
    with file.open("wb") as out:
        write_changes(simulation, out)
    return file, simulation.policy


def source(file: Path, policy: str) -> Exports:
    return Exports(kind_named(CHANGES), [str(file)], SourceView.of(load_policy(policy)), Options())


def replayed(file: Path, policy: str, until: int | None = None) -> dict[Key, Alert]:
    told: list[dict[str, Any]] = []
    feed = Feed(kind_named(CHANGES), [str(file)], SourceView.of(load_policy(policy)), Options(), lambda _: None)
    replay = Replay(
        policy, compile_text, alert=lambda value: told.append(orjson.loads(value)), win=len, dead_letter=lambda _: None
    )
    replay.run(feed, until)
    return alerts(told)


def followed(file: Path, policy: str, as_of: int | None = None, workers: int = 1) -> dict[Key, Alert]:
    kept, info = follow_all(source(file, policy), load_policy(policy), Kept, as_of, workers)
    assert not [note for note in info.notes if "failed" in note]
    return alerts([orjson.loads(record) for record in kept.told])


def test_the_alerts_are_those_of_a_replay_within_a_day(simulated: tuple[Path, str]) -> None:
    expected, found = replayed(*simulated), followed(*simulated)
    assert {rule for rule, _, _ in expected} == set(GROUP_RULES)
    # What began and ended between two midnights is not seen, nor what nobody could see before the period was over.
    lasting = {key for key, alert in expected.items() if alert.ended is None or alert.ended - alert.opened > DAY}
    assert lasting <= found.keys() <= expected.keys()
    for key, alert in found.items():
        assert 0 <= alert.opened - expected[key].opened <= DAY
        assert alert.severity == expected[key].severity
        if alert.reason:
            assert expected[key].reason in ("cleared", RETRACTED)


def test_parts_and_processes_change_nothing(simulated: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    whole = followed(*simulated)
    monkeypatch.setattr(by_deal, "PART_BYTES", 100_000)
    assert followed(*simulated, workers=2) == whole


def test_as_of_within_the_last_days_of_a_period(simulated: tuple[Path, str]) -> None:
    until = parse_instant("2026-09-29T16:00:00Z")
    expected, found = replayed(*simulated, until), followed(*simulated, until)
    assert expected.keys() == found.keys()
    assert 0 < len(found) < len(followed(*simulated))


def test_exempt_deals_count_for_nobody(simulated: tuple[Path, str]) -> None:
    file, policy = simulated
    owners = sorted({who for rule, who, _ in followed(file, policy) if rule == "bulk-push"})
    exempt = (
        f"{policy}\nexemptions:\n  - {{owners: [{owners[0].partition(':')[2]}], until: 2030-01-01, reason: Leave}}\n"
    )
    left = followed(file, exempt)
    assert not [key for key in left if key[1] == owners[0]]
    assert [key for key in left if key[1] == owners[1]]


def test_shadow_and_off(simulated: tuple[Path, str]) -> None:
    file, policy = simulated
    changed = f"{policy}\nrules: {{bulk-push: shadow, period-end-load: off}}\n"
    tally, info = follow_all(source(file, changed), load_policy(changed), partial(Tally, since=0), workers=1)
    found = tally.result(info)
    said = as_dict(found)["owners_and_teams"]
    assert "period-end-load" not in said
    pushed = said["bulk-push"]
    assert pushed["alerts"] == pushed["messages"] == pushed["messages_in_shadow"] == sum(pushed["periods"].values()) > 0
    assert said["discount-concentration"]["messages_in_shadow"] == 0
    assert said["discount-concentration"]["severities"] == {"warning": said["discount-concentration"]["alerts"]}
    report = page(found)
    assert "Owners and teams</h2>" in report
    assert said["bulk-push"]["said"] in report
    assert "Owners and teams</h2>" not in page(replace(found, info=replace(info, partial=True)))
    assert "takes all deals" in page(replace(found, info=replace(info, partial=True)))
