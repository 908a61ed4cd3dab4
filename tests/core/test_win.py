"""How a deal was won: each fact yes, no and not known, each reading, and what was given late."""

from __future__ import annotations

from typing import Any

import pytest

from wellwon.core import timeline
from wellwon.core.win import READINGS
from wellwon.policy import compile_text

MATURE = """
2026-06-01 10:00  created stage="Needs Analysis" close_date=2026-09-20 discount=10 list=120000 currency=EUR by=anna
2026-08-01 10:00  close_date=2026-09-25 by=anna
"""


def wins(text: str, policy: str = "") -> list[dict[str, Any]]:
    """The win records of a timeline."""
    parsed = timeline.parse(text)
    played = timeline.run(timeline.Timeline(policy, parsed.lines), compile_text)
    return [win for seen in played for win in seen.wins]


def won(text: str, policy: str = "") -> dict[str, Any]:
    """The last win record."""
    return wins(text, policy)[-1]


def facts(text: str, policy: str = "") -> tuple[str, str, str, str]:
    """Price held, date held, buyer answered, and the reading."""
    win = won(text, policy)
    assert win["reading"] in READINGS
    return win["price_held"], win["date_held"], win["buyer_answered"], win["reading"]


WON = '2026-09-24 10:00  stage="Closed Won" close_date=2026-09-24 by=anna\n'


# --- the price ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "held"),
    [
        ("", "yes"),
        ("2026-09-01 10:00  discount=11 by=anna\n", "yes"),
        ("2026-09-01 10:00  discount=11.5 by=anna\n", "no"),
        ("2026-09-01 10:00  discount=20 term=24 by=anna\n", "no"),
        ("2026-09-01 10:00  discount=25 by=anna\n2026-09-20 10:00  discount=10 by=anna\n", "yes"),
        ("2026-09-01 10:00  discount=25 by=anna\n2026-09-02 09:00  prepaid=12 by=anna\n", "yes"),
        ("2026-09-01 10:00  discount=25 by=anna\n2026-09-10 09:00  answer=traded by=anna\n", "yes"),
        ("2026-09-01 10:00  discount=15 by=anna\n2026-09-02 09:00  prepaid=12 by=anna\n"
         "2026-09-15 10:00  discount=25 by=anna\n", "no"),
        ("2026-09-01 10:00  discount= by=anna list= \n", "unknown"),
    ],
)  # fmt: skip
def test_price_held(history: str, held: str) -> None:
    assert facts(MATURE + history + WON)[0] == held


def test_a_term_that_rises_from_a_known_one_is_a_trade() -> None:
    longer = "2026-08-02 10:00  term=12 by=anna\n2026-09-01 10:00  discount=20 term=24 by=anna\n"
    assert facts(MATURE + longer + WON)[0] == "yes"


def test_a_price_of_the_same_day_has_no_baseline_yet() -> None:
    young = "2026-09-24 09:00  created stage=Prospecting close_date=2026-09-24 discount=30 by=anna\n"
    assert facts(young + WON)[0] == "unknown"


def test_a_discount_saved_with_the_win_counts() -> None:
    assert facts(MATURE + '2026-09-24 10:00  stage="Closed Won" discount=20 close_date=2026-09-24 by=anna')[0] == "no"


# --- the date -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "day", "held"),
    [
        ("", "2026-09-25", "yes"),
        ("", "2026-10-02", "yes"),
        ("", "2026-10-03", "no"),
        ("", "2026-09-18", "yes"),
        ("", "2026-09-17", "no"),
        ("2026-09-10 10:00  close_date=2026-10-09 by=anna\n", "2026-10-09", "no"),
        ("2026-08-25 10:00  close_date=2026-10-09 by=anna\n", "2026-10-09", "yes"),
        ("2026-09-10 10:00  close_date=2026-10-09 buyer_date=2026-10-09 by=anna\n", "2026-10-09", "yes"),
        ("2026-09-10 10:00  close_date=2026-10-09 by=anna\n2026-09-11 10:00  answer=buyer_date by=anna\n",
         "2026-10-12", "yes"),
    ],
)  # fmt: skip
def test_date_held(history: str, day: str, held: str) -> None:
    win = f'{day} 10:00  stage="Closed Won" close_date={day} by=anna\n'
    assert facts(MATURE + history + win)[1] == held


def test_a_young_deal_is_measured_by_the_date_it_was_created_with() -> None:
    young = "2026-09-10 10:00  created stage=Prospecting close_date=2026-09-22 by=anna\n"
    assert facts(young + WON)[1] == "yes"
    later = "2026-09-10 10:00  created stage=Prospecting close_date=2026-10-22 by=anna\n"
    assert facts(later + WON)[1] == "no"


def test_without_a_date_or_a_past_it_is_not_known() -> None:
    undated = "2026-06-10 10:00  created stage=Prospecting by=anna\n"
    assert facts(undated + '2026-09-24 10:00  stage="Closed Won" by=anna')[1] == "unknown"
    seen_late = "2026-09-20 10:00  snapshot stage=Prospecting close_date=2026-09-24 by=system:backfill\n"
    assert facts(seen_late + WON)[1] == "unknown"


# --- the buyer ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "answered"),
    [
        ("", "unknown"),
        ("2026-09-20 10:00  outbound\n", "unknown"),
        ("2026-09-20 10:00  inbound\n", "yes"),
        ("2026-09-10 10:00  inbound\n", "yes"),
        ("2026-09-10 09:59  inbound\n", "no"),
    ],
)
def test_buyer_answered(history: str, answered: str) -> None:
    assert facts(MATURE + history + WON)[2] == answered


def test_mails_that_nobody_answered_are_a_no_where_answers_are_fed() -> None:
    """The policy says that both ways are fed: a deal with mails and without any answer got none."""
    mails = "2026-09-18 10:00  outbound\n2026-09-20 10:00  outbound\n"
    assert facts(MATURE + mails + WON, "activities: both")[2] == "no"
    assert facts(MATURE + mails + WON, "activities: outbound")[2] == "unknown"
    assert facts(MATURE + WON, "activities: both")[2] == "unknown"  # of this deal nothing is fed


# --- readings -------------------------------------------------------------------------------------------------

ANSWERED = "2026-09-20 10:00  inbound\n"
SILENT = "2026-09-01 10:00  inbound\n"


@pytest.mark.parametrize(
    ("history", "reading"),
    [
        ("", "earned"),
        (ANSWERED, "earned"),
        (SILENT, "mixed"),
        ("2026-09-01 10:00  discount=12 by=anna\n", "mixed"),
        ("2026-09-22 10:00  discount=16 by=anna\n", "pressured"),
        ("2026-09-22 10:00  discount=16 by=anna\n2026-09-22 12:00  answer=traded by=anna\n", "earned"),
    ],
)
def test_readings(history: str, reading: str) -> None:
    assert facts(MATURE + history + WON)[3] == reading


def test_pressure_of_long_ago_does_not_make_a_win_pressured() -> None:
    """The late discount of the quarter before stands, but it was resolved more than 30 days before the win."""
    text = """
    2026-04-01 10:00  created stage="Needs Analysis" close_date=2026-06-28 discount=10 by=anna
    2026-06-25 10:00  discount=16 by=anna
    2026-06-26 10:00  discount=14 by=anna
    2026-07-10 10:00  close_date=2026-09-25 by=anna
    """
    assert facts(text + WON) == ("no", "yes", "unknown", "mixed")


def test_a_retracted_alert_is_no_pressure() -> None:
    """A slip of the hand, put right within minutes, was told and taken back."""
    slip = "2026-09-01 10:00  discount=14 by=anna\n2026-09-22 10:00  discount=30 by=anna\n"
    assert facts(MATURE + slip + "2026-09-22 10:05  discount=14 by=anna\n" + WON)[3] == "mixed"
    assert facts(MATURE + slip + "2026-09-22 11:05  discount=14 by=anna\n" + WON)[3] == "pressured"


def test_the_reading_does_not_depend_on_how_long_the_save_took_to_arrive() -> None:
    save = '2026-09-24 10:00  stage="Closed Won" discount=30 by=anna\n'
    assert facts(MATURE + save)[3] == "pressured"
    late = won(MATURE + "2026-09-24 10:01\n" + save)
    assert (late["reading"], late["late_concession"]) == ("pressured", won(MATURE + save)["late_concession"])


def test_a_raise_that_was_put_right_is_no_raise() -> None:
    slip = "2026-09-01 10:00  discount=25 by=anna\n2026-09-01 10:05  discount=10 by=anna\n"
    traded = "2026-09-03 10:00  discount=20 by=anna\n2026-09-03 12:00  prepaid=12 by=anna\n"
    assert facts(MATURE + slip + traded + WON)[0] == "yes"


def test_a_snapshot_that_knows_when_the_deal_was_created_is_still_no_history() -> None:
    text = """
    2026-09-20 10:00  snapshot stage=Prospecting close_date=2026-09-25 discount=20 created_at=2025-01-01T00:00:00Z
    """
    assert facts(text + WON)[3] == "unknown"


def test_a_snapshot_that_is_first_to_tell_the_stage_shows_an_old_win() -> None:
    text = "2026-09-24 08:00  next_step=call by=anna\n"
    assert wins(text + '2026-09-24 09:00  snapshot stage="Closed Won" close_date=2024-01-01 by=system:backfill\n') == []


def test_a_restored_win_is_of_the_day_on_which_it_was_won() -> None:
    told = wins(MATURE + WON + "2026-10-05 10:00  deleted\n2026-10-06 10:00  restored\n")
    assert [win["withdrawn"] for win in told] == [False, True, False]
    assert (told[-1]["won_at"], told[-1]["period"]) == (told[0]["won_at"], "2026-Q3")


def test_fewer_than_two_facts_are_no_reading() -> None:
    assert facts("2026-06-01 10:00  created stage=Prospecting close_date=2026-09-25 by=anna\n" + WON) == (
        "unknown", "yes", "unknown", "unknown",
    )  # fmt: skip


def test_a_deal_known_by_snapshots_only_has_no_reading() -> None:
    text = """
    2026-06-01 10:00  snapshot stage=Prospecting close_date=2026-09-25 discount=10 by=system:backfill
    2026-09-20 10:00  inbound
    """
    assert facts(text + WON)[3] == "unknown"
    assert facts(text + "2026-09-21 10:00  close_date=2026-09-24 by=anna\n" + WON)[3] == "earned"


# --- what was given late --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("history", "late"),
    [
        ("", "0.00"),
        ("2026-09-22 10:00  discount=16 by=anna\n", "7200.00"),
        ("2026-09-22 10:00  discount=16 by=anna\n2026-09-23 10:00  discount=15.5 by=anna\n", "6600.00"),
        ("2026-09-01 10:00  discount=13 by=anna\n2026-09-22 10:00  discount=19 by=anna\n", "7200.00"),
        ("2026-09-22 10:00  discount=16 by=anna\n2026-09-22 12:00  answer=traded by=anna\n", "0.00"),
        ("2026-08-03 10:00  term=36 by=anna\n2026-09-22 10:00  discount=16 by=anna\n", "2400.00"),
    ],
)
def test_late_concession(history: str, late: str) -> None:
    win = won(MATURE + history + WON)
    assert (win["late_concession"], win["currency"]) == (late, "EUR")


def test_late_concession_is_unknown_where_the_price_is() -> None:
    text = "2026-06-01 10:00  created stage=Prospecting close_date=2026-09-25 discount=10 by=anna\n"
    assert won(text + "2026-09-22 10:00  discount=16 by=anna\n" + WON)["late_concession"] is None


UNANSWERED = "2026-09-14 10:00  inbound\n" + "".join(f"2026-09-21 {hour}:00  outbound\n" for hour in range(10, 15))


def test_unanswered_touches_are_pressure_and_what_is_given_while_they_last_is_late() -> None:
    """A raise too small for late-discount, while five mails had no answer; before them, and after one, it is none."""
    fed = "activities: both"
    given = "2026-09-22 10:00  discount=14 by=anna\n"
    pressed = won(MATURE + UNANSWERED + given + WON, fed)
    assert (pressed["reading"], pressed["late_concession"]) == ("pressured", "4800.00")
    before = won(MATURE + "2026-09-18 10:00  discount=14 by=anna\n" + UNANSWERED + WON, fed)
    assert (before["reading"], before["late_concession"]) == ("pressured", "0.00")
    answered = won(MATURE + UNANSWERED + "2026-09-21 16:00  inbound\n" + given + WON, fed)
    assert answered["late_concession"] == "0.00"
    not_fed = won(MATURE + UNANSWERED + given + WON)
    assert (not_fed["reading"], not_fed["late_concession"]) == ("mixed", "0.00")


def test_an_answer_is_remembered_however_many_mails_follow() -> None:
    mails = "".join(f"2026-09-16 {10 + n // 6}:{n % 6}0  outbound\n" for n in range(30))
    assert facts(MATURE + "2026-09-15 10:00  inbound\n" + mails + WON)[2] == "yes"


# --- the record -----------------------------------------------------------------------------------------------


def test_a_win_is_told_once() -> None:
    (win,) = wins(MATURE + WON + "2026-09-24 11:00  next_step=celebrate by=anna\n")
    assert (win["id"], win["revision"], win["withdrawn"]) == ("win:deal:1", 1, False)
    assert (win["period"], win["days_to_period_end"], win["won_at"]) == ("2026-Q3", 6, "2026-09-24T10:00:00Z")


def test_what_arrives_within_a_day_belongs_to_the_win_and_later_does_not() -> None:
    discounted = MATURE + "2026-09-22 10:00  discount=16 by=anna\n" + WON
    first, second = wins(discounted + "2026-09-25 09:00  answer=traded by=anna\n")
    assert [(win["reading"], win["revision"]) for win in (first, second)] == [("pressured", 1), ("earned", 2)]
    assert len(wins(discounted + "2026-09-25 11:00  answer=traded by=anna\n")) == 1


def test_a_win_undone_is_withdrawn_and_a_new_one_is_another_revision() -> None:
    text = MATURE + WON + '2026-09-26 10:00  stage="Negotiation/Review" by=anna\n'
    told = wins(text + '2026-09-28 10:00  stage="Closed Won" by=anna\n')
    assert [(win["revision"], win["withdrawn"]) for win in told] == [(1, False), (2, True), (3, False)]


def test_a_win_that_was_not_seen_is_no_win() -> None:
    assert wins('2026-09-24 10:00  snapshot stage="Closed Won" close_date=2026-08-01 by=system:backfill\n') == []


def test_the_day_of_a_win_is_the_organisations() -> None:
    late = MATURE + '2026-10-01 03:00Z  stage="Closed Won" close_date=2026-10-01 by=anna\n'
    assert won(late, "calendar: {zone: America/New_York}")["period"] == "2026-Q3"


def test_a_deal_that_was_written_down_as_won_held_no_date() -> None:
    """An export's only row of a deal may be its Closed Won: nobody ever promised a date."""
    imported = '2026-09-24 10:00  created stage="Closed Won" close_date=2021-01-27 amount=9000 by=anna\n'
    assert facts(imported)[1:] == ("unknown", "unknown", "unknown")
