"""What the page knows: repeats and any order change nothing, and memory has bounds."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from told import START, alert_record, win_record
from wellwon.core.units import DAY, HOUR, format_instant
from wellwon.deliver.items import Alert, Reply, Win, read_alert, read_win
from wellwon.web import board as module
from wellwon.web.board import Board


def alert(rule: str = "late-discount", deal: str = "d1", revision: int = 1, **changes: Any) -> Alert:
    return read_alert(alert_record(rule, deal, revision, **changes))


def over(rule: str = "late-discount", deal: str = "d1", revision: int = 2) -> Alert:
    return alert(rule, deal, revision, transition="resolved", evidence={})


def reply(kind: str, at: int = START, mark: str = "late-discount:d1:2026-Q4", **about: Any) -> Reply:
    return Reply(
        id=about.pop("id", f"r{at}"), opportunity_id="d1", kind=kind, at=format_instant(at), fingerprint=mark, **about
    )


def board(*items: Alert | Win | Reply) -> Board:
    made = Board()
    for item in items:
        made.take(item)
    return made


def marks(made: Board) -> list[str]:
    return [one.alert.fingerprint for one in made.headlines(lambda alert: True)]


def test_an_alert_that_is_over_is_gone_and_a_repeat_does_not_bring_it_back() -> None:
    made = board(alert(), over(), alert())
    assert marks(made) == []
    made.take(alert(revision=3, transition="opened"))
    assert marks(made) == ["late-discount:d1:2026-Q4"]


def test_patterns_of_one_save_are_one_headline_until_it_ends() -> None:
    leader = "push-to-close:d1:2026-Q4"
    made = board(alert("push-to-close"), alert(covered_by=leader))
    assert marks(made) == [leader]
    assert [one.rule for one in made.together(leader)] == ["late-discount"]
    made.take(over("push-to-close"))
    assert marks(made) == ["late-discount:d1:2026-Q4"]


def test_what_covers_an_alert_may_be_covered_itself() -> None:
    leader = "push-to-close:d1:2026-Q4"
    made = board(
        alert("amount-cut-before-close", covered_by="late-discount:d1:2026-Q4"), alert(), alert("push-to-close")
    )
    made.take(alert(revision=2, covered_by=leader))
    assert marks(made) == [leader]
    assert [one.rule for one in made.together(leader)] == ["amount-cut-before-close", "late-discount"]
    before = made.number
    made.take(alert("amount-cut-before-close", revision=2, severity="high", covered_by="late-discount:d1:2026-Q4"))
    assert leader in {change.mark for change in made.since(before) or ()}, "its row is shown anew"
    made.take(over("push-to-close"))
    assert marks(made) == ["late-discount:d1:2026-Q4"]


def test_those_who_look_on_hear_of_the_alert_that_leads_now() -> None:
    leader = "push-to-close:d1:2026-Q4"
    made = board(alert("push-to-close"), alert(covered_by=leader))
    number = made.number
    made.take(over("push-to-close"))
    changes = made.since(number)
    assert changes is not None
    assert {change.mark for change in changes} == {leader, "late-discount:d1:2026-Q4"}


@given(st.permutations([(rule, revision) for rule in ("a", "b") for revision in (1, 2, 3)] * 2))
def test_the_highest_revision_holds_whatever_the_order(order: list[tuple[str, int]]) -> None:
    made = board(
        *(
            over(rule, revision=3) if number == 3 and rule == "b" else alert(rule, revision=number)
            for rule, number in order
        )
    )
    assert marks(made) == ["a:d1:2026-Q4"]
    assert made.open["a:d1:2026-Q4"].alert.revision == 3


@pytest.mark.parametrize("first", [True, False])
def test_replies_and_alerts_come_in_any_order(first: bool) -> None:
    said = reply("acknowledged", START + HOUR, by="Ann")
    made = board(said, alert()) if first else board(alert(), said)
    (standing,) = made.headlines(lambda alert: True)
    assert [one.by for one in made.said(standing)] == ["Ann"]


def test_a_snooze_ends_in_its_time_or_when_the_alert_changes() -> None:
    until = START + DAY
    made = board(alert(), reply("snoozed", START + HOUR, until=format_instant(until)))
    (standing,) = made.headlines(lambda alert: True)
    assert made.snoozed_until(standing) == until
    made.take(alert(revision=2, at=format_instant(START + 2 * HOUR)))
    (standing,) = made.headlines(lambda alert: True)
    assert made.snoozed_until(standing) == 0


def test_what_was_said_of_an_earlier_opening_says_nothing_of_this_one() -> None:
    later = format_instant(START + DAY)
    made = board(alert(), reply("acknowledged", START + HOUR), over(), alert(revision=3, at=later, opened_at=later))
    (standing,) = made.headlines(lambda alert: True)
    assert made.said(standing) == ()


def test_no_more_is_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPEN_MAX", "OVER_MAX", "SAID_MAX", "WINS_MAX"):
        monkeypatch.setattr(module, name, 10)
    made = Board()
    for number in range(50):
        made.take(alert(deal=f"d{number}"))
        made.take(over(deal=f"o{number}"))
        made.take(reply("noted", mark=f"x{number}", id=f"r{number}"))
        made.take(read_win(win_record(opportunity_id=f"w{number}")))
    assert (len(made.open), len(made.wins), made.dropped) == (10, 10, 40)
    assert "late-discount:d49:2026-Q4" in made.open, "the newest stay"
    assert len(made._over) == 10
    assert len(made._said) == 10


def test_who_is_too_far_behind_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHANGES_MAX", 5)
    made = Board()
    for number in range(20):
        made.take(alert(deal=f"d{number}"))
    assert made.since(0) is None
    assert made.since(made.number + 1) is None, "of another run"
    assert made.since(made.number) == []
    assert [one.mark for one in made.since(made.number - 2) or ()] == [f"late-discount:d{n}:2026-Q4" for n in (18, 19)]


def test_the_last_win_of_a_deal_holds() -> None:
    made = board(read_win(win_record(2, withdrawn=True)), read_win(win_record(1)))
    assert made.wins["d1"].withdrawn
