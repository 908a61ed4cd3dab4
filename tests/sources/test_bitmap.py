"""changedFields as Pub/Sub writes it: right where the fields' order is known, refused where it is guessed wrong."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from wellwon.sources.bitmap import HEADER, OPPORTUNITY_ORDER, changed_names, order_beside
from wellwon.sources.change import Unreadable

# CloseDate is field 10, LastModifiedDate 24, LastCloseDateChangedHistoryId 30.
DATE_MOVED = "0x41000400"
AVRO = {"type": "record", "name": "OpportunityChangeEvent", "fields": [{"name": n} for n in OPPORTUNITY_ORDER]}


def whole(**values: Any) -> dict[str, Any]:
    """A decoded event with every documented field, in order."""
    return {name: {} if name == HEADER else values.get(name) for name in OPPORTUNITY_ORDER}


MOVED = {"CloseDate": 1_653_955_200_000, "LastModifiedDate": 1_652_977_933_000, "LastCloseDateChangedHistoryId": "008x"}
NAMES = set(MOVED)


def test_with_the_events_own_schema() -> None:
    assert changed_names("Opportunity", [DATE_MOVED], [], {}, OPPORTUNITY_ORDER) == (NAMES, set())
    assert changed_names("Opportunity", ["0x1000440"], ["0x40"], {}, OPPORTUNITY_ORDER) == (
        {"Amount", "CloseDate", "LastModifiedDate"},
        {"Amount"},
    )


def test_children_count_as_their_parent() -> None:
    order = (HEADER, "Name", "LastModifiedDate", "Region__c", "BillingAddress")
    assert changed_names("Account", ["0x4", "4-0x01", "4-0x08"], [], {}, order)[0] == {
        "LastModifiedDate",
        "BillingAddress",
    }
    assert changed_names("Account", ["Name.FirstName", "LastModifiedDate"], [], {}, None)[0] == {
        "Name",
        "LastModifiedDate",
    }


def test_the_records_own_order_where_it_is_whole() -> None:
    assert changed_names("Opportunity", [DATE_MOVED], [], whole(**MOVED), None) == (NAMES, set())
    custom = {**whole(**MOVED), "Discount__c": 12.5}
    assert changed_names("Opportunity", ["0xC1000400"], [], custom, None)[0] == NAMES | {"Discount__c"}
    # An enrichment field has a value without having changed.
    assert changed_names("Opportunity", [DATE_MOVED], [], whole(**MOVED, StageName="Prospecting"), None)[0] == NAMES


def test_the_documented_order_where_nulls_were_dropped() -> None:
    assert changed_names("Opportunity", [DATE_MOVED], [], {**MOVED, HEADER: {}}, None)[0] == NAMES
    by_name = dict(sorted(whole(**MOVED).items()))
    assert changed_names("Opportunity", [DATE_MOVED], [], by_name, None)[0] == NAMES


@pytest.mark.parametrize(
    "body",
    [
        # keys sorted by name, and a field of the organisation's own among the bits: the documented order ends before it
        {HEADER: {}, **dict(sorted({**whole(**MOVED), "Discount__c": 5}.items()))},
        {**whole(**MOVED), "CloseDate": None},  # what is said to have changed is not there
        {**MOVED, HEADER: {}, "StageName": "Prospecting"},  # shortened, and more filled than changed
        {HEADER: {}},
        {},
    ],
)
def test_an_order_that_cannot_be_right_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="field names as") as refusal:
        changed_names("Opportunity", [DATE_MOVED], [], body, None)
    assert refusal.value.reason == "unknown_field_order"


def test_line_items_have_no_documented_order() -> None:
    with pytest.raises(Unreadable):
        changed_names("OpportunityLineItem", ["0x5"], [], {"Quantity": 1, "LastModifiedDate": 1}, None)
    body = {HEADER: {}, "OpportunityId": None, "Quantity": 3, "UnitPrice": None, "LastModifiedDate": 1}
    assert changed_names("OpportunityLineItem", ["0x14"], [], body, None)[0] == {"Quantity", "LastModifiedDate"}


def test_a_bitmap_longer_than_the_schema_is_refused() -> None:
    with pytest.raises(Unreadable, match="schema"):
        changed_names("Opportunity", ["0x80000000"], [], {}, OPPORTUNITY_ORDER)


@pytest.mark.parametrize(
    ("wrapper", "found"),
    [
        ({"fields": list(OPPORTUNITY_ORDER)}, True),
        ({"schema": AVRO}, True),
        ({"schema": orjson.dumps(AVRO).decode()}, True),
        ({"schema": "dnOl0-Wv6Qe-yuiDeBBJbA"}, False),  # CometD: the schema's id
        ({"schema": "{broken"}, False),
        ({"schema": {"type": "struct", "fields": [{"field": "ReplayId"}]}}, False),  # Kafka Connect
        ({"fields": ["Id", "Name"]}, False),
        ({"fields": [HEADER, 3]}, False),
        ("text", False),
    ],
)
def test_the_order_beside_an_event(wrapper: Any, found: bool) -> None:
    assert order_beside({}, wrapper) == (OPPORTUNITY_ORDER if found else None)
