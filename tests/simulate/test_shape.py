"""The quarter's shape against the published figures that it aims at (see `simulate.organisation`)."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

import orjson
import pytest

from wellwon.core.units import parse_instant
from wellwon.simulate import Simulation
from wellwon.simulate.organisation import LOST_STAGE, WON_STAGE, Quarter, calendar, some_workday, workday


class Close(NamedTuple):
    day: int
    won: bool
    amount: float
    discount: float | None


def discount_of(deal: dict[str, Any]) -> float | None:
    """Percent off list of a deal's last values."""
    if lines := deal.get("lines"):
        net = sum(float(line["unit_price"]) * float(line["quantity"]) for line in lines.values())
        return 100 - 100 * net / sum(float(line["list_price"]) * float(line["quantity"]) for line in lines.values())
    if "discount_percent" in deal:
        return float(deal["discount_percent"])
    return 100 - 100 * float(deal["amount"]) / float(deal["list_amount"]) if "list_amount" in deal else None


@pytest.fixture(scope="module")
def quarter() -> Quarter:
    return Simulation(1, 1).quarters[0]


@pytest.fixture(scope="module")
def closes(quarter: Quarter) -> list[Close]:
    found: list[Close] = []
    for seed in (1, 2, 3):
        deals: dict[bytes, dict[str, Any]] = {}
        for delivery in Simulation(seed, 2_000):
            event, deal = orjson.loads(delivery.value), deals.setdefault(delivery.key, {})
            if event["kind"] == "line_item":
                deal.setdefault("lines", {})[event["line_item_id"]] = event["values"]
                continue
            deal.update(event.get("values", {}))
            day = calendar().local_day(parse_instant(event["occurred_at"]))
            if event.get("values", {}).get("stage") in (WON_STAGE, LOST_STAGE) and quarter.start <= day <= quarter.end:
                found.append(Close(day, deal["stage"] == WON_STAGE, float(deal["amount"]), discount_of(deal)))
    return found


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def test_seventy_percent_of_the_value_is_won_in_the_last_week(closes: list[Close], quarter: Quarter) -> None:
    won = [close for close in closes if close.won]
    share = sum(c.amount for c in won if c.day >= quarter.last_week) / sum(c.amount for c in won)
    assert 0.62 < share < 0.78


def test_the_first_week_has_a_small_spike(closes: list[Close], quarter: Quarter) -> None:
    weeks = [sum(c.won and c.day - quarter.start in range(7 * w, 7 * w + 7) for c in closes) for w in range(8)]
    assert weeks[0] > 1.2 * mean([float(n) for n in weeks[1:]])


def test_discounts_are_u_shaped(closes: list[Close], quarter: Quarter) -> None:
    def discount(low: int, high: int) -> float:
        part = [c for c in closes if c.won and low <= c.day <= high and c.discount is not None]
        return sum(c.amount * (c.discount or 0) for c in part) / sum(c.amount for c in part)

    assert 35 < discount(quarter.start, quarter.start + 6) < 45
    assert discount(quarter.start + 14, quarter.window - 10) <= 30
    assert 35 < discount(quarter.last_week, quarter.end) < 45


def test_the_last_day_wins_more_and_loses_far_more(closes: list[Close], quarter: Quarter) -> None:
    last = quarter.last_workday
    others = sum(workday(day) == day for day in range(quarter.last_week, last))

    def times(won: bool) -> float:
        days = [c.day for c in closes if c.won is won and c.day >= quarter.last_week]
        return days.count(last) / (sum(day < last for day in days) / others)

    def win_rate(at_the_end: bool) -> float:
        return mean([float(c.won) for c in closes if (c.day == last) is at_the_end])

    assert 2.4 < times(True) < 4
    assert 9 < times(False) < 14
    assert 0.58 < win_rate(False) < 0.68
    assert 0.26 < win_rate(True) < 0.38


def test_deals_of_the_last_day_are_a_third_smaller(closes: list[Close], quarter: Quarter) -> None:
    won = [close for close in closes if close.won]
    last = mean([c.amount for c in won if c.day == quarter.last_workday])
    assert 0.55 < last / mean([c.amount for c in won if c.day < quarter.last_workday]) < 0.85


def test_a_range_without_a_working_day_gives_the_one_before(quarter: Quarter) -> None:
    saturday = quarter.end - 4  # 2026-09-26
    assert some_workday(Random(1), saturday, saturday + 1) == saturday - 1
