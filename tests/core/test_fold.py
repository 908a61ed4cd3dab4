"""Words of the catalogue that no single rule shows."""

from __future__ import annotations

from typing import Any

from wellwon.core.deal import BY_FIELD, Deal, Line
from wellwon.core.fold import fold
from wellwon.core.items import Change
from wellwon.core.units import DAY
from wellwon.policy import compile_text

RULES = compile_text("")


def folded(deal: Deal, number: int, kind: str = "changed", line: str = "", **values: Any) -> Deal:
    """The deal after one more save by a person."""
    fold(deal, Change(number * DAY, kind, b"%8d" % number, number, "anna", "user", 1, values, line), RULES)
    return deal


def test_more_line_items_than_are_kept_are_no_price_and_no_trade() -> None:
    deal = folded(Deal(), 1, discount_percent=1_000)
    for number in range(250):
        folded(deal, 2, "line_item", f"L{number}", quantity=1_000, unit_price=90, list_price=100)
    folded(deal, 3, "line_item", "L1", quantity=2_000)
    assert (deal.lines, deal.method, deal.discount, deal.rose_at) == ({}, BY_FIELD, 1_000, 2 * DAY)


def test_lines_without_list_prices_leave_the_mapped_list_amount() -> None:
    assert Deal(lines={"L1": Line(1_000, 90, None)}, list_field=120_000).list_amount == 120_000


def test_another_pipeline_begins_anew() -> None:
    deal = folded(folded(Deal(), 1, stage="Negotiation/Review"), 2, pipeline="other", stage="Prospecting")
    assert (deal.top, deal.progress_at) == (0, 0)
