"""The digest for the forecast call: totals by team, what moved, how it was won."""

from __future__ import annotations

from typing import Any

from told import POLICY, REVOPS, START, Play, directory
from wellwon.core.facts import Fact, Redated
from wellwon.core.model import LOST, OPEN, WON
from wellwon.core.units import DAY, parse_date, parse_instant
from wellwon.deliver import call
from wellwon.deliver.cards import CallCard

BEFORE = START - 60 * DAY
Q4, Q1 = parse_date("2026-12-30"), parse_date("2027-02-10")


def fact(deal: str, **changes: Any) -> Fact:
    about: dict[str, Any] = {
        "deal": deal, "at": START, "offset": 1, "name": deal.title(), "owner": "ann", "label": "", "segment": "default",
        "pipeline": "", "deal_type": "new", "currency": "USD", "amount": 1_000_000, "discount": None, "status": OPEN,
        "first_at": BEFORE, "closed_at": 0, "won_at": 0, "close_date": Q4, "moves": (), "refolded": False,
    }  # fmt: skip
    return Fact(**{**about, **changes})


def moved(old: int, new: int, at: int = START - DAY) -> tuple[Redated, ...]:
    return (Redated(at, old, new, True, True),)


def sums(play: Play, facts: list[Fact]) -> list[tuple[str, str, int, int]]:
    call.hold(play.desk, facts, play.now)
    play.send()
    card = play.at(REVOPS)[-1].card
    assert isinstance(card, CallCard)
    return [(one.team, one.fate, one.deals, one.amount) for one in card.sums]


def test_what_became_of_the_deals_by_team() -> None:
    facts = [
        fact("new", first_at=START - DAY),
        fact("slid", close_date=Q1, moves=moved(Q4, Q1)),
        fact("slid2", close_date=Q1, moves=moved(Q4, Q1), amount=2_000_000),
        fact("early", moves=moved(Q1, Q4)),
        fact("same", moves=moved(Q4, Q4 + 1), close_date=Q4 + 1),
        fact("gone", status=LOST, closed_at=START - DAY, owner="stranger"),
        fact("old", status=LOST, closed_at=START - 30 * DAY),
    ]
    assert sums(Play(), facts) == [
        ("EMEA", "added", 1, 1_000_000),
        ("EMEA", "slipped", 2, 3_000_000),
        ("EMEA", "pulled in", 1, 1_000_000),
        ("", "lost", 1, 1_000_000),
    ]


def test_the_largest_deals_are_named_with_their_ids() -> None:
    play = Play()
    call.hold(play.desk, [fact(f"d{n}", first_at=START - DAY, amount=n) for n in range(1, 6)], START)
    play.send()
    (card,) = (one.card for one in play.seen if isinstance(one.card, CallCard))
    assert [one.example_ids for one in card.sums] == [("d5", "d4", "d3")]


def test_the_next_call_compares_with_the_last() -> None:
    play = Play()
    assert sums(play, [fact("up"), fact("down"), fact("none", amount=None)]) == []
    play.minutes(60)
    play.restart()
    changed = [fact("up", amount=1_500_000), fact("down", amount=400_000), fact("none", amount=5)]
    assert sums(play, changed) == [("EMEA", "up", 1, 500_000), ("EMEA", "down", 1, 600_000)]
    assert sums(play, changed) == [], "nothing moved since"


def test_wins_say_how() -> None:
    play = Play()
    play.win(reading="pressured")
    won = fact("d1", status=WON, closed_at=START, won_at=START)
    assert sums(play, [won, fact("d2", status=WON, closed_at=START, won_at=START)]) == [
        ("EMEA", "won at a concession", 1, 1_000_000),
        ("EMEA", "won, not known how", 1, 1_000_000),
    ]


def test_it_comes_once_a_week_at_the_time_of_the_policy() -> None:
    play = Play(directory(POLICY + "  weekly_digest: {weekday: monday, at: '08:00', to: [revops]}\n"))
    assert not play.desk.call_due(play.now)
    monday = parse_instant("2027-01-04T08:00:00Z")
    assert not play.desk.call_due(monday - 1)
    assert play.desk.call_due(monday)
    call.hold(play.desk, [], monday)
    assert not play.desk.call_due(monday + 6 * DAY)
    assert play.desk.call_due(monday + 7 * DAY)


def test_nobody_is_named_and_no_deal_twice_in_a_total() -> None:
    play = Play()
    sums(play, [fact(f"d{number}", first_at=START) for number in range(50)])
    card = play.at(REVOPS)[-1].card
    assert isinstance(card, CallCard)
    (total,) = card.sums
    assert (total.deals, len(total.examples)) == (50, 3)
    assert "ann" not in str(card).lower()
