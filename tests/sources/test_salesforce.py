"""Change Data Capture events, in every wrapper and form in which they reach a Kafka topic."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from wellwon.core import wire
from wellwon.policy.model import FIELDS, Writers
from wellwon.sources.change import Ignored, Outcome, Rejected, Reread
from wellwon.sources.mapping import SourceView
from wellwon.sources.salesforce import SalesforceCdc

DEAL = "006SM0000001Tb3YAE"
OTHER = "006Wx000002BbcDEAA"
THIRD = "006Wx000003CbcDEAA"
USER = "005Wx000000UserEAA"
LINE = "00kWx000000LineEAA"
AT = 1_792_000_000_000  # 2026-10-14T17:46:40Z

VIEW = SourceView(
    fields={**FIELDS, "Discount__c": "discount_percent", "Region__c": "labels.region", "Term__c": "term_months"},
    writers=Writers(kinds={"005Wx000000RobotEA": "integration"}, clients=frozenset({"wellwon"})),
)


def header(change: str = "UPDATE", **fields: Any) -> dict[str, Any]:
    base: dict[str, Any] = {
        "entityName": "Opportunity",
        "recordIds": [DEAL],
        "changeType": change,
        "changeOrigin": "",
        "transactionKey": "0000046e-3d4f-aaaa",
        "sequenceNumber": 1,
        "commitTimestamp": AT,
        "commitNumber": 1_652_977_933_433_528_300,
        "commitUser": USER,
    }
    return base | fields


def event(body: dict[str, Any], change: str = "UPDATE", **fields: Any) -> dict[str, Any]:
    """A change event; an update names its fields unless told otherwise."""
    if change == "UPDATE" and "changedFields" not in fields:
        fields["changedFields"] = list(body)
    return {"ChangeEventHeader": header(change, **fields), **body}


def read(value: Any, mapper: SalesforceCdc | None = None) -> list[Outcome]:
    outcomes = list((mapper or SalesforceCdc(VIEW)).read(orjson.dumps(value)))
    for outcome in outcomes:
        if isinstance(outcome, dict):
            wire.decode(orjson.dumps(outcome))  # what a mapper yields, detect can read
    return outcomes


def one(value: Any, mapper: SalesforceCdc | None = None) -> dict[str, Any]:
    (change,) = read(value, mapper)
    assert isinstance(change, dict), change
    return change


def refused(value: Any, mapper: SalesforceCdc | None = None) -> Rejected:
    (outcome,) = read(value, mapper)
    assert isinstance(outcome, Rejected), outcome
    assert outcome.original == orjson.dumps(value)
    return outcome


CHANGE = event(
    {"CloseDate": "2026-12-31", "StageName": "Negotiation/Review", "LastModifiedDate": "2026-10-14T17:46:40Z"}
)


@pytest.mark.parametrize(
    "value",
    [
        CHANGE,
        {"payload": CHANGE, "id": "b7", "schemaId": "Xy", "replayId": 18_098_167},
        {
            "data": {"schema": "Xy", "payload": CHANGE, "event": {"replayId": 7}},
            "channel": "/data/OpportunityChangeEvent",
        },
        {"schema": {"type": "struct", "fields": [{"field": "ReplayId"}]}, "payload": CHANGE},
        {"schema": "s", "payload": {"schema": "t", "payload": CHANGE}},
        {"ReplayId": "1", **CHANGE},
    ],
    ids=["value", "pubsub", "cometd", "connect", "nested", "connect-flat"],
)
def test_a_change_in_every_wrapper(value: dict[str, Any]) -> None:
    assert one(value) == {
        "schema": "opportunity-change.v1",
        "id": f"sf:0000046e-3d4f-aaaa:1:{DEAL}",
        "opportunity_id": DEAL,
        "source": "salesforce",
        "occurred_at": "2026-10-14T17:46:40Z",
        "kind": "changed",
        "writer": {"id": USER, "kind": "user"},
        "transaction": "0000046e-3d4f-aaaa",
        "bulk": 1,
        "values": {"close_date": "2026-12-31", "stage": "Negotiation/Review"},
    }


def test_creation_takes_what_is_filled() -> None:
    body = {
        "Name": "Acme - 400 Widgets", "StageName": "Prospecting", "Amount": 40000, "CloseDate": 1_653_955_200_000,
        "ForecastCategoryName": "Pipeline", "NextStep": None, "IsClosed": False, "IsWon": False, "Description": None,
        "CreatedDate": 1_652_977_933_000, "OwnerId": USER, "CurrencyIsoCode": "EUR", "Discount__c": 12.5,
        "Region__c": "EMEA", "Term__c": 24.0,
    }  # fmt: skip
    change = one(event(body, "CREATE", changedFields=[], nulledFields=[], diffFields=[]))
    assert change["kind"] == "created"
    assert change["values"] == {
        "name": "Acme - 400 Widgets",
        "stage": "Prospecting",
        "amount": "40000.00",
        "close_date": "2022-05-31",
        "forecast_category": "Pipeline",
        "is_closed": False,
        "is_won": False,
        "created_at": "2022-05-19T16:32:13Z",
        "owner_id": USER,
        "currency": "EUR",
        "discount_percent": "12.5",
        "labels.region": "EMEA",
        "term_months": "24",
        "next_step": None,
    }


def test_a_creation_tells_that_it_has_no_amount() -> None:
    """CometD leaves out what is empty; where the field is not read at all, nothing is known of it."""
    created = event({"StageName": "Prospecting"}, "CREATE", changedFields=[])
    assert one(created)["values"] == {"stage": "Prospecting", "amount": None, "next_step": None}


def test_a_merged_event_is_a_change_for_each_record() -> None:
    changes = read(event({"CloseDate": "2026-12-31"}, recordIds=[DEAL, OTHER, THIRD]))
    assert [c["opportunity_id"] for c in changes if isinstance(c, dict)] == [DEAL, OTHER, THIRD]
    assert {c["bulk"] for c in changes if isinstance(c, dict)} == {3}
    assert len({c["id"] for c in changes if isinstance(c, dict)}) == 3


def test_an_id_of_15_characters_is_the_same_deal() -> None:
    assert one(event({"CloseDate": "2026-12-31"}, recordIds=[DEAL[:15]]))["opportunity_id"] == DEAL


def test_pubsub_tells_emptied_from_untouched() -> None:
    body = {"CloseDate": None, "StageName": None, "Amount": None, "NextStep": None}
    change = one(
        event(body, changedFields=["Amount", "NextStep", "LastModifiedDate"], nulledFields=["NextStep"]) | {"Amount": 7}
    )
    assert change["values"] == {"amount": "7.00", "next_step": None}


def test_enrichment_is_no_change() -> None:
    body = {"CloseDate": "2026-12-31", "OwnerId": USER, "StageName": "Prospecting", "Amount": 5}
    assert one(event(body, changedFields=["CloseDate", "LastModifiedDate"]))["values"] == {"close_date": "2026-12-31"}


def test_cometd_without_changed_fields_tells_itself() -> None:
    assert one(event({"Amount": None, "LastModifiedDate": "2026-10-14T17:46:40.000Z"}, changedFields=[]))["values"] == {
        "amount": None
    }


def test_pubsub_without_changed_fields_cannot_be_known() -> None:
    assert refused(event({"Amount": 5}, changedFields=[], nulledFields=[])).reason == "unknown_changed_fields"


def test_a_change_of_other_fields_is_ignored() -> None:
    assert read(event({"Description": "x", "LastModifiedDate": "2026-10-14T17:46:40Z"})) == [Ignored("no_mapped_field")]


@pytest.mark.parametrize(
    ("change", "kind"), [("DELETE", "deleted"), ("UNDELETE", "restored"), ("SNAPSHOT", "snapshot")]
)
def test_other_kinds(change: str, kind: str) -> None:
    found = one(event({} if change == "DELETE" else {"StageName": "Prospecting", "Amount": None}, change))
    assert found["kind"] == kind
    assert (
        found["values"]
        == {
            "DELETE": {},
            "UNDELETE": {"stage": "Prospecting"},
            "SNAPSHOT": {"stage": "Prospecting", "amount": None},
        }[change]
    )


def test_a_gap_marks_the_deal_and_invents_nothing() -> None:
    found = one(event({"Amount": None, "CloseDate": None}, "GAP_UPDATE", changedFields=[]))
    assert (found["kind"], found["values"], found["opportunity_id"]) == ("gap", {}, DEAL)


@pytest.mark.parametrize(
    ("change", "ids", "why", "since"),
    [
        ("GAP_OVERFLOW", ["000000000000000AAA"], "overflow", {"since": "2026-10-14T16:46:40Z"}),
        ("GAP_UPDATE", ["006*"], "wildcard", {}),
    ],
)
def test_losses_of_unnamed_deals_ask_for_a_full_reread(
    change: str, ids: list[str], why: str, since: dict[str, str]
) -> None:
    (found,) = read(event({}, change, recordIds=ids))
    assert isinstance(found, Reread)
    assert found.event() == {
        "schema": "reread.v1",
        "entity": "Opportunity",
        "source": "salesforce",
        "reason": why,
        "at": "2026-10-14T17:46:40Z",
        **since,
    }


def test_writers() -> None:
    body = {"CloseDate": "2026-12-31"}
    assert one(event(body, commitUser="005Wx000000RobotEA"[:18]))["writer"]["kind"] == "integration"
    origin = "com/salesforce/api/soap/55.0;client=SfdcInternalAPI/"
    assert one(event(body, changeOrigin=origin))["writer"]["kind"] == "user"
    assert read(event(body, changeOrigin="com/salesforce/api/rest/66.0;client=wellwon")) == [Ignored("own_echo")]


def test_a_save_of_our_fields_alone_is_our_echo_whoever_made_it() -> None:
    view = SourceView(fields={**VIEW.fields, "Wellwon_Severity__c": "labels.severity"})
    ours = {"Wellwon_Flags__c": "late-discount", "Wellwon_Severity__c": None, "LastModifiedDate": AT}
    assert read(event(ours), SalesforceCdc(view)) == [Ignored("own_echo")]
    with_a_date = one(event(ours | {"CloseDate": "2026-12-31"}), SalesforceCdc(view))
    assert with_a_date["values"] == {"close_date": "2026-12-31"}
    assert read(event({"LastModifiedDate": AT})) == [Ignored("no_mapped_field")]


def test_our_client_is_known_without_a_policy() -> None:
    body = {"StageName": "A", "LastModifiedDate": AT}
    echo = event(body, changeOrigin="com/salesforce/api/rest/66.0;client=wellwon")
    assert read(echo, SalesforceCdc(SourceView())) == [Ignored("own_echo")]


def test_other_entities_are_ignored() -> None:
    assert read(event({"Subject": "Call"}, entityName="Case")) == [Ignored("other_entity")]


@pytest.mark.parametrize("diff", ["--- \n+++ 9f86d081\n@@ -1 +1 @@", {"diff": "--- \n+++ 9f86d081\n@@ -1 +1 @@"}])
def test_a_diff_of_a_long_text_tells_that_it_changed(diff: Any) -> None:
    change = one(event({"NextStep": diff, "Region__c": diff, "Amount": 1}, diffFields=["NextStep"]))
    assert change["values"] == {"next_step": "sha256:9f86d081", "amount": "1.00"}


def test_avro_unions() -> None:
    body = {
        "Amount": {"double": 1200.5},
        "CloseDate": {"long": 1_653_955_200_000},
        "StageName": {"string": "Prospecting"},
    }
    assert one(event(body))["values"] == {"amount": "1200.50", "close_date": "2022-05-31", "stage": "Prospecting"}


def test_epoch_days_of_a_connector() -> None:
    assert one(event({"CloseDate": 20_453}))["values"] == {"close_date": "2025-12-31"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "no_change_event_header"),
        ({"payload": {}}, "no_change_event_header"),
        (event({"Amount": 1}, recordIds=[]), "bad_header"),
        (event({"Amount": 1}, recordIds="006"), "bad_header"),
        (event({"Amount": 1}, recordIds=["x"]), "bad_record_id"),
        (event({"Amount": 1}, entityName=None), "bad_header"),
        (event({"Amount": 1}, transactionKey=""), "bad_header"),
        (event({"Amount": 1}, sequenceNumber="1"), "bad_header"),
        (event({"Amount": 1}, commitTimestamp=None), "bad_header"),
        (event({"Amount": 1}, commitTimestamp=1e300), "bad_header"),
        (event({"Amount": 1}, changedFields="Amount"), "bad_header"),
        (event({"Amount": 1}, "UPSERT"), "unknown_change_type"),
        (event({"Amount": "lots"}), "bad_value"),
        (event({"Amount": [1]}), "bad_value"),
        (event({"CloseDate": "2926-12-31"}), "bad_value"),
        (event({"CloseDate": "31.12.2026"}), "bad_value"),
        (event({"CloseDate": True}), "bad_value"),
        (event({"Discount__c": 140}), "bad_value"),
        (event({}, changedFields=["CloseDate"]), "missing_field"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_reason(value: Any, reason: str) -> None:
    assert refused(value).reason == reason


def test_not_json() -> None:
    (outcome,) = SalesforceCdc(VIEW).read(b"\xff{")
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.original) == ("not_json", b"\xff{")


# --- line items --------------------------------------------------------------------------------------------------


def line(body: dict[str, Any], change: str = "UPDATE", **fields: Any) -> dict[str, Any]:
    return event(body, change, entityName="OpportunityLineItem", recordIds=[LINE], **fields)


CREATED = {
    "OpportunityId": DEAL,
    "Quantity": 10.0,
    "UnitPrice": 850,
    "ListPrice": 1000,
    "Discount": None,
    "TotalPrice": 8500,
}


def test_a_line_item() -> None:
    found = one(line(CREATED, "CREATE"))
    assert (found["kind"], found["opportunity_id"], found["line_item_id"]) == ("line_item", DEAL, LINE)
    assert found["values"] == {"quantity": "10", "unit_price": "850.00", "list_price": "1000.00"}


def test_an_update_of_a_known_line_finds_its_deal() -> None:
    mapper = SalesforceCdc(VIEW)
    read(line(CREATED, "CREATE"), mapper)
    assert one(line({"UnitPrice": 700}), mapper)["values"] == {"unit_price": "700.00"}
    # The line's own discount comes off the price: 700 less 10 %.
    found = one(line({"Discount": 10, "TotalPrice": 6300}), mapper)
    assert (found["opportunity_id"], found["values"]) == (DEAL, {"unit_price": "630.00"})
    assert one(line({}, "DELETE"), mapper)["values"] == {"removed": True}
    assert refused(line({"UnitPrice": 1}), mapper).reason == "unknown_line_item"


def test_enrichment_tells_the_deal_and_the_rest_of_the_price() -> None:
    enriched = {"OpportunityId": DEAL, "Quantity": 10, "UnitPrice": 850, "Discount": 20}
    assert one(line(enriched, changedFields=["Discount"]))["values"] == {"unit_price": "680.00"}
    assert one(line({"OpportunityId": DEAL}, "DELETE"))["opportunity_id"] == DEAL


def test_the_price_is_told_by_the_total_where_its_parts_are_not_known() -> None:
    body = {"OpportunityId": DEAL, "Quantity": 4, "Discount": 25, "TotalPrice": 300}
    assert one(line(body, changedFields=["Discount", "TotalPrice"]))["values"] == {"unit_price": "75.00"}


def test_an_unknown_line_asks_for_enrichment() -> None:
    refusal = refused(line({"UnitPrice": 1}))
    assert refusal.reason == "unknown_line_item"
    assert "enrichment" in refusal.detail


def test_a_gap_of_a_line_marks_its_deal() -> None:
    mapper = SalesforceCdc(VIEW)
    read(line(CREATED, "CREATE"), mapper)
    found = one(line({}, "GAP_UPDATE"), mapper)
    assert (found["kind"], found["opportunity_id"], "line_item_id" in found) == ("gap", DEAL, False)


def test_a_line_change_of_nothing_mapped_is_ignored() -> None:
    assert read(line({"OpportunityId": DEAL, "ServiceDate": "2026-01-01"})) == [Ignored("no_mapped_field")]


def test_an_empty_text_is_no_number() -> None:
    assert one(line(CREATED | {"Quantity": "", "Discount": ""}, "CREATE"))["values"] == {
        "unit_price": "850.00",
        "list_price": "1000.00",
    }
