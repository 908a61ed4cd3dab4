"""Which changes give a fact, and what it says; a change that no rollup counts gives none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wellwon.core.facts import Fact, read_fact
from wellwon.core.partition import Partition
from wellwon.core.units import parse_date, parse_instant
from wellwon.policy import compile_text

CREATED = {"stage": "Prospecting", "close_date": "2026-09-28", "owner_id": "anna", "amount": "1000", "name": "Acme"}


class Log:
    """One deal in a partition of its own."""

    def __init__(self, policy: str = "") -> None:
        self.partition = Partition(0, policy, {}, compile_text)
        self.offset = 0

    def write(self, at: str, kind: str = "changed", by: str = "anna", deal: str = "d", **values: Any) -> list[Fact]:
        """Apply a change; the facts that it gives."""
        more = {name[1:]: values.pop(name) for name in list(values) if name.startswith("_")}
        wire = {
            "id": f"{self.offset}", "opportunity_id": deal, "kind": kind, "occurred_at": f"2026-09-{at}Z",
            "writer": {"id": by, "kind": "user"}, "values": values, **more,
        }  # fmt: skip

        class One:
            key, value, offset = deal.encode(), json.dumps(wire).encode(), self.offset

        self.offset += 1
        out = self.partition.apply([One()])
        assert not out.dead_letters
        return [read_fact(json.loads(value)) for _, value in out.facts]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("changed", {"next_step": "Call"}),
        ("changed", {"forecast_category": "Commit"}),
        ("changed", {"stage": "Qualification"}),
        ("changed", {"discount_percent": "20"}),
        ("changed", {"labels.region": "East"}),
        ("activity", {"_direction": "outbound"}),
        ("line_item", {"_line_item_id": "L1", "quantity": "2", "list_price": "500"}),
    ],
)
def test_what_is_not_counted_of_an_open_deal_gives_no_fact(kind: str, values: dict[str, Any]) -> None:
    log = Log()
    assert len(log.write("01T10:00:00", "created", **CREATED)) == 1
    assert log.write("10T10:00:00", kind, **values) == []


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("changed", {"close_date": "2026-10-28"}),
        ("changed", {"amount": "2000"}),
        ("changed", {"owner_id": "ben"}),
        ("changed", {"stage": "Closed Won"}),
        ("changed", {"buyer_confirmed_date": "2026-09-28"}),
        ("deleted", {}),
        ("answer", {"_answer": "buyer_date"}),
    ],
)
def test_what_is_counted_gives_one(kind: str, values: dict[str, Any]) -> None:
    log = Log()
    log.write("01T10:00:00", "created", **CREATED)
    assert len(log.write("10T10:00:00", kind, **values)) == 1


def test_a_fact_says_how_the_deal_stands() -> None:
    log = Log("team_label: labels.region")
    log.write("01T10:00:00", "created", **CREATED, **{"labels.region": "East"})
    log.write("24T10:00:00", close_date="2026-10-28")
    log.write("25T10:00:00", by="boss", close_date="2026-11-28")
    (won,) = log.write("26T10:00:00", stage="Closed Won", discount_percent="12.5", close_date="2026-09-26")
    assert (won.deal, won.name, won.owner, won.label, won.amount, won.discount) == (
        "d", "Acme", "anna", "East", 100_000, 1_250,
    )  # fmt: skip
    assert won.at == won.won_at == won.closed_at == parse_instant("2026-09-26T10:00:00Z")
    assert won.close_date == parse_date("2026-09-26")
    assert [(move.is_push, move.own) for move in won.moves] == [(True, True), (True, False), (False, True)]


def test_a_push_is_not_the_next_owners() -> None:
    log = Log()
    log.write("01T10:00:00", "created", **CREATED)
    (pushed,) = log.write("24T10:00:00", close_date="2026-10-28")
    (handed,) = log.write("25T10:00:00", by="boss", owner_id="ben")
    assert [move.own for move in pushed.moves] == [True]
    assert [move.own for move in handed.moves] == [False]


def test_a_win_is_told_again_with_what_it_was_sold_for() -> None:
    log = Log()
    log.write("01T10:00:00", "created", **CREATED)
    log.write("24T10:00:00", stage="Closed Won")
    (priced,) = log.write("24T10:01:00", discount_percent="30")
    assert priced.discount == 3_000


def test_a_correction_takes_the_push_back() -> None:
    log = Log()
    log.write("01T10:00:00", "created", **CREATED)
    log.write("24T10:00:00", close_date="2026-10-28")
    (back,) = log.write("24T10:10:00", close_date="2026-09-28")
    assert back.refolded
    assert not any(move.counts for move in back.moves)


def test_without_patterns_of_groups_nothing_is_written() -> None:
    names = ("bulk-push", "period-end-load", "discount-concentration", "borrowed-from-next-period")
    log = Log("rules:\n" + "".join(f"  {name}: off\n" for name in names))
    assert log.write("01T10:00:00", "created", **CREATED) == []
