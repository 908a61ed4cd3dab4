"""Whatever comes in: mapped, refused with a reason, or ignored with a reason. Never an exception, never silence."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wellwon.core import wire
from wellwon.policy.model import FIELDS
from wellwon.sources.change import Ignored, Outcome, Rejected, Reread
from wellwon.sources.debezium import Debezium
from wellwon.sources.generic import read_change
from wellwon.sources.history import Options
from wellwon.sources.hubspot import HubSpotWebhooks
from wellwon.sources.kinds import KINDS, Kind
from wellwon.sources.mapping import SourceView
from wellwon.sources.normalise import Normaliser, Outgoing
from wellwon.sources.salesforce import SalesforceCdc
from wellwon.sources.table import NotATable, Piece
from wellwon.sources.warehouse import Airbyte, Fivetran
from wellwon.sources.whole import open_table, read_tables

VIEW = SourceView(fields={**FIELDS, "Discount__c": "discount_percent", "Region__c": "labels.region"})

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
)

ids = st.sampled_from(["006SM0000001Tb3YAE", "006SM0000001Tb3", "006*", "000000000000000AAA", "", "00k", "x" * 18])
names = st.sampled_from(
    ["CloseDate", "Amount", "StageName", "Discount__c", "LastModifiedDate", "0x41000400", "4-0x1", "0xzz", "IsWon"]
)


def sometimes_wrong(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what belongs there."""
    return st.integers(0, 9).flatmap(lambda n: anything if n == 0 else right)


headers = st.fixed_dictionaries(
    {},
    optional={
        "entityName": sometimes_wrong(st.sampled_from(["Opportunity", "OpportunityLineItem", "Task"])),
        "recordIds": sometimes_wrong(st.lists(ids, max_size=3)),
        "changeType": sometimes_wrong(
            st.sampled_from(
                ["CREATE", "UPDATE", "UPDATE", "DELETE", "UNDELETE", "SNAPSHOT", "GAP_UPDATE", "GAP_OVERFLOW"]
            )
        ),
        "changeOrigin": sometimes_wrong(st.just("com/salesforce/api/rest/66.0;client=x")),
        "transactionKey": sometimes_wrong(st.just("t")),
        "sequenceNumber": sometimes_wrong(st.integers(1, 9)),
        "commitTimestamp": sometimes_wrong(st.integers(1_500_000_000_000, 1_900_000_000_000)),
        "commitUser": sometimes_wrong(st.just("005SM0000001Tb3YAE")),
        "changedFields": sometimes_wrong(st.lists(names, max_size=4)),
        "nulledFields": sometimes_wrong(st.lists(names, max_size=2)),
    },
)
bodies = st.fixed_dictionaries(
    {"ChangeEventHeader": sometimes_wrong(headers)},
    optional={
        "CloseDate": sometimes_wrong(st.sampled_from(["2026-12-31", 1_653_955_200_000, "2926-01-01", None])),
        "Amount": sometimes_wrong(st.floats(allow_nan=False, allow_infinity=False) | st.just("12.5")),
        "StageName": sometimes_wrong(st.text(max_size=300)),
        "Discount__c": sometimes_wrong(st.integers(-5, 150)),
        "Region__c": anything,
        "NextStep": sometimes_wrong(st.just({"diff": "--- \n+++ ab\n@@"})),
        "LastModifiedDate": sometimes_wrong(st.just("2026-01-01T00:00:00Z")),
        "OpportunityId": sometimes_wrong(ids),
        "Quantity": anything,
        "UnitPrice": anything,
        "Discount": anything,
        "TotalPrice": anything,
        "IsWon": anything,
    },
)
wrapped = st.one_of(
    bodies,
    bodies.map(lambda b: {"payload": b, "schema": ["x"]}),
    bodies.map(lambda b: {"data": {"payload": b, "schema": "x"}}),
    bodies.map(lambda b: {"payload": {"payload": b}, "fields": ["ChangeEventHeader", "CloseDate"]}),
    anything,
)


def accounted_for(outcomes: list[Outcome]) -> None:
    assert outcomes, "something must become of every record"
    for outcome in outcomes:
        if isinstance(outcome, dict):
            wire.decode(orjson.dumps(outcome))
        elif isinstance(outcome, Rejected):
            assert outcome.reason.replace("_", "").isalpha()
            assert outcome.detail
        else:
            assert isinstance(outcome, Ignored | Reread)


@settings(max_examples=1_500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(wrapped)
def test_change_events(value: Any) -> None:
    accounted_for(list(SalesforceCdc(VIEW).read(orjson.dumps(value))))


columns = st.fixed_dictionaries(
    {},
    optional={
        "id": sometimes_wrong(st.just(7) | ids),
        "StageName": sometimes_wrong(st.text(max_size=9)),
        "close_date": sometimes_wrong(st.sampled_from(["2026-12-31", "2026-12-31T23:00:00Z", 20_818, None])),
        "amount": sometimes_wrong(st.sampled_from(["12.50", "BNI=", 3, 1.5])),
        "created_date": sometimes_wrong(st.sampled_from(["2026-01-01 00:00:00+00", 1_798_693_200_000_000, 0])),
        "system_modstamp": sometimes_wrong(st.just("2026-01-01T00:00:00.000+0000")),
        "is_deleted": leaves,
        "_fivetran_start": sometimes_wrong(st.just("2026-01-01T00:00:00Z")),
        "_fivetran_active": leaves,
        "_airbyte_extracted_at": sometimes_wrong(st.just(1_798_693_200_000)),
        "__op": sometimes_wrong(st.sampled_from(["c", "u"])),
        "__deleted": leaves,
        "__source_ts_ms": sometimes_wrong(st.just(1_798_693_200_000)),
    },
)
envelopes = columns | st.fixed_dictionaries(
    {},
    optional={
        "op": sometimes_wrong(st.sampled_from(["c", "u", "d", "r", "t", "m"])),
        "before": sometimes_wrong(columns),
        "after": sometimes_wrong(columns),
        "source": sometimes_wrong(st.just({"ts_ms": 1_798_693_200_000})),
        "_airbyte_data": sometimes_wrong(columns),
        "_airbyte_emitted_at": sometimes_wrong(st.just(1_798_693_200_000)),
        "_fivetran_synced": sometimes_wrong(st.just("2026-01-01 00:00:00")),
        "schema": anything,
    },
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(envelopes | anything)
def test_rows(value: Any) -> None:
    for mapper in (Debezium(VIEW), Airbyte(VIEW), Fivetran(VIEW)):
        accounted_for(list(mapper.read(orjson.dumps(value))))


webhooks = st.fixed_dictionaries(
    {},
    optional={
        "subscriptionType": sometimes_wrong(
            st.sampled_from(["deal.propertyChange", "deal.creation", "deal.merge", "object.deletion"])
        ),
        "objectTypeId": sometimes_wrong(st.just("0-3")),
        "objectId": sometimes_wrong(st.integers(1, 9)),
        "portalId": leaves,
        "occurredAt": sometimes_wrong(st.just(1_798_693_200_000)),
        "propertyName": sometimes_wrong(st.sampled_from(["amount", "closedate", "dealstage", "notes_last_contacted"])),
        "propertyValue": sometimes_wrong(st.sampled_from(["1", "2026-12-31", "1798693200000", "", None])),
        "mergedObjectIds": sometimes_wrong(st.just([2, 3])),
        "changeSource": leaves,
        "sourceId": leaves,
    },
)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(webhooks, min_size=1, max_size=2) | webhooks)
def test_webhooks(value: Any) -> None:
    accounted_for(list(HubSpotWebhooks(VIEW).read(orjson.dumps(value))))


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200))
def test_bytes(value: bytes) -> None:
    for kind in KINDS.values():
        if kind.records is not None and value != b"[]":
            accounted_for(list(kind.records(VIEW)(value)))


@settings(max_examples=500, deadline=None)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "schema": sometimes_wrong(st.just("opportunity-change.v1")),
            "kind": sometimes_wrong(
                st.sampled_from(["changed", "created", "line_item", "reclassified", "clock", "activity"])
            ),
            "id": sometimes_wrong(st.text(min_size=1, max_size=5)),
            "opportunity_id": sometimes_wrong(st.text(min_size=1, max_size=5)),
            "occurred_at": sometimes_wrong(st.just("2026-01-01T00:00:00Z")),
            "writer": sometimes_wrong(st.fixed_dictionaries({"id": leaves, "kind": sometimes_wrong(st.just("user"))})),
            "transaction": sometimes_wrong(st.text(max_size=3)),
            "bulk": sometimes_wrong(st.integers(0, 50)),
            "values": sometimes_wrong(st.dictionaries(st.text(max_size=5), leaves, max_size=3)),
            "line_item_id": leaves,
            "changes": anything,
        },
    )
)
def test_generic_changes_through_the_normaliser(value: Any) -> None:
    subject = Normaliser(VIEW, read_change)
    found = subject.feed(orjson.dumps(value), 0)
    assert found or subject.counts
    for out in found:
        assert isinstance(out, Rejected | Outgoing)
        assert not (isinstance(out, Rejected) and out.reason == "mapper_failed"), out


cells = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        [
            "",
            "d1",
            "2026-01-05 09:00:00",
            "02/24/26 02:20 AM",
            "31.12.2026",
            "1,234.50",
            "A",
            "true",
            "0",
            '"',
            "created",
            "StageName",
        ]
    ),
)
columns = st.lists(
    st.sampled_from(
        ["Id", "OpportunityId", "CreatedDate", "CreatedById", "StageName", "Amount", "CloseDate", "ForecastCategory",
         "PrevAmount", "PrevCloseDate", "FromOpportunityStageName", "IsDeleted", "SystemModstamp", "Field", "OldValue",
         "NewValue", "Description"]
    ),
    unique=True,
)  # fmt: skip


@st.composite
def csv_files(draw: st.DrawFn) -> bytes:
    wanted = draw(
        st.sampled_from(
            [[], ["OpportunityId", "CreatedDate", "StageName"], ["OpportunityId", "CreatedDate", "Field", "NewValue"]]
        )
    )
    header = list(dict.fromkeys(wanted + draw(columns)))
    mark = draw(st.sampled_from([",", ";", "\t"]))
    quote = draw(st.booleans())
    rows = draw(st.lists(st.lists(cells, max_size=len(header) + 1), max_size=6))
    written = ['"' + c.replace('"', '""') + '"' if quote else c for c in header]
    lines = [mark.join(written)]
    lines += [mark.join('"' + c.replace('"', '""') + '"' if quote else c for c in row) for row in rows]
    text = "\n".join(lines)
    return text.encode(draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])), "replace")


def read_all(kind: Kind, data: bytes) -> list[Outcome]:
    assert kind.tables is not None
    try:
        return list(read_tables(kind.tables, [open_table("f.csv", data)], VIEW, Options()))
    except NotATable as error:
        return [Rejected("not_a_table", str(error), data, "f.csv:")]


@settings(max_examples=800, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(csv_files(), st.binary(max_size=200)))
def test_tables(data: bytes) -> None:
    for kind in filter(lambda kind: kind.tables, KINDS.values()):
        outcomes = read_all(kind, data)
        if not outcomes:
            table = open_table("f.csv", data)
            assert not list(table.rows(Piece(len(data))))
            continue
        accounted_for(outcomes)
        for rejected in outcomes:
            assert not isinstance(rejected, Rejected) or rejected.where.startswith("f.csv:")
