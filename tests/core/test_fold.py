"""Words of the catalogue that no single rule shows."""

from __future__ import annotations

from typing import Any

from wellwon.core.deal import BY_FIELD, Deal
from wellwon.core.fold import fold
from wellwon.core.items import ANSWER, CREATED, Change
from wellwon.core.moves import Line
from wellwon.core.rule import ACTED, AMOUNT, NEXT_STEP
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


def saved(deal: Deal, day: int, kind: str = "changed", writer: str = "user", bulk: int = 1, **values: Any) -> int:
    """The parts that a save changed."""
    return fold(deal, Change(day * DAY, kind, b"%8d" % day, day, "anna", writer, bulk, values), RULES)


def test_only_people_act() -> None:
    deal = Deal()
    assert saved(deal, 1, name="Acme") & ACTED
    for kind, writer, bulk in (("changed", "integration", 1), ("changed", "user", 50), ("snapshot", "user", 1)):
        assert not saved(deal, 2, kind, writer, bulk, name="Acme Ltd") & ACTED
    assert deal.acted_at == DAY
    assert saved(deal, 3, ANSWER, answer="not_right") & ACTED
    assert deal.acted_at == 3 * DAY


def test_a_creation_is_a_persons_or_not() -> None:
    for kind, writer, bulk, expected in (
        (CREATED, "user", 1, True),
        (CREATED, "integration", 1, False),
        (CREATED, "user", 50, False),
        ("snapshot", "user", 1, False),
    ):
        deal = Deal()
        saved(deal, 1, kind, writer, bulk, stage="Prospecting")
        assert deal.created_by_person is expected


def test_an_empty_amount_is_known_once_it_was_written() -> None:
    deal = Deal()
    saved(deal, 1, CREATED, stage="Prospecting")
    assert not deal.amount_told
    assert saved(deal, 2, amount=None) & AMOUNT
    assert deal.amount_told


def test_a_next_step_is_as_old_as_its_words() -> None:
    deal = Deal()
    saved(deal, 1, CREATED, next_step=None)
    assert (deal.next_step, deal.next_step_at) == (0, DAY)
    assert saved(deal, 2, next_step="Call Kim") & NEXT_STEP
    assert not saved(deal, 3, next_step=" Call Kim ") & NEXT_STEP
    assert deal.next_step_at == 2 * DAY
    assert saved(deal, 4, next_step="") & NEXT_STEP
    assert (deal.next_step, deal.next_step_at) == (0, 4 * DAY)
