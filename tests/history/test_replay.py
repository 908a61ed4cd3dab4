"""The core alone over files: every kind of input gives the topics' records."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import orjson
import pytest

from wellwon.core.output import DeadLetter
from wellwon.history.replay import Replay, Summary
from wellwon.policy import Policy, compile_text, load_policy
from wellwon.sources.change import Rejected, change_event, encode
from wellwon.sources.feed import Feed
from wellwon.sources.history import Options
from wellwon.sources.kinds import kind_named
from wellwon.sources.mapping import SourceView

POLICY = """\
rules: {past-due-close-date: alert}
"""
HISTORY = """\
Id,OpportunityId,CreatedDate,CreatedById,StageName,Amount,CloseDate,ForecastCategory
h1,d1,2026-01-05 09:00:00,ann,Prospecting,100000,2026-02-10,Pipeline
h2,d1,2026-01-20 09:00:00,ann,Negotiation/Review,100000,2026-02-10,Commit
h3,d1,2026-03-02 09:00:00,ann,Closed Won,100000,2026-03-02,Closed
h4,d2,2026-01-05 09:00:00,bob,Prospecting,100000,2026-02-20,Pipeline
h5,d2,never,bob,Prospecting,100000,2026-02-20,Pipeline
"""


class Run:
    """One replay of files, with everything it gave."""

    def __init__(self, kind: str, *files: Path, until: int | None = None, policy: str = "") -> None:
        self.alerts: list[bytes] = []
        self.wins: list[bytes] = []
        self.dead_letters: list[DeadLetter] = []
        self.rejected: list[Rejected] = []
        view = SourceView.of(load_policy(policy))
        self.feed = Feed(kind_named(kind), [str(file) for file in files], view, Options(), self.rejected.append)
        replay = Replay(
            policy,
            compile_text,
            alert=self.alerts.append,
            win=self.wins.append,
            dead_letter=self.dead_letters.append,
        )
        self.summary: Summary = replay.run(self.feed, until)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    file = tmp_path / "history.csv"
    file.write_text(HISTORY)
    return file


def test_a_history_gives_alerts_wins_and_a_summary(history: Path) -> None:
    run = Run("salesforce-history", history, policy=POLICY)
    summary = run.summary.as_dict()
    assert (summary["changes"], summary["deals"]) == (4, 2)
    assert (summary["first_at"], summary["last_at"]) == ("2026-01-05T09:00:00Z", "2026-03-02T09:00:00Z")
    assert [str(r).split(": ")[0].rsplit("/", 1)[1] for r in run.rejected] == ["history.csv:6:CreatedDate"]
    alerts = [orjson.loads(value) for value in run.alerts]
    past_due = [a for a in alerts if a["rule"] == "past-due-close-date" and a["opportunity_id"] == "d1"]
    # Two local days after the close date, at midnight; gone with the win.
    assert (past_due[0]["transition"], past_due[0]["at"]) == ("opened", "2026-02-12T00:00:00Z")
    assert (past_due[-1]["transition"], past_due[-1]["reason"]) == ("resolved", "closed")
    assert summary["open"]["past-due-close-date"] == {"info": 1}
    (win,) = map(orjson.loads, run.wins)
    assert (win["opportunity_id"], sum(summary["wins"].values())) == ("d1", 1)
    assert not run.dead_letters


def test_until_ends_time_there(history: Path) -> None:
    run = Run("salesforce-history", history, until=1_771_416_000_000, policy=POLICY)  # 2026-02-18T12:00:00Z
    assert run.summary.as_dict()["open"]["past-due-close-date"] == {"info": 1}
    assert run.summary.changes == 3
    assert not run.wins


def test_the_same_files_give_the_same_bytes(history: Path) -> None:
    one, two = (Run("salesforce-history", history, policy=POLICY) for _ in range(2))
    assert (one.alerts, one.wins) == (two.alerts, two.wins)


def test_several_files_are_one_history(history: Path, tmp_path: Path) -> None:
    header, *rows = HISTORY.splitlines(keepends=True)
    parts = []
    for n, row in enumerate(rows):
        parts.append(tmp_path / f"part{n}.csv")
        parts[-1].write_text(header + row)
    random.Random(1).shuffle(parts)
    assert (
        Run("salesforce-history", *parts, policy=POLICY).alerts
        == Run("salesforce-history", history, policy=POLICY).alerts
    )


def test_generic_lines_and_what_detect_refuses(tmp_path: Path) -> None:
    at = 1_772_440_000_000
    good = change_event(id="1", deal="d1", source="test", at=at, kind="created", values={"close_date": "2026-06-30"})
    later = change_event(id="2", deal="d1", source="test", at=at + 1, kind="changed", values={"amount": "5"})
    file = tmp_path / "changes.jsonl"
    file.write_bytes(b"\n".join([encode(good), b"{", encode(good), b"", encode(later), b'"x"']) + b"\r\n")
    run = Run("changes", file)
    assert run.summary.changes == 2
    assert [(r.reason, r.where.rsplit("/", 1)[1]) for r in run.rejected] == [
        ("not_json", "changes.jsonl:2"),
        ("wrong_type", "changes.jsonl:6"),
    ]
    assert run.feed.left_out == {"duplicate": 1, "empty": 1}
    assert run.feed.rejections == {"not_json": 1, "wrong_type": 1}


def test_an_export_and_the_changes_it_becomes_give_the_same(history: Path, tmp_path: Path) -> None:
    policy: Policy = load_policy(POLICY)
    changes = tmp_path / "changes.jsonl"
    kind = kind_named("salesforce-history")
    feed = Feed(kind, [str(history)], SourceView.of(policy), Options(), lambda _: None)
    changes.write_bytes(b"\n".join(out.value for out in feed))
    assert Run("changes", changes, policy=POLICY).alerts == Run("salesforce-history", history, policy=POLICY).alerts


def test_a_dead_letter_of_the_core_is_handed_on(tmp_path: Path) -> None:
    at = 1_772_440_000_000
    event = change_event(id="1", deal="d1", source="test", at=at, kind="changed", values={"stage": "A"})
    file = tmp_path / "changes.jsonl"
    ahead = {**event, "id": "2", "occurred_at": "2026-03-09T08:26:40Z"}
    file.write_bytes(encode(event) + b"\n" + encode(ahead))
    # Time ends before the second change, so it is left out rather than refused.
    run = Run("changes", file, until=at + 1_000)
    assert (run.summary.changes, run.dead_letters) == (1, [])
    assert msgspec.json.decode(encode(event))["opportunity_id"] == "d1"
