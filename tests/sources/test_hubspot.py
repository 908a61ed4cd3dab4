"""HubSpot's webhook events: what each says of a deal, and whose requests are believed."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import hubspot
from wellwon.core import wire
from wellwon.policy.model import FIELDS, Writers
from wellwon.sources.change import Ignored, Outcome, Rejected, Reread
from wellwon.sources.hubspot import HubSpotWebhooks
from wellwon.sources.hubspot_signature import WINDOW_MS, Forged, Verifier
from wellwon.sources.mapping import SourceView
from wellwon.sources.normalise import Normaliser

AT = 1_792_000_000_000  # 2026-10-14T17:46:40Z
VIEW = SourceView(
    fields={**FIELDS, "hs_discount": "discount_percent"},
    writers=Writers(kinds={"77": "admin"}, clients=frozenset({"39522895"})),
    zone="America/New_York",
)


def read(*events: Any, view: SourceView = VIEW) -> list[Outcome]:
    outcomes = list(HubSpotWebhooks(view).read(orjson.dumps(list(events))))
    for outcome in outcomes:
        if isinstance(outcome, dict):
            wire.decode(orjson.dumps(outcome))  # what a mapper yields, detect can read
    return outcomes


def one(event: Any, view: SourceView = VIEW) -> dict[str, Any]:
    (outcome,) = read(event, view=view)
    assert isinstance(outcome, dict), outcome
    return outcome


def test_a_property() -> None:
    assert one(hubspot.changed("amount", "2000.5", at=AT)) == {
        "schema": "opportunity-change.v1",
        "id": f"hs:48975575:332507367156:amount:{AT}:2000.5",
        "opportunity_id": "332507367156",
        "source": "hubspot",
        "occurred_at": "2026-10-14T17:46:40Z",
        "kind": "changed",
        "writer": {"id": "864745280", "kind": "user"},
        "transaction": f"hs:48975575:332507367156:{AT}",
        "bulk": 1,
        "values": {"amount": "2000.50"},
    }


@pytest.mark.parametrize(
    ("name", "value", "values"),
    [
        ("dealname", "Acme", {"name": "Acme"}),
        ("dealstage", "decisionmakerboughtin", {"stage": "decisionmakerboughtin"}),
        ("dealstage", "closedwon", {"stage": "closedwon", "is_closed": True, "is_won": True}),
        ("dealstage", "closedlost", {"stage": "closedlost", "is_closed": True, "is_won": False}),
        ("amount", "", {"amount": None}),
        ("hs_discount", "12.5", {"discount_percent": "12.5"}),
        # Midnight on the 31st in New York is the 31st, though it is past it in London.
        ("closedate", "1798693200000", {"close_date": "2026-12-31"}),
        ("closedate", "2026-12-31T23:30:00Z", {"close_date": "2026-12-31"}),
        ("closedate", "2026-12-31", {"close_date": "2026-12-31"}),
        ("closedate", "", {"close_date": None}),
    ],
)
def test_values(name: str, value: str, values: dict[str, Any]) -> None:
    assert one(hubspot.changed(name, value, at=AT))["values"] == values


def test_the_newer_form_and_the_one_of_the_documentation() -> None:
    event = hubspot.changed("amount", "1", at=AT)
    generic = {**event, "subscriptionType": "object.propertyChange", "objectTypeId": "0-3"}
    documented = {("eventType" if name == "subscriptionType" else name): value for name, value in event.items()}
    assert one(generic) == one(documented) == one(event)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"changeSource": "CRM_UI", "sourceId": "userId:864745280"}, "user"),
        ({"changeSource": "CRM_UI", "sourceId": "userId:77"}, "admin"),
        ({"changeSource": "IMPORT", "sourceId": "123"}, "admin"),
        ({"changeSource": "CRM_UI_BULK_ACTION", "sourceId": "userId:864745280"}, "admin"),
        ({"changeSource": "INTEGRATION", "sourceId": "11111"}, "integration"),
        ({"changeSource": "AUTOMATION_PLATFORM", "sourceId": "flow"}, "integration"),
    ],
)
def test_who_wrote(fields: dict[str, str], kind: str) -> None:
    assert one(hubspot.changed("amount", "1", at=AT, **fields))["writer"]["kind"] == kind


def test_our_own_write_is_no_change() -> None:
    echo = hubspot.changed("amount", "1", at=AT, changeSource="INTEGRATION", sourceId="39522895")
    assert read(echo) == [Ignored("own_echo")]


def test_creation_deletion_and_restoring() -> None:
    kinds = {what: one(hubspot.event(f"deal.{what}", at=AT)) for what in ("creation", "deletion", "restore")}
    assert [change["kind"] for change in kinds.values()] == ["created", "deleted", "restored"]
    assert kinds["creation"]["values"] == {"created_at": "2026-10-14T17:46:40Z"}
    assert len({change["id"] for change in kinds.values()}) == 3


@pytest.mark.parametrize(
    ("about", "gone", "left"),
    [
        ({"primaryObjectId": 1, "mergedObjectIds": [2, 3]}, ["2", "3"], "1"),
        ({"primaryObjectId": 1, "mergedObjectIds": [1, 2], "newObjectId": 1}, ["2"], "1"),
    ],
)
def test_a_merge_ends_what_was_taken_in(about: dict[str, Any], gone: list[str], left: str) -> None:
    changes = [change for change in read(hubspot.event("deal.merge", at=AT, **about)) if isinstance(change, dict)]
    assert [(change["opportunity_id"], change["kind"]) for change in changes] == [
        *((deal, "deleted") for deal in gone),
        (left, "gap"),
    ]


def test_a_merge_into_a_new_deal_asks_for_its_history() -> None:
    about = {"primaryObjectId": 1, "mergedObjectIds": [2], "newObjectId": 9}
    merged, primary, history = read(hubspot.event("deal.merge", at=AT, **about))
    assert isinstance(merged, dict)
    assert isinstance(primary, dict)
    assert [(one["opportunity_id"], one["kind"]) for one in (merged, primary)] == [("2", "deleted"), ("1", "deleted")]
    assert isinstance(history, Reread)
    assert history.event() == {
        "schema": "reread.v1",
        "opportunity_id": "9",
        "source": "hubspot",
        "reason": "merged",
        "at": "2026-10-14T17:46:40Z",
    }
    ((out,),) = [Normaliser(VIEW, HubSpotWebhooks(VIEW).read).take(history)]
    assert (out.topic, out.key) == ("rereads", b"9")


@pytest.mark.parametrize(
    ("name", "direction"), [("notes_last_contacted", "outbound"), ("hs_sales_email_last_replied", "inbound")]
)
def test_touches(name: str, direction: str) -> None:
    touch = one(hubspot.changed(name, str(AT - 60_000), at=AT))
    assert (touch["kind"], touch["direction"], touch["occurred_at"]) == ("activity", direction, "2026-10-14T17:45:40Z")
    assert one(hubspot.changed(name, str(AT - 60_000), at=AT + 5))["id"] == touch["id"]
    assert read(hubspot.changed(name, "", at=AT)) == [Ignored("no_mapped_field")]


def test_a_property_that_wellwon_writes_is_our_echo_whoever_wrote_it() -> None:
    view = SourceView(fields={**VIEW.fields, "wellwon_severity": "labels.severity"})
    assert read(hubspot.changed("wellwon_severity", "high", at=AT), view=view) == [Ignored("own_echo")]


def test_what_says_nothing_of_a_deal() -> None:
    assert read(
        {**hubspot.changed("amount", "1", at=AT), "subscriptionType": "contact.propertyChange"},
        {**hubspot.changed("amount", "1", at=AT), "subscriptionType": "object.propertyChange", "objectTypeId": "0-1"},
        hubspot.changed("hs_lastmodifieddate", "1", at=AT),
        hubspot.event("deal.associationChange", at=AT),
    ) == [Ignored("other_entity"), Ignored("other_entity"), Ignored("no_mapped_field"), Ignored("other_event")]


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (7, "bad_event"),
        ({}, "bad_event"),
        (hubspot.changed("amount", "a lot", at=AT), "bad_value"),
        (hubspot.changed("closedate", "soon", at=AT), "bad_value"),
        (hubspot.changed("closedate", "9" * 30, at=AT), "bad_value"),
        ({**hubspot.changed("amount", "1", at=AT), "objectId": "x\n"}, "bad_record_id"),
        ({**hubspot.changed("amount", "1", at=AT), "occurredAt": None}, "bad_event"),
        ({**hubspot.changed("amount", "1", at=AT), "propertyName": None}, "bad_event"),
        (hubspot.event("deal.merge", at=AT), "bad_event"),
    ],
)
def test_a_bad_event_leaves_the_others_of_its_body(event: Any, reason: str) -> None:
    refused, good = read(event, hubspot.changed("amount", "1", at=AT))
    assert isinstance(refused, Rejected)
    assert (refused.reason, refused.original) == (reason, orjson.dumps(event))
    assert isinstance(good, dict)


def test_repeats_are_known_by_what_they_say_and_equal_event_ids_are_none() -> None:
    normaliser = Normaliser(VIEW, HubSpotWebhooks(VIEW).read)
    first = hubspot.changed("amount", "1", at=AT, eventId=5)
    again, other = {**first, "attemptNumber": 3, "eventId": 6}, hubspot.changed("amount", "2", at=AT, eventId=5)
    assert [len(normaliser.feed(orjson.dumps([event]), AT)) for event in (first, again, other)] == [1, 0, 1]
    assert normaliser.counts == {"duplicate": 1}


# --- the signature --------------------------------------------------------------------------------------------------

URL = "https://in.example.com/hubspot?team=a%3Ab"
BODY = b'[{"objectId":1}]'


def test_a_signature_that_was_computed_elsewhere() -> None:
    # printf '%s' 'POSThttps://in.example.com/hubspot?team=a:b[{"objectId":1}]1792000000000' |
    #   openssl dgst -sha256 -hmac a-secret -binary | base64
    Verifier("a-secret", URL).check(str(AT), "xPVhDxpXydlfLLw9zC8xjIXP9Lm0uCXTiKnaq5ax3RM=", BODY, AT)


@pytest.mark.parametrize("late", [-WINDOW_MS, 0, WINDOW_MS])
def test_a_signed_request_within_five_minutes(late: int) -> None:
    Verifier("s", URL).check(str(AT), hubspot.signature("s", URL, BODY, AT), BODY, AT + late)


@pytest.mark.parametrize("late", [-WINDOW_MS - 1, WINDOW_MS + 1])
def test_an_old_request_and_one_from_the_future(late: int) -> None:
    with pytest.raises(Forged, match="not of these minutes"):
        Verifier("s", URL).check(str(AT), hubspot.signature("s", URL, BODY, AT), BODY, AT + late)


@pytest.mark.parametrize(
    ("secret", "url", "body", "at"),
    [
        ("t", URL, BODY, AT),
        ("s", "https://x.example.com", BODY, AT),
        ("s", URL, b"[]", AT),
        ("s", URL, BODY, 0),
    ],
)
def test_what_was_signed_otherwise(secret: str, url: str, body: bytes, at: int) -> None:
    with pytest.raises(Forged, match="signature is wrong"):
        Verifier("s", URL).check(str(AT), hubspot.signature(secret, url, body, at), BODY, AT)


@given(st.text(max_size=40), st.text(st.characters(), max_size=60))
def test_no_made_up_header_is_believed(timestamp: str, signature: str) -> None:
    with pytest.raises(Forged):
        Verifier("s", URL).check(timestamp, signature, BODY, AT)
