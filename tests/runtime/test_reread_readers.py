"""Deals read again from Salesforce and HubSpot: servers that speak the wire format, and what their answers become."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import orjson
import pytest
from aiohttp import web

from fakes import hubspot_api, salesforce
from fakes.web import Server, running
from wellwon.core import wire
from wellwon.policy.model import FIELDS
from wellwon.runtime.reread_answers import SETTLED_MS, Found, Reader
from wellwon.runtime.reread_hubspot import HubSpotReader
from wellwon.runtime.reread_salesforce import SalesforceReader
from wellwon.sinks.http import Client
from wellwon.sinks.hubspot import HubSpot
from wellwon.sinks.oauth import Fixed, OAuth
from wellwon.sinks.salesforce import Salesforce
from wellwon.sinks.transport import Later, Refused
from wellwon.sources.mapping import SourceView
from wellwon.sources.reread import Request

DEAL = "006SM0000001Tb3YAE"
OTHER = "006SM0000002Tb3YAE"
LINE = "00kWx000000LineEAA"
VIEW = SourceView(fields={**FIELDS, "Discount__c": "discount_percent"}, zone="America/New_York")
OLD = "2026-10-14T10:00:00.000+0000"
AT = "2026-10-14T11:00:00Z"

ROW = {
    "Id": DEAL, "Name": "Acme", "StageName": "Negotiation/Review", "Amount": 40000.0, "CloseDate": "2026-12-31",
    "NextStep": None, "IsClosed": False, "IsWon": False, "CreatedDate": "2026-01-05T09:00:00.000+0000",
    "SystemModstamp": OLD, "IsDeleted": False,
}  # fmt: skip
LINE_ROW = {
    "Id": LINE, "OpportunityId": DEAL, "Quantity": 10.0, "UnitPrice": 900.0, "ListPrice": 1000.0, "Discount": None,
    "TotalPrice": 9000.0, "SystemModstamp": OLD, "IsDeleted": False,
}  # fmt: skip


def deal_request(deal: str = DEAL, reason: str = "gap", at: str = AT, source: str = "salesforce") -> Request:
    return Request(source, reason, at, opportunity_id=deal)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def of_salesforce(stack: ExitStack, organisation: salesforce.Organisation) -> tuple[SalesforceReader, Server]:
    server = stack.enter_context(running(salesforce.salesforce(organisation)))
    client = Client(private=True, timeout=2, body_max=2**22)
    grant = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}
    crm = Salesforce(server.url, OAuth(client, f"{server.url}/services/oauth2/token", lambda: grant), client)
    return SalesforceReader(crm, VIEW), server


def of_hubspot(stack: ExitStack, account: hubspot_api.Account) -> tuple[HubSpotReader, Server]:
    server = stack.enter_context(running(hubspot_api.hubspot(account)))
    client = Client(private=True, timeout=2, body_max=2**22)
    return HubSpotReader(HubSpot(server.url, Fixed(lambda: "pat-good"), client), VIEW), server


Answers = list[Found | Later | Refused] | Later


def read(reader: Reader, *batches: Sequence[Request]) -> list[Answers]:
    async def run() -> list[Answers]:
        try:
            return [await reader.deals(batch) for batch in batches]
        finally:
            await reader.close()

    return asyncio.run(run())


def one(reader: Reader, request: Request) -> Found | Later | Refused:
    (answers,) = read(reader, [request])
    assert isinstance(answers, list), answers
    (answer,) = answers
    return answer


def changes(answer: Found | Later | Refused) -> list[dict[str, Any]]:
    assert isinstance(answer, Found), answer
    for change in answer.outcomes:
        assert isinstance(change, dict), change
        wire.decode(orjson.dumps(change))  # detect can read it
        assert change["writer"]["kind"] == "integration", "what is read again is nobody's behaviour"
    return [change for change in answer.outcomes if isinstance(change, dict)]


# --- Salesforce -----------------------------------------------------------------------------------------------------


def test_a_deal_is_read_with_its_line_items(stack: ExitStack) -> None:
    organisation = salesforce.Organisation(rows={"Opportunity": [ROW], "OpportunityLineItem": [LINE_ROW]})
    reader, _ = of_salesforce(stack, organisation)
    snapshot, line = changes(one(reader, deal_request()))
    assert (snapshot["kind"], snapshot["opportunity_id"]) == ("snapshot", DEAL)
    assert snapshot["values"] == {
        "name": "Acme", "stage": "Negotiation/Review", "amount": "40000.00", "close_date": "2026-12-31",
        "next_step": None, "is_closed": False, "is_won": False, "created_at": "2026-01-05T09:00:00Z",
    }  # fmt: skip
    assert (line["kind"], line["opportunity_id"], line["line_item_id"]) == ("line_item", DEAL, LINE)
    assert line["values"] == {"quantity": "10", "list_price": "1000.00", "unit_price": "900.00"}
    assert "Discount__c" not in organisation.queries[0], "a field that the organisation has not is not asked for"


def test_a_repeated_reading_has_the_same_ids_and_another_loss_others(stack: ExitStack) -> None:
    reader, _ = of_salesforce(stack, salesforce.Organisation(rows={"Opportunity": [ROW]}))
    later = deal_request(at="2026-10-14T12:00:00Z")
    answers = read(reader, [deal_request()], [deal_request()], [later])
    first, again, other = (changes(answer[0])[0]["id"] for answer in answers if isinstance(answer, list))
    assert first == again != other
    assert reader.usage.calls == 2 + 3, "the fields are asked for once"


def test_what_was_deleted_and_what_is_not_shown(stack: ExitStack) -> None:
    gone_line = {**LINE_ROW, "IsDeleted": True}
    rows = {"Opportunity": [ROW, {**ROW, "Id": OTHER, "IsDeleted": True}], "OpportunityLineItem": [gone_line]}
    reader, _ = of_salesforce(stack, salesforce.Organisation(rows=rows))
    requests = [deal_request(), deal_request(OTHER), deal_request("006SM0000003Tb3YAE"), deal_request("17")]
    (answers,) = read(reader, requests)
    assert isinstance(answers, list)
    there, deleted, unknown, no_id = answers
    assert [change["values"] for change in changes(there)][1:] == [{"removed": True}]
    assert [(change["kind"], change["values"]) for change in changes(deleted)] == [("deleted", {})]
    assert isinstance(unknown, Refused)
    assert "View All" in unknown.why
    assert isinstance(no_id, Refused)


def test_a_deal_that_was_saved_this_moment_is_read_a_little_later(stack: ExitStack) -> None:
    fresh = {**ROW, "SystemModstamp": "2099-01-01T00:00:00.000+0000"}
    reader, _ = of_salesforce(stack, salesforce.Organisation(rows={"Opportunity": [fresh]}))
    answer = one(reader, deal_request())
    assert isinstance(answer, Later)
    assert answer.seconds == SETTLED_MS / 1_000


def test_a_page_at_a_time_of_what_was_saved_since(stack: ExitStack) -> None:
    rows = [{**ROW, "Id": f"006SM000000{n}Tb3YAE"} for n in range(5)]
    rows[4] = {**rows[4], "SystemModstamp": "2026-10-01T10:00:00.000+0000"}
    reader, _ = of_salesforce(stack, salesforce.Organisation(rows={"Opportunity": rows}, page=3))
    since = Request("salesforce", "overflow", AT, entity="Opportunity", since="2026-10-14T09:30:00Z")

    async def run() -> tuple[Any, Any, Any, Any]:
        first = await reader.page(since, "")
        second = await reader.page(since, first.cursor if isinstance(first, Found) else "")
        lines = await reader.page(Request("salesforce", "overflow", AT, entity="OpportunityLineItem"), "")
        tasks = await reader.page(Request("salesforce", "overflow", AT, entity="Task"), "")
        await reader.close()
        return first, second, lines, tasks

    first, second, lines, tasks = asyncio.run(run())
    assert [len(changes(page)) for page in (first, second)] == [3, 1]
    assert (bool(first.cursor), second.cursor) == (True, "")
    assert lines.outcomes == (), "an organisation without products"
    assert isinstance(tasks, Refused)


def test_everything_is_what_is_open(stack: ExitStack) -> None:
    rows = [ROW, {**ROW, "Id": OTHER, "IsClosed": True}, {**ROW, "Id": OTHER, "IsDeleted": True}]
    reader, _ = of_salesforce(stack, salesforce.Organisation(rows={"Opportunity": rows}))

    async def run() -> Found | Later | Refused:
        try:
            return await reader.page(Request("salesforce", "wildcard", AT, entity="Opportunity"), "")
        finally:
            await reader.close()

    assert [change["opportunity_id"] for change in changes(asyncio.run(run()))] == [DEAL]


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (503, "", "503"),
        (403, '[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"TotalRequests Limit exceeded."}]', "LIMIT_EXCEEDED"),
        (400, '[{"errorCode":"INVALID_FIELD","message":"No such column"}]', "INVALID_FIELD"),
        (400, '[{"errorCode":"MALFORMED_QUERY","message":"unexpected token"}]', "MALFORMED_QUERY"),
        (200, "<html>", "none of Salesforce's"),
    ],
)
def test_when_salesforce_does_not_answer_all_wait(stack: ExitStack, status: int, body: str, why: str) -> None:
    reader, server = of_salesforce(stack, salesforce.Organisation(rows={"Opportunity": [ROW]}))
    server.misbehave = lambda asked: web.Response(status=status, text=body) if "query" in asked.path else None
    (answer,) = read(reader, [deal_request(), deal_request(OTHER)])
    assert isinstance(answer, Later)
    assert why in answer.why


# --- HubSpot --------------------------------------------------------------------------------------------------------

HUB = {
    "id": "17", "createdAt": "2026-01-05T09:00:00Z", "updatedAt": "2026-10-14T10:00:00.500Z",
    "properties": {"dealname": "Acme", "dealstage": "closedwon", "amount": "2000", "closedate": "2026-12-31T05:00:00Z"},
    "propertiesWithHistory": {
        "closedate": [
            {"value": "2026-12-31T05:00:00Z", "timestamp": "2026-09-10T10:00:00Z", "sourceType": "CRM_UI",
             "sourceId": "userId:5"},
            {"value": "2026-09-30T04:00:00Z", "timestamp": "2026-06-01T10:00:00Z", "sourceType": "CRM_UI",
             "sourceId": "userId:5"},
        ],
        "amount": [{"value": "2000", "timestamp": "2026-06-01T10:00:00Z", "sourceType": "MERGE_OBJECTS"}],
    },
}  # fmt: skip


def test_a_hubspot_deal_as_it_is(stack: ExitStack) -> None:
    reader, _ = of_hubspot(stack, hubspot_api.Account(deals={"17": HUB}))
    (snapshot,) = changes(one(reader, deal_request("17", source="hubspot")))
    assert (snapshot["kind"], snapshot["opportunity_id"]) == ("snapshot", "17")
    assert snapshot["values"] == {
        "name": "Acme", "stage": "closedwon", "is_closed": True, "is_won": True, "amount": "2000.00",
        "close_date": "2026-12-31",
    }  # fmt: skip


def test_after_a_merge_the_whole_history_is_told_as_it_happened(stack: ExitStack) -> None:
    reader, _ = of_hubspot(stack, hubspot_api.Account(deals={"17": HUB}))
    answer = one(reader, deal_request("17", "merged", source="hubspot"))
    assert isinstance(answer, Found)
    told = [
        (change["occurred_at"], change["kind"], change["writer"]["kind"], change["values"])
        for change in answer.outcomes
        if isinstance(change, dict)
    ]
    assert told == [
        ("2026-01-05T09:00:00Z", "created", "user", {"created_at": "2026-01-05T09:00:00Z"}),
        ("2026-06-01T10:00:00Z", "changed", "user", {"close_date": "2026-09-30"}),
        ("2026-06-01T10:00:00Z", "changed", "integration", {"amount": "2000.00"}),
        ("2026-09-10T10:00:00Z", "changed", "user", {"close_date": "2026-12-31"}),
    ]


def test_hubspot_deals_that_are_archived_or_not_there(stack: ExitStack) -> None:
    account = hubspot_api.Account(deals={"17": HUB}, archived={"18": {**HUB, "id": "18"}})
    reader, _ = of_hubspot(stack, account)
    (answers,) = read(reader, [deal_request(one, source="hubspot") for one in ("17", "18", "19", "x")])
    assert isinstance(answers, list)
    there, archived, unknown, no_id = answers
    assert changes(there)
    assert [change["kind"] for change in changes(archived)] == ["deleted"]
    assert isinstance(unknown, Refused)
    assert isinstance(no_id, Refused)


def test_when_hubspot_does_not_answer_all_wait(stack: ExitStack) -> None:
    reader, server = of_hubspot(stack, hubspot_api.Account(deals={"17": HUB}))
    server.misbehave = lambda asked: web.Response(status=429, text='{"policyName":"DAILY"}')
    (answer,) = read(reader, [deal_request("17", source="hubspot")])
    assert isinstance(answer, Later)
    assert answer.seconds == 900
