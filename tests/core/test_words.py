"""The catalogue's words of trades, years, deal types and the buyer's process, one by one, as the fold takes them."""

from __future__ import annotations

from typing import Any

import pytest

from wellwon.core.deal import Deal, annual
from wellwon.core.engine import deal_type_of
from wellwon.core.fold import fold
from wellwon.core.items import Change
from wellwon.core.moves import BUYER_PROCESS, COUNTS, RESTART
from wellwon.core.units import DAY, HOUR, parse_date, parse_instant
from wellwon.policy import compile_text

RULES = compile_text(
    """
pipelines:
  - {name: New, open: [Discovery, Offer, Legal], won: [Won], lost: [Lost], buyer_process: [Legal]}
  - {name: Partners, open: [Registered], won: [Won], lost: [Lost], deal_type: channel}
deal_types: {Add-On: expansion}
"""
)
START = parse_instant("2026-08-03T10:00:00Z")
CONCEDED = START + 20 * DAY


class Life:
    """A deal, priced weeks ago, and its saves."""

    def __init__(self, **values: Any) -> None:
        self.deal = Deal()
        self._number = 0
        self.save(START, kind="created", stage="Offer", close_date=parse_date("2026-09-25"), **values)

    def save(self, at: int, *, kind: str = "changed", line: str = "", commit: int = 0, **values: Any) -> Life:
        self._number += 1
        number = commit or self._number
        fold(self.deal, Change(at, kind, b"%8d" % self._number, number, "anna", "user", 1, values, line), RULES)
        return self

    @property
    def traded(self) -> bool:
        return self.deal.prices[-1].traded

    @property
    def cut_is_traded(self) -> bool:
        return [move for move in self.deal.amounts if move.cut_bp][-1].traded


def conceded(**also: Any) -> Life:
    """The discount rises by four points, and the amount falls with it; ``also`` in the same save."""
    priced = Life(amount=90_000, discount_percent=1_000, term_months=12, prepaid_months=0)
    return priced.save(CONCEDED, amount=86_000, discount_percent=1_400, **also)


# --- traded ---------------------------------------------------------------------------------------------------------


def test_nothing_in_return_is_no_trade() -> None:
    assert not conceded().traded
    assert not conceded().cut_is_traded


@pytest.mark.parametrize("given", [{"term_months": 24}, {"prepaid_months": 12}])
def test_a_longer_term_or_a_prepayment_is_something_in_return(given: dict[str, int]) -> None:
    for life in (conceded(**given), conceded().save(CONCEDED + DAY, **given)):
        assert life.traded
        assert life.cut_is_traded


@pytest.mark.parametrize("given", [{"term_months": 24}, {"prepaid_months": 12}])
def test_it_comes_with_the_concession_or_within_a_day_after_it(given: dict[str, int]) -> None:
    assert not conceded().save(CONCEDED + DAY + 1, **given).traded
    before = Life(amount=90_000, discount_percent=1_000, term_months=12, prepaid_months=0)
    before.save(CONCEDED - HOUR, **given).save(CONCEDED, discount_percent=1_400)
    assert not before.traded


@pytest.mark.parametrize("taken", [{"term_months": 6}, {"prepaid_months": None}])
def test_less_is_nothing_in_return(taken: dict[str, int | None]) -> None:
    assert not conceded(**taken).traded


def test_another_record_of_the_same_save_is_the_same_save() -> None:
    first = Life(amount=90_000, discount_percent=1_000, term_months=12)
    assert first.save(CONCEDED, commit=70, term_months=24).save(CONCEDED, commit=70, discount_percent=1_400).traded


def test_more_units_are_something_in_return_and_first_units_are_not() -> None:
    first = Life().save(START + HOUR, kind="line_item", line="L1", quantity=10_000, unit_price=90, list_price=100)
    first.save(CONCEDED, kind="line_item", line="L1", commit=70, unit_price=80)
    assert not first.traded
    assert first.save(CONCEDED + HOUR, kind="line_item", line="L1", quantity=12_000).traded


def test_an_amount_that_did_not_fall_trades_the_points() -> None:
    assert Life(amount=90_000, discount_percent=1_000).save(CONCEDED, discount_percent=1_400, amount=95_000).traded
    assert conceded().save(CONCEDED + 5 * HOUR, amount=90_000).traded
    assert not conceded().save(CONCEDED + 5 * HOUR, amount=89_999).traded


def test_an_amount_that_nobody_wrote_trades_nothing() -> None:
    assert not Life(amount=90_000, discount_percent=1_000).save(CONCEDED, discount_percent=1_400).traded


# --- annualised -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "term", "expected"),
    [
        (120_000, 24, 60_000), (120_000, 36, 40_000), (100_000, 18, 66_666),
        (120_000, 12, 120_000), (120_000, 6, 120_000), (120_000, 0, 120_000), (120_000, None, 120_000),
        (None, 24, None), (0, 24, 0),
    ],
)  # fmt: skip
def test_an_amount_of_more_than_a_year_is_taken_by_the_year(amount: int | None, term: int, expected: int) -> None:
    assert annual(amount, term) == expected


def test_amounts_compare_by_the_year() -> None:
    life = Life(amount=120_000, term_months=12).save(CONCEDED, amount=240_000, term_months=24)
    assert [move.new for move in life.deal.amounts] == [120_000]
    life.save(CONCEDED + DAY, amount=216_000)
    assert life.deal.amounts[-1].cut_bp == 1_000


def test_a_term_that_was_not_known_before_makes_another_amount_and_no_cut() -> None:
    life = Life(amount=120_000).save(CONCEDED, term_months=24)
    assert [(move.new, move.why) for move in life.deal.amounts[1:]] == [(60_000, RESTART)]


# --- deal types -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "new"),
        ({"deal_type": "Existing Business"}, "expansion"),
        ({"deal_type": "ADD-ON"}, "expansion"),
        ({"deal_type": "Renewal", "pipeline": "Partners"}, "renewal"),
        ({"deal_type": "Unheard of", "pipeline": "Partners"}, "channel"),
        ({"pipeline": "Partners"}, "channel"),
        ({"pipeline": "Unheard of"}, "new"),
        ({"deal_type": None}, "new"),
    ],
)
def test_a_deal_says_its_type_or_its_pipeline_does(values: dict[str, str], expected: str) -> None:
    assert deal_type_of(Life(**values).deal, RULES) == expected


# --- the buyer's process --------------------------------------------------------------------------------------------


def moved(held: str, date: str, **also: Any) -> int:
    """Why a move of the date on a deal in this stage counts, or does not."""
    life = Life().save(START + 9 * DAY, close_date=parse_date("2026-09-10"))
    life.save(START + 10 * DAY, stage=held)
    return life.save(CONCEDED, close_date=parse_date(date), **also).deal.dates[-1].why


@pytest.mark.parametrize(
    ("stage", "date", "why"),
    [
        ("Legal", "2026-09-29", BUYER_PROCESS),
        ("Legal", "2026-10-02", COUNTS),
        ("Legal", "2026-09-04", COUNTS),
        ("Offer", "2026-09-29", COUNTS),
    ],
)
def test_only_a_push_within_the_period_waits_for_the_buyer(stage: str, date: str, why: int) -> None:
    assert moved(stage, date) == why


def test_the_save_that_hands_it_to_the_buyer_is_part_of_it() -> None:
    assert moved("Offer", "2026-09-29", stage="Legal") == BUYER_PROCESS
    assert moved("Legal", "2026-09-29", stage="Offer") == COUNTS
