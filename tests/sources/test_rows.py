"""Rows of a table of deals as Debezium, Airbyte and Fivetran send them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from wellwon.core import wire
from wellwon.policy.model import FIELDS, Writers
from wellwon.sources.change import Ignored, Outcome, Rejected
from wellwon.sources.debezium import UNAVAILABLE, Debezium
from wellwon.sources.mapping import SourceView
from wellwon.sources.rows import Rows
from wellwon.sources.warehouse import Airbyte, Fivetran

AT = 1_792_000_000_000  # 2026-10-14T17:46:40Z
VIEW = SourceView(
    fields={**FIELDS, "expected_close": "close_date", "Discount__c": "discount_percent"},
    writers=Writers(kinds={"etl": "integration"}),
    zone="America/New_York",
)


def read(make: Callable[[SourceView], Rows], record: dict[str, Any]) -> Outcome:
    (outcome,) = make(VIEW).read(orjson.dumps(record))
    if isinstance(outcome, dict):
        wire.decode(orjson.dumps(outcome))
    return outcome


def change(make: Callable[[SourceView], Rows], record: dict[str, Any]) -> dict[str, Any]:
    outcome = read(make, record)
    assert isinstance(outcome, dict), outcome
    return outcome


def refused(make: Callable[[SourceView], Rows], record: dict[str, Any]) -> str:
    outcome = read(make, record)
    assert isinstance(outcome, Rejected), outcome
    return f"{outcome.reason}: {outcome.detail}"


# --- Debezium -------------------------------------------------------------------------------------------------------

WAS = {"id": 17, "stage": "Demo", "amount": "100.00", "expected_close": 20_740, "note": "a"}


def captured(op: str, before: dict[str, Any] | None, after: dict[str, Any] | None, **fields: Any) -> dict[str, Any]:
    source = {"version": "3.0.0", "connector": "postgresql", "ts_ms": AT, "db": "crm", "table": "deals", "lsn": 1}
    return {"before": before, "after": after, "source": source, "op": op, "ts_ms": AT + 900, **fields}


def test_an_update_without_the_row_before() -> None:
    assert change(Debezium, captured("u", None, {**WAS, "stage": "Offer"})) == {
        "schema": "opportunity-change.v1",
        "id": change(Debezium, captured("u", None, {**WAS, "stage": "Offer"}))["id"],
        "opportunity_id": "17",
        "source": "debezium",
        "occurred_at": "2026-10-14T17:46:40Z",
        "kind": "changed",
        "writer": {"id": "", "kind": "user"},
        "transaction": f"debezium:17:{AT}",
        "bulk": 1,
        "values": {"stage": "Offer", "amount": "100.00", "close_date": "2026-10-14"},
    }


def test_an_update_with_the_row_before_tells_what_changed() -> None:
    assert change(Debezium, captured("u", WAS, {**WAS, "stage": "Offer"}))["values"] == {"stage": "Offer"}
    assert change(Debezium, captured("u", WAS, {**WAS, "amount": None}))["values"] == {"amount": None}
    assert read(Debezium, captured("u", WAS, {**WAS, "note": "b"})) == Ignored("no_mapped_field")
    assert read(Debezium, captured("u", WAS, {**WAS, "wellwon_flags__c": "x"})) == Ignored("no_mapped_field")
    # Only the key is there before, unless the table's replica identity is full.
    only_key = {"id": 17, "stage": None, "amount": None, "expected_close": None}
    assert len(change(Debezium, captured("u", only_key, WAS))["values"]) == 3


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (captured("c", None, WAS), "created"),
        (captured("r", None, WAS), "snapshot"),
        (captured("d", {"id": 17}, None), "deleted"),
        ({"schema": {"type": "struct"}, "payload": captured("c", None, WAS)}, "created"),
        ({**WAS, "__op": "c", "__source_ts_ms": AT}, "created"),
        ({**WAS, "__op": "u", "__source_ts_ms": AT}, "changed"),
        ({"id": 17, "__op": "d", "__deleted": "true", "__source_ts_ms": AT}, "deleted"),
    ],
)
def test_what_happened(record: dict[str, Any], kind: str) -> None:
    found = change(Debezium, record)
    assert (found["kind"], found["opportunity_id"], found["occurred_at"]) == (kind, "17", "2026-10-14T17:46:40Z")


def test_no_rows() -> None:
    assert read(Debezium, captured("t", None, None)) == Ignored("truncate")
    assert read(Debezium, captured("m", None, None)) == Ignored("message")
    assert read(Debezium, captured("c", None, {"id": 1, "name": "An account"})) == Ignored("no_mapped_field")


def test_a_long_value_that_was_not_written_again_is_as_it_was() -> None:
    row = {**WAS, "hs_next_step": UNAVAILABLE}
    assert "next_step" not in change(Debezium, captured("u", None, row))["values"]


@pytest.mark.parametrize(("text", "amount"), [("BNI=", "12.34"), ("/w==", "-0.01"), ("AYag", "1000.00")])
def test_exact_numbers_as_bytes_need_the_schema(text: str, amount: str) -> None:
    column = {"field": "amount", "name": "org.apache.kafka.connect.data.Decimal", "parameters": {"scale": "2"}}
    schema = {"fields": [{"field": "after", "fields": [column]}]}
    payload = captured("c", None, {**WAS, "amount": text})
    assert change(Debezium, {"schema": schema, "payload": payload})["values"]["amount"] == amount
    assert "decimal.handling.mode" in refused(Debezium, {"payload": payload})


def test_times_in_every_unit_that_databases_have() -> None:
    for value in (AT, AT * 1_000, AT * 1_000_000, AT // 1_000, "2026-10-14T17:46:40Z", "2026-10-14 17:46:40+00"):
        row = {**WAS, "CreatedDate": value}
        assert change(Debezium, captured("c", None, row))["values"]["created_at"] == "2026-10-14T17:46:40Z", value


# --- Airbyte --------------------------------------------------------------------------------------------------------

SALESFORCE = {
    "Id": "006SM0000001Tb3YAE",
    "StageName": "Prospecting",
    "CloseDate": "2026-12-31",
    "Amount": 40000.5,
    "CreatedDate": "2026-10-01T00:00:00.000Z",
    "SystemModstamp": "2026-10-14T17:46:40.000+0000",
    "LastModifiedById": "005Wx000000UserEAA",
    "IsDeleted": False,
}
HUBSPOT = {
    "id": "332507367156",
    "updatedAt": "2026-10-14T17:46:40Z",
    "archived": False,
    "properties": {"dealstage": "closedwon", "closedate": "2027-01-01T03:00:00Z", "hs_lastmodifieddate": None},
}


@pytest.mark.parametrize(
    "record",
    [
        {"_airbyte_raw_id": "x", "_airbyte_extracted_at": AT + 9, "_airbyte_meta": {}, "_airbyte_data": SALESFORCE},
        {
            "_airbyte_ab_id": "x",
            "_airbyte_stream": "Opportunity",
            "_airbyte_emitted_at": AT,
            "_airbyte_data": SALESFORCE,
        },
        {"_airbyte_extracted_at": "2026-10-14 17:50:00+00", "_airbyte_data": orjson.dumps(SALESFORCE).decode()},
        {"_airbyte_extracted_at": AT, "_airbyte_generation_id": 0, **SALESFORCE},
    ],
    ids=["raw", "kafka", "text", "flat"],
)
def test_a_row_of_salesforce_in_every_form(record: dict[str, Any]) -> None:
    found = change(Airbyte, record)
    assert (found["opportunity_id"], found["kind"]) == ("006SM0000001Tb3YAE", "changed")
    assert (found["occurred_at"], found["writer"]["id"]) == ("2026-10-14T17:46:40Z", "005Wx000000UserEAA")
    told = {"stage": "Prospecting", "close_date": "2026-12-31", "amount": "40000.50"}
    assert found["values"] == {**told, "created_at": "2026-10-01T00:00:00Z"}


def test_a_row_of_hubspot() -> None:
    found = change(Airbyte, {"_airbyte_extracted_at": AT, "_airbyte_data": HUBSPOT})
    # Three in the morning in London is still the last day of the year in New York.
    assert found["values"] == {"stage": "closedwon", "close_date": "2026-12-31"}


def test_what_a_row_tells_of_itself() -> None:
    def kind(**fields: Any) -> str:
        record = {"_airbyte_extracted_at": AT + 60_000, "_airbyte_data": {**SALESFORCE, **fields}}
        return str(change(Airbyte, record)["kind"])

    assert kind() == "changed"
    assert kind(CreatedDate="2026-10-14T17:46:10Z") == "created"
    assert kind(IsDeleted=True) == kind(_ab_cdc_deleted_at="2026-10-14") == "deleted"
    # Sent two days after it was changed: a first or a full sync, which is no behaviour.
    assert kind(SystemModstamp="2026-10-12T17:00:00Z") == "snapshot"


def test_a_row_that_is_sent_again_is_a_repeat_and_another_is_not() -> None:
    def identity(seen: int, **fields: Any) -> str:
        return str(change(Airbyte, {"_airbyte_extracted_at": seen, "_airbyte_data": {**SALESFORCE, **fields}})["id"])

    assert identity(AT) == identity(AT + 3_600_000)
    assert identity(AT) != identity(AT, Amount=1)


# --- Fivetran -------------------------------------------------------------------------------------------------------

VERSION = {
    "id": "006SM0000001Tb3YAE",
    "stage_name": "Prospecting",
    "close_date": "2026-12-31T00:00:00Z",
    "discount_c": 12.5,
    "last_modified_by_id": "etl",
    "_fivetran_active": True,
    "_fivetran_start": "2026-10-14T17:46:40Z",
    "_fivetran_end": "9999-12-31T23:59:59.999Z",
    "_fivetran_synced": "2026-10-14T18:00:00Z",
}


def test_a_version_of_a_row() -> None:
    found = change(Fivetran, VERSION)
    assert found["values"] == {"stage": "Prospecting", "close_date": "2026-12-31", "discount_percent": "12.5"}
    assert (found["occurred_at"], found["writer"]) == ("2026-10-14T17:46:40Z", {"id": "etl", "kind": "integration"})
    assert read(Fivetran, {**VERSION, "_fivetran_active": False}) == Ignored("ended_version")


def test_a_row_without_history() -> None:
    row = {name: value for name, value in VERSION.items() if name not in ("_fivetran_start", "_fivetran_active")}
    assert change(Fivetran, row)["occurred_at"] == "2026-10-14T18:00:00Z"
    assert change(Fivetran, {**row, "system_modstamp": "2026-10-14 17:00:00"})["occurred_at"] == "2026-10-14T17:00:00Z"
    assert change(Fivetran, {**row, "_fivetran_deleted": True})["kind"] == "deleted"
    hubspot = {
        "deal_id": 7,
        "property_dealstage": "x",
        "property_amount": 5,
        "_fivetran_synced": "2026-10-14T18:00:00Z",
    }
    assert change(Fivetran, hubspot)["values"] == {"stage": "x", "amount": "5.00"}


# --- what cannot be used says why -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "record", "said"),
    [
        (Debezium, {"id": 1}, "is this a Debezium event"),
        (Debezium, {"op": "x"}, "'x' is not one"),
        (Debezium, {"op": "c", "after": WAS}, "source.ts_ms is missing"),
        (Debezium, captured("c", None, None), "without the row"),
        (Debezium, captured("c", None, {**WAS, "id": None}), "no column holds the deal's id"),
        (Debezium, captured("c", None, {**WAS, "id": "a\nb"}), "is not the id of a deal"),
        (Debezium, captured("c", None, {**WAS, "expected_close": "soon"}), "expected_close"),
        (Airbyte, SALESFORCE, "is this from Airbyte"),
        (Airbyte, {"_airbyte_extracted_at": AT, "_airbyte_data": "{"}, "_airbyte_data is not JSON"),
        (Airbyte, {"_airbyte_extracted_at": "later", "_airbyte_data": SALESFORCE}, "_airbyte_extracted_at"),
        (Fivetran, {"id": 1}, "is this from Fivetran"),
    ],
)
def test_refused(make: Callable[[SourceView], Rows], record: dict[str, Any], said: str) -> None:
    assert said in refused(make, record)
