"""Facts into Salesforce and HubSpot: servers that speak the wire format and misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from xml.etree import ElementTree

import pytest
from aiohttp import web

from fakes import hubspot_api, salesforce
from fakes.web import Misbehaviour, Server, running
from wellwon.deliver.crm_facts import DealFacts, Facts, FlagFacts
from wellwon.policy.own import only_own
from wellwon.rules import RULES
from wellwon.sinks import hubspot_records, salesforce_records
from wellwon.sinks.crm_budget import ASSUMED, Budget
from wellwon.sinks.http import Client
from wellwon.sinks.hubspot import HubSpot
from wellwon.sinks.oauth import Fixed, OAuth
from wellwon.sinks.salesforce import Salesforce
from wellwon.sinks.transport import Delivered, Later, Outcome, Refused


def deal(number: int, system: str = "salesforce") -> DealFacts:
    id_ = f"006SM{number:010d}" if system == "salesforce" else str(number)
    return DealFacts(id_, ("late-discount",), (), "high", "2026-12-29T09:00:00Z")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def salesforce_of(stack: ExitStack, organisation: salesforce.Organisation) -> tuple[Salesforce, Server]:
    server = stack.enter_context(running(salesforce.salesforce(organisation)))
    client = Client(private=True, timeout=0.4)
    grant = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}
    return Salesforce(server.url, OAuth(client, f"{server.url}/services/oauth2/token", lambda: grant), client), server


def hubspot_of(stack: ExitStack, account: hubspot_api.Account, *, refresh: bool = False) -> tuple[HubSpot, Server]:
    server = stack.enter_context(running(hubspot_api.hubspot(account)))
    client = Client(private=True, timeout=0.4)
    grant = {"grant_type": "refresh_token", "refresh_token": "r"}
    login = OAuth(client, f"{server.url}/oauth/v1/token", lambda: grant) if refresh else Fixed(lambda: "pat-good")
    return HubSpot(server.url, login, client), server


def write(transport: Salesforce | HubSpot, *batches: Sequence[Facts]) -> list[list[Outcome]]:
    async def run() -> list[list[Outcome]]:
        try:
            return [await transport.write(batch) for batch in batches]
        finally:
            await transport.close()

    return asyncio.run(run())


def always(response: web.Response) -> Misbehaviour:
    return lambda request: None if "token" in request.path else response


# --- Salesforce -----------------------------------------------------------------------------------------------------


def test_salesforce_takes_two_hundred_in_one_call_and_says_who_wrote(stack: ExitStack) -> None:
    organisation = salesforce.Organisation()
    crm, _ = salesforce_of(stack, organisation)
    flag = FlagFacts("late-discount:d1:2026-Q4", deal(1).deal, True, "late-discount", "high", "2026-Q4", "2026-12-29")
    facts = [deal(number) for number in range(200)]
    assert write(crm, facts, [flag], [flag]) == [[Delivered()] * 200, [Delivered()], [Delivered()]]
    assert organisation.batches == [200, 1, 1]
    assert organisation.clients == {"client=wellwon"}
    assert len(organisation.records["flag"]) == 1, "a duplicate is the same record: its key is the alert's"
    assert (crm.usage.calls, crm.usage.used, crm.usage.limit) == (3, 3, 15_000)


def test_salesforce_says_one_by_one_what_it_did_not_take(stack: ExitStack) -> None:
    facts = [deal(number) for number in range(3)]
    organisation = salesforce.Organisation(deals={facts[0].deal, facts[1].deal}, locked={facts[1].deal})
    crm, _ = salesforce_of(stack, organisation)
    ((taken, locked, gone),) = write(crm, facts)
    assert taken == Delivered()
    assert isinstance(locked, Later)
    assert gone == Refused("ENTITY_IS_DELETED: entity is deleted")


def test_salesforce_without_our_fields_loses_nothing(stack: ExitStack) -> None:
    crm, _ = salesforce_of(stack, salesforce.Organisation(fields={"Name"}))
    (((outcome,),)) = write(crm, [deal(1)])
    assert isinstance(outcome, Later)
    assert "wellwon crm setup" in outcome.why


def test_an_expired_token_is_fetched_anew_once(stack: ExitStack) -> None:
    organisation = salesforce.Organisation(expired={"token-1"})
    crm, _ = salesforce_of(stack, organisation)
    assert write(crm, [deal(1)], [deal(2)]) == [[Delivered()], [Delivered()]]
    assert organisation.tokens == 2


def test_a_token_that_is_always_refused_ends_in_waiting(stack: ExitStack) -> None:
    crm, server = salesforce_of(stack, salesforce.Organisation(expired={"token-1", "token-2"}))
    ((outcome,),) = write(crm, [deal(1)])
    assert isinstance(outcome, Later)
    assert outcome.seconds == 60
    assert len(server.all) == 4


def test_the_daily_limit_is_waited_for(stack: ExitStack) -> None:
    crm, _ = salesforce_of(stack, salesforce.Organisation(limit=0))
    ((outcome, _),) = write(crm, [deal(1), deal(2)])
    assert isinstance(outcome, Later)
    assert outcome.seconds == 900
    assert "REQUEST_LIMIT_EXCEEDED" in outcome.why


@pytest.mark.parametrize("system", ["salesforce", "hubspot"])
def test_a_storm_an_error_and_silence_are_waited_for(stack: ExitStack, system: str) -> None:
    crm: Salesforce | HubSpot
    if system == "salesforce":
        crm, server = salesforce_of(stack, salesforce.Organisation())
    else:
        crm, server = hubspot_of(stack, hubspot_api.Account())
    wrong: list[web.Response | float] = [
        web.Response(status=429, headers={"Retry-After": "7"}),
        web.Response(status=503),
        5.0,
        web.Response(text="<html>"),
    ]
    server.misbehave = lambda request: wrong.pop(0) if wrong and "token" not in request.path else None
    outcomes = [one for (one,) in write(crm, *([deal(1, system)] for _ in range(5)))]
    assert all(isinstance(one, Later) for one in outcomes[:4])
    assert [one.seconds for one in outcomes[:2] if isinstance(one, Later)] == [7, 0]
    assert [one.unsure for one in outcomes[1:4] if isinstance(one, Later)] == [True, True, True]
    assert outcomes[4] == Delivered()


# --- HubSpot --------------------------------------------------------------------------------------------------------


def test_hubspot_partial_failure(stack: ExitStack) -> None:
    account = hubspot_api.Account(gone={"2"}, forgets={"3"})
    crm, _ = hubspot_of(stack, account)
    ((taken, gone, forgotten),) = write(crm, [deal(number, "hubspot") for number in (1, 2, 3)])
    assert taken == Delivered()
    assert gone == Refused("OBJECT_NOT_FOUND: Could not get some DEAL objects")
    assert isinstance(forgotten, Later)
    assert account.written["1"]["wellwon_flags"] == "late-discount"
    assert crm.usage.limit == 650_000


def test_the_one_for_which_hubspot_refuses_a_batch_is_found(stack: ExitStack) -> None:
    account = hubspot_api.Account(unwelcome={"37"})
    crm, _ = hubspot_of(stack, account)
    (outcomes,) = write(crm, [deal(number, "hubspot") for number in range(100)])
    assert [number for number, one in enumerate(outcomes) if one != Delivered()] == [37]
    assert isinstance(outcomes[37], Refused)
    assert len(account.written) == 99
    assert crm.usage.calls == len(account.batches) < 20


def test_hubspot_tokens_are_refreshed(stack: ExitStack) -> None:
    account = hubspot_api.Account()
    crm, _ = hubspot_of(stack, account, refresh=True)

    async def run() -> None:
        assert await crm.write([deal(1, "hubspot")]) == [Delivered()]
        account.token = "revoked meanwhile"
        assert await crm.write([deal(2, "hubspot")]) == [Delivered()]
        await crm.close()

    asyncio.run(run())
    assert account.refreshed == 2


def test_hubspot_daily_limit(stack: ExitStack) -> None:
    crm, server = hubspot_of(stack, hubspot_api.Account())
    server.misbehave = always(web.json_response({"category": "RATE_LIMITS", "policyName": "DAILY"}, status=429))
    ((outcome,),) = write(crm, [deal(1, "hubspot")])
    assert isinstance(outcome, Later)
    assert outcome.seconds == 900


def test_hubspot_setup_makes_what_is_missing_and_then_nothing(stack: ExitStack) -> None:
    account = hubspot_api.Account(strict=True)
    crm, _ = hubspot_of(stack, account)

    async def run() -> None:
        (before,) = await crm.write([deal(1, "hubspot")])
        assert isinstance(before, Later)
        assert "wellwon crm setup" in before.why
        asked = await crm.missing()
        for one in asked:
            await crm.make(one)
        assert await crm.missing() == []
        account.properties["wellwon_flags"]["options"].pop()
        ((method, path, _),) = await crm.missing()
        assert (method, path) == ("PATCH", "/crm/v3/properties/deals/wellwon_flags")
        assert await crm.write([deal(1, "hubspot")]) == [Delivered()]
        await crm.close()

    asyncio.run(run())
    assert account.properties.keys() == hubspot_records.properties(deal(1, "hubspot")).keys()


# --- words and budget -----------------------------------------------------------------------------------------------


def test_no_judgement_is_among_the_names() -> None:
    told = str(hubspot_records.definitions()) + str(salesforce_records.record(deal(1)))
    assert "pressur" not in told.lower()
    assert all(spec.name in told for spec in RULES)


def test_the_budget_is_a_share_of_the_day_an_hour_at_once() -> None:
    budget = Budget(10, 0.0)
    assert budget.left(0.0) == ASSUMED * 0.1 / 24
    budget.learn(24_000, 10)
    assert budget.left(86_400.0) == 100
    budget.spend(100, 86_400.0)
    assert budget.left(86_400.0) == 0
    assert budget.left(86_400.0 + 36) == pytest.approx(1)


# --- the package ----------------------------------------------------------------------------------------------------

PACKAGE = Path(__file__).parents[2] / "deploy" / "salesforce"
NS = "{http://soap.sforce.com/2006/04/metadata}"


@pytest.mark.parametrize(("name", "written"), list(salesforce_records.FIELDS.items()))
def test_the_package_has_every_field_that_is_written(name: str, written: frozenset[str]) -> None:
    parsed = ElementTree.parse(PACKAGE / "objects" / f"{name}.object")
    assert {field.findtext(f"{NS}fullName") for field in parsed.iter(f"{NS}fields")} == written
    allowed = ElementTree.parse(PACKAGE / "permissionsets" / "Wellwon_Writer.permissionset")
    fields = {found.text for found in allowed.iter(f"{NS}field")}
    assert {f"{name}.{one}" for one in written} <= fields


def test_every_field_that_is_written_is_known_as_our_own_when_it_comes_back() -> None:
    (deal_fields,) = (written for name, written in salesforce_records.FIELDS.items() if name == salesforce_records.DEAL)
    properties = hubspot_records.properties(deal(1, "hubspot"))
    assert only_own({*deal_fields, "LastModifiedDate", "LastModifiedById"})
    assert only_own(properties.keys())
    assert not only_own({*deal_fields, "StageName"})


def test_the_package_offers_every_rule() -> None:
    parsed = ElementTree.parse(PACKAGE / "objects" / "Opportunity.object")
    offered = {value.findtext(f"{NS}fullName") for value in parsed.iter(f"{NS}value")}
    assert {spec.name for spec in RULES} <= offered
