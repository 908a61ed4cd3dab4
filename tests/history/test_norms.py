"""Norms from a history: of wins, outside the window, never from too few."""

from __future__ import annotations

import json
from collections.abc import Iterator
from statistics import quantiles
from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from wellwon.core.norms import Norms
from wellwon.core.units import DAY, HOUR, format_instant, parse_instant
from wellwon.history.norms import WonDeals, figure
from wellwon.policy import load_policy
from wellwon.policy.norms import NormsFile

POLICY = """
pipelines:
  - {name: Sales, open: [Discovery, Proposal, Legal], won: [Won], lost: [Lost]}
segments:
  - {name: big, when: {amount_min: 50000}}
"""
APRIL = parse_instant("2026-04-10T09:00:00Z")
"""In mid-quarter: 20 days in Discovery and 10 in Proposal end far from the window."""


class Line(NamedTuple):
    key: bytes
    value: bytes
    at: int


def line(deal: str, at: int, kind: str = "changed", **values: Any) -> Line:
    event = {"id": f"{deal}-{at}", "opportunity_id": deal, "source": "test", "kind": kind, "values": values}
    event |= {"occurred_at": format_instant(at), "writer": {"id": "anna", "kind": "user"}}
    return Line(deal.encode(), json.dumps(event).encode(), at)


def life(
    number: int, *, begin: int = APRIL, discount: int = 0, days: int = 20, end: str = "Won", **also: Any
) -> list[Line]:
    """A deal: so many days in Discovery, 10 in Proposal, closed."""
    deal, proposal = f"deal-{number}", begin + days * DAY
    first = {"stage": "Discovery", "amount": "1000", "close_date": "2026-06-01", "discount_percent": str(discount)}
    return [
        line(deal, begin, "created", **{**first, **also}),
        line(deal, proposal, stage="Proposal"),
        line(deal, proposal + 10 * DAY, stage=end),
    ]


def norms(lives: list[list[Line]], text: str = POLICY) -> NormsFile:
    def in_order() -> Iterator[Line]:
        yield from sorted((line for life in lives for line in life), key=lambda line: line.at)

    deals = WonDeals(load_policy(text))
    deals.read(in_order())
    return deals.norms(made=20_000)


def test_figures_are_of_the_wins_of_each_segment() -> None:
    small = [life(n, begin=APRIL + n * HOUR, discount=n, days=10 + n) for n in range(21)]
    big = [life(100 + n, discount=40, amount="90000") for n in range(20)]
    lost = [life(200 + n, discount=60, days=300, end="Lost") for n in range(30)]
    found = norms([*small, *big, *lost]).segments
    default = found["default"]
    assert default.wins == 21
    assert default.discount_p75 is not None
    assert (default.discount_p75.value, default.discount_p75.n) == (1_500, 21)
    assert {stage: (f.value, f.n) for stage, f in default.stage_days_median.items()} == {
        "Discovery": (20, 21),
        "Proposal": (10, 21),
    }
    assert {stage: f.value for stage, f in default.days_to_won_p10.items()} == {"Discovery": 10, "Proposal": 0}
    assert found["big"].as_norms() == Norms(
        20, 4_000, {"Discovery": 20, "Proposal": 10}, {"Discovery": 10, "Proposal": 0}
    )


def test_below_twenty_wins_there_is_no_number() -> None:
    found = norms([life(n, discount=n) for n in range(19)]).segments["default"]
    assert found.wins == 19
    assert found.discount_p75 is not None
    assert (found.discount_p75.value, found.discount_p75.n) == (None, 19)
    assert found.stage_days_median["Proposal"].value is None
    assert found.as_norms() == Norms(19)


def test_discounts_of_the_window_are_no_norm() -> None:
    late = parse_instant("2026-05-25T09:00:00Z")  # won on 24 June: in the last ten days of the quarter
    wins = [life(n, discount=10) for n in range(20)] + [life(50 + n, begin=late, discount=50) for n in range(40)]
    found = norms(wins).segments["default"]
    assert found.wins == 60
    assert found.discount_p75 is not None
    assert (found.discount_p75.value, found.discount_p75.n) == (1_000, 20)


def test_what_nobody_knows_is_no_figure() -> None:
    unpriced = [life(n, discount_percent=None) for n in range(20)]
    assert norms(unpriced).segments["default"].discount_p75 is None


def test_a_win_that_is_undone_is_none() -> None:
    wins = [life(n) for n in range(20)]
    wins[7].append(line("deal-7", APRIL + 40 * DAY, stage="Proposal"))
    assert norms(wins).segments["default"].wins == 19


def test_a_stage_that_was_not_seen_to_begin_has_no_time() -> None:
    cut = [[line(f"deal-{n}", APRIL, "snapshot", stage="Discovery", amount="1000"), *life(n)[1:]] for n in range(20)]
    found = norms(cut).segments["default"]
    assert set(found.stage_days_median) == {"Proposal"}


def test_a_tenth_of_the_wins_were_quicker_after_a_stage() -> None:
    def late_won(n: int) -> list[Line]:
        first, proposal, won = life(n)
        return [first, proposal, line(f"deal-{n}", proposal.at + (10 + n) * DAY, **json.loads(won.value)["values"])]

    found = norms([late_won(n) for n in range(21)]).segments["default"]
    assert found.days_to_won_p10["Discovery"].value == 12


def test_visits_of_a_stage_add_up() -> None:
    def back_and_forth(n: int) -> list[Line]:
        first, proposal, won = life(n)
        back = line(f"deal-{n}", proposal.at + 2 * DAY, stage="Discovery")
        again = line(f"deal-{n}", proposal.at + 5 * DAY, stage="Proposal")
        return [first, proposal, back, again, won]

    found = norms([back_and_forth(n) for n in range(20)]).segments["default"]
    assert {stage: f.value for stage, f in found.stage_days_median.items()} == {"Discovery": 23, "Proposal": 7}
    assert {stage: f.value for stage, f in found.days_to_won_p10.items()} == {"Discovery": 5, "Proposal": 0}


@given(st.lists(st.integers(0, 10_000), min_size=20, max_size=60), st.sampled_from([10, 50, 75]))
def test_a_percentile_is_that_of_spreadsheets(values: list[int], percent: int) -> None:
    found = figure(values, percent)
    expected = quantiles(values, n=100, method="inclusive")[percent - 1]
    assert found.n == len(values)
    assert found.value is not None
    assert abs(found.value - expected) <= 0.5 + 1e-6
