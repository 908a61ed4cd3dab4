"""Every deal by itself gives what a replay of the whole log gives: the same flags and the same wins."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from deal_runs import Kept
from wellwon.core.units import DAY, HOUR, parse_instant
from wellwon.history.deal_run import DealRun, HistoryInfo
from wellwon.history.replay import Replay
from wellwon.history.run import follow_all
from wellwon.policy import compile_text, load_policy
from wellwon.simulate.files import write_changes
from wellwon.simulate.organisation import policy_text
from wellwon.simulate.stream import Simulation
from wellwon.sources import by_deal, line_pieces, table
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
    kept, info = follow_all(source, compiled, Kept, as_of, workers)
    return kept.runs, info


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
    standing: dict[tuple[str, str, str], tuple[int, str]] = {}
    for alert in alerts:
        if not alert["opportunity_id"]:
            continue  # of an owner, a team, a period
        at = parse_instant(alert["at"])
        subject = alert["opportunity_id"], alert["rule"], alert["period"]
        if alert["transition"] == "resolved":
            opened, severity = standing.pop(subject)
            found.append(Story(*subject, severity, alert["reason"], opened, at))
        else:
            opened, before = standing.get(subject, (at, "info"))
            standing[subject] = opened, max(before, alert["severity"], key=severities.index)
    found += [Story(*subject, severity, "", opened, 0) for subject, (opened, severity) in standing.items()]
    return sorted(found), {deal: reading for deal, reading in wins.items() if reading}


def stories(found: list[DealRun]) -> list[Story]:
    return sorted(
        Story(run.deal_id, f.rule, f.period, f.severity, f.ended, f.opened_at, f.closed_at)
        for run in found
        for f in run.flags
    )


def same_stories(found: list[Story], expected: list[Story]) -> None:
    """The same but for the grain of a replay's clock: full hours, and midnights where nothing happens for days.

    What comes late is judged at the clock, which is up to an hour behind in a replay.
    """
    assert [story[:5] for story in found] == [story[:5] for story in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert -HOUR < theirs.opened - ours.opened <= DAY
        assert -HOUR < theirs.closed - ours.closed <= DAY


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


def test_two_processes_give_what_one_gives(simulated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_deal, "PART_BYTES", 200_000)
    monkeypatch.setattr(table, "PIECE", 200_000)
    monkeypatch.setattr(line_pieces, "PIECE", 200_000)
    one, said = followed("changes", simulated, policy=policy_text())
    two, said_too = followed("changes", simulated, policy=policy_text(), workers=2)
    assert one == two
    assert said == said_too


def test_as_of_is_the_history_without_what_came_later(simulated: Path) -> None:
    until = parse_instant("2026-09-25T00:00:00Z")
    expected, wins = replayed("changes", simulated, policy=policy_text(), until=until)
    found, info = followed("changes", simulated, policy=policy_text(), as_of=until)
    assert len(expected) > 10
    same_stories(stories(found), expected)
    assert {run.deal_id: run.win.reading for run in found if run.win} == wins
    assert {run.ended_at for run in found} == {until} == {info.as_of}


def test_a_stop_leaves_what_was_done_and_says_so(simulated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(by_deal, "PART_BYTES", 100_000)
    stopped = False

    def progress(what: str, done: int, total: int) -> None:
        nonlocal stopped
        stopped = what == "running"

    policy = load_policy(policy_text())
    source = Exports(kind_named("changes"), [str(simulated)], SourceView.of(policy), Options())
    found, info = follow_all(source, policy, Kept, workers=1, progress=progress, stop=lambda: stopped)
    assert 0 < len(found.runs) < 200
    assert (info.partial, info.deals) == (True, len(found.runs))
    nothing, info = follow_all(source, policy, Kept, workers=1, stop=lambda: True)
    assert nothing.runs == []
    assert info.partial


def test_a_history_with_bulk_edits_and_everything_that_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "history.csv"
    header = "Id,OpportunityId,CreatedDate,CreatedById,StageName,Amount,CloseDate,CurrencyIsoCode\n"
    lines = []
    for n in range(60):
        currency, day = ("EUR", "USD")[n % 2], n % 28 + 1
        lines.append(f"a{n},d{n},2026-01-{day:02} 09:{n:02}:00,ann,Prospecting,{n}000,2026-02-10,{currency}")
        lines.append(f"b{n},d{n},2026-02-0{n % 9 + 1} 10:{n:02}:00,bob,Negotiaton,{n}000,2026-02-10,{currency}")
        # One person moves every date within a minute; then some of them are moved again, one by one.
        lines.append(f"c{n},d{n},2026-03-15 10:00:{n:02},ops,Negotiaton,{n}000,2026-04-20,{currency}")
        lines.append(f"e{n},d{n},2026-04-{day:02} 11:{n:02}:00,bob,Prospecting,{n}000,2026-0{5 + n % 3}-25,{currency}")
    lines.append("x,d1,never,ann,Prospecting,1,2026-02-10,EUR")
    file.write_text(header + "\n".join(reversed(lines)) + "\n")
    deals = tmp_path / "deals.csv"
    deals.write_text("Id,StageName,Name\nd1,Prospecting,One\nd99,Closed Won,Never told\n")
    rejects = tmp_path / "rejects.jsonl"
    policy = "rules: {close-date-push: {pushes: 1}}\n"
    expected, _ = replayed("salesforce-history", file, policy=policy)
    found, info = followed("salesforce-history", file, deals, policy=policy, rejects=rejects)
    assert len(expected) > 50
    assert "retracted" in {story.ended for story in expected}  # told before the edit was seen to be one in bulk
    same_stories(stories(found), expected)
    assert (info.rows, info.rejected, info.rejected_file) == (243, 1, str(rejects))
    assert rejects.read_text().count("\n") == 1
    assert info.currencies == {"EUR": 30, "USD": 30}
    assert info.fields["close_date"] == 60
    notes = "\n".join(info.notes)
    assert f"1 of 243 rows cannot be used (bad_value 1): {rejects} has each with its reason" in notes
    assert "stage 'Negotiaton' (60 changes) is in no pipeline: did you mean 'Negotiation/Review'?" in notes
    assert "several currencies, by deals: " in notes
    assert "deals without a history in these files: 1; nothing is said of them, export it as well" in notes


def test_all_moves_of_the_date_are_kept_where_the_state_keeps_the_last(tmp_path: Path) -> None:
    file = tmp_path / "history.csv"
    rows = "".join(
        f"h{n},d1,2026-{n // 20 + 1:02}-{n % 20 + 1:02} 09:00:00,ann,New,2026-{n // 20 + 4:02}-{n % 20 + 5:02}\n"
        for n in range(60)
    )
    file.write_text("Id,OpportunityId,CreatedDate,CreatedById,StageName,CloseDate\n" + rows)
    (run,), _ = followed("salesforce-history", file)
    assert len(run.dates) == 60
    assert all(later.old == earlier.new for earlier, later in pairwise(run.dates))
