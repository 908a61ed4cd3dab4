"""How wins were won, what was borrowed and called, and who stayed: small histories counted by hand."""

from __future__ import annotations

from collections import Counter

import pytest

from deal_runs import backtest, flag, moved, rule, run, win
from wellwon.core.model import LOST, WON
from wellwon.core.units import parse_date
from wellwon.core.win import EARNED, MIXED, PRESSURED
from wellwon.history.deal_run import DealRun
from wellwon.history.interval import Share
from wellwon.history.retention import BadOutcomes, Fate, read_outcomes


def won(day: str, reading: str = EARNED, amount: int = 100_00, currency: str = "USD", **more: object) -> DealRun:
    return run(closed=day, status=WON, amount=amount, currency=currency,
               win=win(parse_date(day), reading, **more))  # fmt: skip


def test_wins_by_period_and_by_day() -> None:
    found = backtest(
        won("2026-03-31", EARNED, 300_00),
        won("2026-03-25", PRESSURED, 100_00, late_concession=50_00),
        won("2026-03-24", MIXED, 600_00, late_concession=0),  # eight days, the last one included
        won("2026-05-10", EARNED, 200_00),
    ).wins
    first, second = (found.periods[index] for index in sorted(found.periods))
    assert (first.label, first.wins, first.known, first.earned) == ("2026-Q1", 3, 3, 1)
    assert (first.value["USD"], first.last_week["USD"]) == (1000_00, 400_00)
    assert (first.priced, first.conceding, first.conceded["USD"]) == (2, 1, 50_00)
    assert second.label == "2026-Q2"
    assert found.value_by_day["USD"] == Counter({0: 300_00, 6: 100_00, 7: 600_00, 51: 200_00})


def test_currencies_are_added_only_at_plan_rates() -> None:
    wins = [won("2026-03-31", amount=100_00), won("2026-03-31", amount=100_00, currency="EUR")]
    apart = backtest(*wins).wins
    assert next(iter(apart.periods.values())).value == Counter(USD=100_00, EUR=100_00)
    policy = "reporting_currency: USD\nplan_rates: {EUR: 1.1}\n"
    together = backtest(*wins, won("2026-03-31", amount=5_00, currency="JPY"), policy=policy).wins
    assert next(iter(together.periods.values())).value == Counter(USD=210_00, JPY=5_00)


def test_borrowed_from_the_next_period() -> None:
    pulled = {"created": "2026-01-10", "status": WON, "closed": "2026-03-30", "close_date": "2026-03-30"}
    found = backtest(
        # Pulled in inside the window and won there.
        run("a", amount=70_00, dates=(moved("2026-03-25", "2026-04-20", "2026-03-30"),), **pulled),
        # Pulled in before the window; pulled in and out again; by an integration; within the quarter: not borrowed.
        run("b", dates=(moved("2026-02-25", "2026-04-20", "2026-03-30"),), **pulled),
        run("c", amount=40_00, close_date="2026-05-05", end="2026-04-10",
            dates=(moved("2026-03-25", "2026-04-20", "2026-03-30"), moved("2026-03-29", "2026-03-30", "2026-05-05"))),
        run("d", dates=(moved("2026-03-25", "2026-04-20", "2026-03-30", why=1),), **pulled),
        run("g", dates=(moved("2026-03-25", "2026-03-31", "2026-03-30"),), **pulled),
        # In the next quarter's pipeline when that begins, but for the one of the quarter after.
        run("e", amount=100_00, close_date="2026-05-20", end="2026-04-10"),
        run("f", close_date="2026-08-20", end="2026-04-10"),
    ).borrowed  # fmt: skip
    (first,) = found.periods.values()
    assert (first.label, first.deals) == ("2026-Q1", 1)
    assert (first.pulled_in, first.next_opening) == (Counter(USD=70_00), Counter(USD=140_00))


def test_sandbagging_and_over_calling() -> None:
    calls = backtest(
        run("a", closed="2026-03-10", status=WON, forecast=("pipeline", "closed"), amount=10_00),
        run("b", closed="2026-03-10", status=WON, forecast=("pipeline", "best_case")),
        run("c", closed="2026-03-10", status=WON, forecast=("commit", "closed")),
        run("d", closed="2026-03-10", status=WON),
        run("e", closed="2026-03-10", status=LOST, forecast=("commit", "omitted"), amount=20_00),
        run("f", closed="2026-03-10", status=LOST, forecast=("pipeline",)),
    ).calls
    assert (calls.wins, calls.uncalled, calls.uncalled_value) == (3, 1, Counter(USD=10_00))
    assert (calls.committed, calls.overcalled, calls.overcalled_value) == (2, 1, Counter(USD=20_00))


def test_churn_by_how_it_was_won_and_by_flag() -> None:
    flags = (flag("late-discount", "2026-03-05", family="price"),)
    runs = [run(f"f{n}", closed="2026-03-10", status=WON, flags=flags, reading=PRESSURED) for n in range(20)]
    after = (flag("late-discount", "2026-04-05", family="price"),)  # no flag of the deal before it was won
    runs += [run(f"u{n}", closed="2026-03-10", status=WON, reading=EARNED, flags=after) for n in range(40)]
    fates = {f"f{n}": Fate("churned" if n < 10 else "renewed", 21_000) for n in range(20)}
    fates |= {f"u{n}": Fate("churned" if n < 4 else "renewed", 21_000) for n in range(40)}
    found = backtest(*runs, fates=fates)
    assert rule(found, "late-discount").churn == (Share.of(10, 20), Share.of(4, 40))
    assert found.retention is not None
    assert found.retention.by_reading[PRESSURED] == Counter(churned=10, renewed=10)


def test_outcomes_are_read_and_their_mistakes_named() -> None:
    text = "deal_id,outcome,date\nd1,churned,2027-01-10\nd2,Renewed,2027-02-01\n\nd1,renewed,2026-12-01\n"
    assert read_outcomes(text.splitlines(), "o.csv") == {
        "d1": Fate("churned", parse_date("2027-01-10")),
        "d2": Fate("renewed", parse_date("2027-02-01")),
    }
    with pytest.raises(BadOutcomes, match=r"o.csv:2: 'gone' is neither churned nor renewed\no.csv:3: three columns"):
        read_outcomes(["d1,churned,2027-01-10", "d2,gone,2027-01-10", "d3,churned"], "o.csv")
    with pytest.raises(BadOutcomes, match="no outcome in it"):
        read_outcomes(["deal_id,outcome,date"], "o.csv")
