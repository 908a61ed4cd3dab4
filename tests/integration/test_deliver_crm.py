"""Facts back into CRMs that misbehave, by deliver as a process on a real broker."""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
import pytest
from aiohttp import web

from fakes import hubspot_api, salesforce
from fakes import web as fake
from kafka_broker import free_port
from live import Worker, produce, read, until
from told import alert_record
from wellwon.core.units import format_instant
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings

DELIVER = (sys.executable, "-m", "wellwon.runtime.deliver_worker")
POLICY = """
deliver:
  settle_minutes: 0
  sinks:
    hook: {kind: webhook, hears: [revops]}
crm:
  salesforce: {write: [alerts], api_share_percent: 50}
  hubspot: {write: [alerts], api_share_percent: 50}
"""
FLAGGED, CLEARED = "late-discount", None


@dataclass
class Crms:
    """A deliver worker, both CRMs that it writes into, and a webhook beside them."""

    settings: Settings
    worker: Worker
    organisation: salesforce.Organisation
    account: hubspot_api.Account
    salesforce: fake.Server
    hubspot: fake.Server
    hook: fake.Server

    def shows(self, deal: str) -> str | None:
        """The flags that the deal's CRM shows, None where it shows none."""
        if deal.startswith("006"):
            return self.organisation.records["Opportunity"].get(deal, {}).get("Wellwon_Flags__c")
        return self.account.written.get(deal, {}).get("wellwon_flags") or None

    def writes(self, deal: str) -> int:
        """How often the deal itself was written."""
        return self.organisation.writes[deal] + self.account.writes[deal]


@pytest.fixture
def crms(
    live: Settings, start: Callable[..., Worker], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Crms]:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    organisation, account = salesforce.Organisation(), hubspot_api.Account()
    with ExitStack() as stack:
        servers = [salesforce.salesforce(organisation), hubspot_api.hubspot(account), fake.receiver()]
        sf, hs, hook = (stack.enter_context(fake.running(server)) for server in servers)
        secrets = {
            "SINK_HOOK": hook.url,
            "SINK_HOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "CRM_SALESFORCE_URL": sf.url,
            "CRM_SALESFORCE_CLIENT_ID": "consumer",
            "CRM_SALESFORCE_CLIENT_SECRET": "secret",
            "CRM_HUBSPOT_TOKEN": account.token,
        }
        for name, value in secrets.items():
            monkeypatch.setenv(f"WELLWON_{name}", value)
        about = {"policy": policy, "deliver_group": f"{live.group}-deliver", "hubspot_api": hs.url}
        settings = replace(live, private_webhooks=True, **about)
        yield Crms(settings, start(settings, *DELIVER).wait_ready(), organisation, account, sf, hs, hook)


def deals(number: int) -> list[str]:
    """Half of them Salesforce's, half of them HubSpot's."""
    return [f"006SM{place:010d}" if place % 2 else f"33250{place:06d}" for place in range(number)]


def flagged(deals: list[str], revision: int = 1) -> list[tuple[bytes, bytes]]:
    now = format_instant(time.time_ns() // 1_000_000)
    return [(deal.encode(), alert_record(deal=deal, revision=revision, at=now)) for deal in deals]


def cleared(deals: list[str], revision: int) -> list[tuple[bytes, bytes]]:
    about = {"at": format_instant(time.time_ns() // 1_000_000), "transition": "resolved", "reason": "cleared"}
    return [(deal.encode(), alert_record(deal=deal, revision=revision, **about)) for deal in deals]


def test_a_storm_of_429_an_expired_token_and_single_failures(crms: Crms) -> None:
    everything = deals(120)
    gone, locked = {everything[0], everything[1]}, {everything[3], everything[5]}
    crms.organisation.deals = {deal for deal in everything if deal not in gone}
    crms.organisation.locked |= locked
    crms.account.gone |= gone
    asked = dict.fromkeys(("salesforce", "hubspot"), 0)

    def storm(crm: str) -> fake.Misbehaviour:
        def misbehave(request: fake.Request) -> web.Response | None:
            if "oauth" in request.path:
                return None
            asked[crm] += 1
            return web.Response(status=429, headers={"Retry-After": "1"}) if asked[crm] <= 3 else None

        return misbehave

    crms.salesforce.misbehave, crms.hubspot.misbehave = storm("salesforce"), storm("hubspot")
    produce(crms.settings, flagged(everything), topics.ALERTS)
    until(lambda: len(crms.hook.taken) == 120, "the webhook, which the CRMs do not hold up")
    well = [deal for deal in everything if deal not in gone | locked]
    until(lambda: all(crms.shows(deal) == FLAGGED for deal in well), "the flags of the others", 120)
    assert not any(crms.shows(deal) for deal in locked)

    letters = [orjson.loads(letter.value() or b"") for letter in read(crms.settings, topics.DEAD_LETTERS)]
    assert {letter["reason"] for letter in letters} == {"crm-refused"}
    assert {(letter.key() or b"").decode() for letter in read(crms.settings, topics.DEAD_LETTERS)} == gone

    crms.organisation.expired.add(f"token-{crms.organisation.tokens}")
    crms.organisation.locked.clear()
    until(lambda: all(crms.shows(deal) == FLAGGED for deal in locked), "the locked ones", 120)
    assert crms.organisation.tokens == 2, "a new token, once"
    assert {crms.writes(deal) for deal in well} == {1}, "nothing again that was acknowledged"

    produce(crms.settings, cleared(everything, 2), topics.ALERTS)
    until(lambda: not any(crms.shows(deal) for deal in everything), "no flag to be left", 120)


def test_a_crm_whose_calls_are_used_up_is_left_alone_and_loses_nothing(
    crms: Crms, start: Callable[..., Worker]
) -> None:
    crms.organisation.limit = crms.organisation.used = 15_000
    everything = [deal for deal in deals(80) if deal.startswith("006")]
    produce(crms.settings, flagged(everything), topics.ALERTS)
    until(lambda: len(crms.hook.taken) == 40, "the webhook")
    until(lambda: any("/composite/" in request.path for request in crms.salesforce.all), "the refusal")
    produce(crms.settings, flagged(everything, 2), topics.ALERTS)
    until(lambda: len(crms.hook.taken) == 80, "the webhook")
    until(lambda: crms.worker.metrics()["wellwon_crm_waiting_deals"] == 40, "all of them to wait")
    asked = [request for request in crms.salesforce.all if "/composite/" in request.path]
    assert len(asked) <= 2, "flags and deals, and then no more"
    assert not read(crms.settings, topics.DEAD_LETTERS)
    assert crms.worker.stop() == 0

    crms.organisation.used = 0
    start(replace(crms.settings, http=f"127.0.0.1:{free_port()}"), *DELIVER)
    until(lambda: all(crms.shows(deal) == FLAGGED for deal in everything), "what had waited")
    until(lambda: len(crms.organisation.records["flag"]) == 40, "the flags' own records")


def test_killed_at_random_the_crms_show_what_holds(crms: Crms, start: Callable[..., Worker]) -> None:
    rng = random.Random(11)
    crms.salesforce.misbehave = crms.hubspot.misbehave = lambda request: rng.choice((0.0, 0.05, 0.3))
    everything, worker = deals(60), crms.worker
    holds: dict[str, str | None] = {}
    for revision in range(1, 6):
        part = rng.sample(everything, 40)
        ended = [deal for deal in part if holds.get(deal) == FLAGGED and rng.random() < 0.5]
        opened = [deal for deal in part if deal not in ended]
        produce(crms.settings, [*cleared(ended, revision), *flagged(opened, revision)], topics.ALERTS)
        holds |= dict.fromkeys(ended, CLEARED) | dict.fromkeys(opened, FLAGGED)
        before = len(crms.salesforce.all) + len(crms.hubspot.all)
        until(lambda before=before: len(crms.salesforce.all) + len(crms.hubspot.all) > before, "a request")  # type: ignore[misc]
        worker.kill()
        worker = start(replace(crms.settings, http=f"127.0.0.1:{free_port()}"), *DELIVER)
    worker.wait_ready()
    until(lambda: all(crms.shows(deal) == flags for deal, flags in holds.items()), "the CRMs to show what holds")
    until(lambda: worker.metrics()["wellwon_crm_waiting_deals"] == 0, "nothing to wait any more")
    flags = {deal for deal, flag in holds.items() if flag and deal.startswith("006")}
    shown = {key for key, record in crms.organisation.records["flag"].items() if record["Wellwon_Open__c"]}
    assert shown == {f"late-discount:{deal}:2026-Q4" for deal in flags}
    assert not read(crms.settings, topics.DEAD_LETTERS)
    written = {deal: crms.writes(deal) for deal in everything}
    assert worker.stop() == 0
    start(replace(crms.settings, http=f"127.0.0.1:{free_port()}"), *DELIVER).wait_ready()
    produce(crms.settings, flagged(["006SM9999999999"]), topics.ALERTS)
    until(lambda: crms.shows("006SM9999999999") == FLAGGED, "what came after")
    assert {deal: crms.writes(deal) for deal in everything} == written, "a restart writes nothing again"
