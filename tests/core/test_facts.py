"""Which changes give a fact, and what it says; a change that no rollup counts gives none."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from wellwon.core.facts import Batch, Fact, Redated, encode_facts, read
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
        return list(out.facts.values())


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("changed", {"next_step": "Call"}),
        ("changed", {"owner_id": "anna", "close_date": "2026-09-28"}),
        ("snapshot", {**CREATED, "pipeline": "", "created_at": "2026-09-01T10:00:00Z", "labels.region": "West"}),
        ("changed", {"forecast_category": "Commit"}),
        ("changed", {"stage": "Qualification"}),
        ("changed", {"discount_percent": "20"}),
        ("activity", {"_direction": "outbound"}),
        ("line_item", {"_line_item_id": "L1", "quantity": "2", "list_price": "500"}),
    ],
)
def test_what_is_not_counted_of_an_open_deal_gives_no_fact(kind: str, values: dict[str, Any]) -> None:
    log = Log()
    west = {"labels.region": "West", "created_at": "2026-09-01T10:00:00Z"}
    assert len(log.write("01T10:00:00", "created", **CREATED, **west)) == 1
    assert log.write("10T10:00:00", kind, **values) == []


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("changed", {"close_date": "2026-10-28"}),
        ("changed", {"amount": "2000"}),
        ("changed", {"owner_id": "ben"}),
        ("changed", {"labels.region": "East"}),  # the segment may depend on it
        ("snapshot", {**CREATED, "owner_id": "ben"}),
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


def fact(deal: str, name: str = "Acme") -> Fact:
    moves = (Redated(3, 20_000, 20_100, True, False),)
    return Fact(deal, 5, 7, name, "anna", "", "all", "", "new", "USD", None, 1_250, 1, 2, 5, 5, None, moves, False)


def test_the_facts_of_a_slice_travel_together_and_come_back_as_they_were() -> None:
    facts = [fact("a"), fact("b", name="Zo\u00eb \u0000")]
    (value,) = encode_facts(facts, 3)
    batch = read(value)
    assert isinstance(batch, Batch)
    assert (batch.partition, list(batch.facts)) == (3, facts)
    assert list(encode_facts([], 3)) == []


def test_more_than_a_record_holds_is_told_in_several() -> None:
    facts = [fact(str(number), name="x" * 300_000) for number in range(7)]
    values = list(encode_facts(facts, 0))
    assert all(len(value) <= 1_000_000 for value in values)
    batches = [batch for batch in map(read, values) if isinstance(batch, Batch)]
    assert [one for batch in batches for one in batch.facts] == facts


def test_of_a_slice_the_last_of_each_hour_is_told() -> None:
    partition = Partition(0, "", {}, compile_text)

    class One(NamedTuple):
        key: bytes
        value: bytes
        offset: int

    def change(offset: int, at: str, kind: str = "changed", **values: Any) -> One:
        wire = {
            "id": str(offset), "opportunity_id": "d", "kind": kind, "occurred_at": f"2026-09-{at}Z",
            "writer": {"id": "anna", "kind": "user"}, "values": values,
        }  # fmt: skip
        return One(b"d", json.dumps(wire).encode(), offset)

    out = partition.apply(
        [
            change(0, "01T10:00:00", "created", **CREATED),
            change(1, "01T10:50:00", amount="2000"),
            change(2, "01T11:00:00", amount="3000"),
        ]
    )
    assert [(one.offset, one.amount) for one in out.facts.values()] == [(1, 200_000), (2, 300_000)]
