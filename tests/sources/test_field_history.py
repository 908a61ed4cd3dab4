"""OpportunityFieldHistory exports: a row for each field of a save."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from wellwon.core import wire
from wellwon.policy.model import FIELDS
from wellwon.sources.change import Ignored, Rejected
from wellwon.sources.field_history import FieldHistory
from wellwon.sources.history import Options
from wellwon.sources.mapping import SourceView
from wellwon.sources.table import NotATable
from wellwon.sources.whole import open_table, read_tables

VIEW = SourceView(fields={**FIELDS, "Discount__c": "discount_percent"})
HEADER = "Id,IsDeleted,OpportunityId,CreatedById,CreatedDate,Field,DataType,OldValue,NewValue\n"


def history(*rows: tuple[str, str, str, str, str]) -> str:
    """Rows of (user, time, field, old, new), all of one deal."""
    return HEADER + "".join(
        f"017Wx{n:010d}AAA,false,006Wx0000000001AAA,{user},{at},{field},,{old},{new}\n"
        for n, (user, at, field, old, new) in enumerate(rows)
    )


def read(text: str) -> list[Any]:
    outcomes = list(read_tables(FieldHistory(), [open_table("f.csv", text.encode())], VIEW, Options()))
    for outcome in outcomes:
        if isinstance(outcome, dict):
            wire.decode(orjson.dumps(outcome))
    return outcomes


U, V = "005Wx0000000001AAA", "005Wx0000000002AAA"
T1, T2, T3 = "2026-01-05T09:00:00.000Z", "2026-02-05T09:00:00.000Z", "2026-03-05T09:00:00.000Z"


def test_rows_of_one_save_are_one_change_and_the_first_old_values_a_snapshot() -> None:
    found = read(
        history(
            (U, T2, "CloseDate", "2026-03-31", "2026-06-30"),
            (U, T2, "Discount__c", "10", "22.5"),
            (V, T3, "StageName", "Prospecting", "Qualification"),
            (U, T3, "Amount", "", "84000.0"),
        )
    )
    assert [(o["kind"], o["writer"]["id"], o["values"]) for o in found] == [
        (
            "snapshot",
            "",
            {"close_date": "2026-03-31", "discount_percent": "10", "amount": None, "stage": "Prospecting"},
        ),
        ("changed", U, {"close_date": "2026-06-30", "discount_percent": "22.5"}),
        ("changed", U, {"amount": "84000.00"}),
        ("changed", V, {"stage": "Qualification"}),
    ]
    assert len({o["id"] for o in found}) == 4


def test_a_history_from_the_creation_on() -> None:
    found = read(
        history(
            (U, T2, "Close Date", "2026-03-31", "2026-06-30"), (U, T1, "created", "", ""), (U, T1, "Stage", "A", "B")
        )
    )
    assert [(o["kind"], o["occurred_at"][:10], o["values"]) for o in found] == [
        ("created", "2026-01-05", {"stage": "A", "close_date": "2026-03-31"}),
        ("changed", "2026-01-05", {"stage": "B"}),
        ("changed", "2026-02-05", {"close_date": "2026-06-30"}),
    ]


def test_an_owner_is_taken_by_id_though_the_name_is_given_too() -> None:
    found = read(history((U, T1, "Owner", "Ann Smith", "Bo Li"), (U, T1, "Owner", U, V)))
    assert [o["values"] for o in found] == [{"owner_id": U}, {"owner_id": V}]
    only_names = read(history((U, T1, "Owner", "Ann Smith", "Bo Li")))
    assert [o["values"] for o in only_names] == [{"owner_id": "Ann Smith"}, {"owner_id": "Bo Li"}]


def test_a_value_taken_away() -> None:
    assert read(history((U, T1, "Next Step", "call", "")))[-1]["values"] == {"next_step": None}


def test_fields_that_are_not_mapped_and_repeats_are_counted() -> None:
    text = history((U, T1, "Description", "", "x"), (U, T1, "Amount", "1", "2"))
    found = read(text + text.splitlines()[-1] + "\n")
    assert [o for o in found if isinstance(o, Ignored)] == [Ignored("field_not_mapped"), Ignored("repeated_row")]
    assert sum(isinstance(o, dict) for o in found) == 2


def test_a_deleted_deal() -> None:
    found = read(history((U, T1, "Amount", "1", "2")).replace(",false,", ",true,"))
    assert [o["kind"] for o in found] == ["snapshot", "changed", "deleted"]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ((U, "then", "Amount", "1", "2"), "f.csv:2:CreatedDate: 'then' is not a date"),
        ((U, T1, "Amount", "1", "two"), "f.csv:2:NewValue: 'two' is not a number"),
        ((U, T1, "CloseDate", "31/12/26", "2026-12-31"), "f.csv:2:OldValue: '31/12/26' has no month 31"),
    ],
)
def test_bad_rows(row: tuple[str, str, str, str, str], says: str) -> None:
    (rejected,) = read(history(row))
    assert isinstance(rejected, Rejected)
    assert str(rejected).startswith(says)


def test_the_other_history() -> None:
    with pytest.raises(NotATable, match="this looks like salesforce-history"):
        read("Id,OpportunityId,CreatedDate,StageName\n")
