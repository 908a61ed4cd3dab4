"""Re-reads serve themselves: on a real broker, from a Salesforce that is slow, down, or knows nothing of a deal."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import orjson
import pytest
from aiohttp import web

from fakes import salesforce
from fakes.web import Server, running
from live import Worker, environment, produce, read, until
from wellwon.policy.model import FIELDS
from wellwon.runtime import deadletters, topics
from wellwon.runtime.reread import Rereader
from wellwon.runtime.reread_salesforce import SalesforceReader
from wellwon.runtime.settings import Settings
from wellwon.sinks.http import Client
from wellwon.sinks.oauth import OAuth
from wellwon.sinks.salesforce import Salesforce
from wellwon.sources.change import change_event, encode
from wellwon.sources.mapping import SourceView

DEAL = "006SM0000001Tb3YAE"
AT = 1_792_000_000_000  # 2026-10-14T17:46:40Z
ROW = {
    "Id": DEAL, "Name": "Acme", "StageName": "Proposal", "Amount": 50000.0, "CloseDate": "2026-12-31",
    "IsClosed": False, "IsWon": False, "CreatedDate": "2026-01-05T09:00:00.000+0000",
    "SystemModstamp": "2026-10-14T17:46:40.000+0000", "IsDeleted": False,
}  # fmt: skip


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def serving(stack: ExitStack, *rows: dict[str, Any]) -> tuple[salesforce.Organisation, Server]:
    organisation = salesforce.Organisation(rows={"Opportunity": list(rows)})
    return organisation, stack.enter_context(running(salesforce.salesforce(organisation)))


def request(deal: str, at: str = "2026-10-14T17:46:40Z", **about: str) -> tuple[bytes, bytes]:
    asked = {"schema": "reread.v1", "opportunity_id": deal, "source": "salesforce", "reason": "gap", "at": at}
    return deal.encode(), orjson.dumps(asked | about)


def snapshots(settings: Settings) -> list[dict[str, Any]]:
    found = [orjson.loads(message.value()) for message in read(settings, topics.CHANGES)]
    return [change for change in found if change["kind"] == "snapshot"]


def rereader(settings: Settings, server: Server, **limits: int) -> Rereader:
    client = Client(private=True, timeout=2, body_max=2**22)
    grant = {"grant_type": "client_credentials", "client_id": "id", "client_secret": "secret"}
    crm = Salesforce(server.url, OAuth(client, f"{server.url}/services/oauth2/token", lambda: grant), client)
    return Rereader(
        settings, {"salesforce": SalesforceReader(crm, SourceView(dict(FIELDS)))}, {"salesforce": 10}, **limits
    )


def serve(settings: Settings, server: Server, done: Callable[[Rereader], bool], **limits: int) -> dict[str, float]:
    """Serve until something is so; return the outcomes."""

    async def run() -> dict[str, float]:
        async with rereader(settings, server, **limits) as subject:
            never = asyncio.get_running_loop().create_future()
            async with asyncio.timeout(60):
                while not done(subject):
                    await subject.step(never)
            samples = next(iter(subject.metrics.requests.collect())).samples
            return {one.labels["outcome"]: one.value for one in samples if one.value}

    return asyncio.run(run())


def asked(subject: Rereader) -> float:
    """How many requests are over, whatever became of them."""
    samples = next(iter(subject.metrics.requests.collect())).samples
    return sum(one.value for one in samples if one.labels["outcome"] != "later")


def test_a_gap_is_read_again_by_itself(live: Settings, start: Callable[..., Worker], stack: ExitStack) -> None:
    organisation, server = serving(stack, ROW)
    start(live).wait_ready()
    born = change_event(id="1", deal=DEAL, source="salesforce", at=AT - 1_000, kind="created", values={"amount": "1"})
    lost = change_event(id="2", deal=DEAL, source="salesforce", at=AT, kind="gap")
    produce(live, [(DEAL.encode(), encode(one)) for one in (born, lost)])
    secrets = {"URL": server.url, "CLIENT_ID": "id", "CLIENT_SECRET": "secret"}
    variables = environment(live) | {f"WELLWON_CRM_SALESFORCE_{name}": value for name, value in secrets.items()}
    variables |= {"WELLWON_PRIVATE_WEBHOOKS": "yes", "WELLWON_HTTP": "127.0.0.1:0"}
    process = subprocess.Popen([sys.executable, "-m", "wellwon", "reread"], env=variables, stderr=subprocess.PIPE)
    try:
        until(lambda: bool(snapshots(live)), "the snapshot")
    finally:
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said.decode()
    assert b"stopped: 1 change written" in said
    (snapshot,) = snapshots(live)
    assert (snapshot["opportunity_id"], snapshot["values"]["amount"]) == (DEAL, "50000.00")
    assert organisation.clients == {"client=wellwon"}


def test_each_deal_once_whatever_the_crash_and_the_outage(live: Settings, stack: ExitStack) -> None:
    other = DEAL.replace("1Tb", "2Tb")
    organisation, server = serving(stack, ROW, {**ROW, "Id": other})
    produce(live, [request(DEAL), request(other), *[request(DEAL)] * 5], topics.REREADS)
    down = [web.Response(status=503), web.Response(status=503)]
    server.misbehave = lambda asked: down.pop() if "query" in asked.path and down else None
    # The CRM answers at the third attempt.
    assert serve(live, server, lambda subject: asked(subject) == 7) == {"read": 7, "later": 4}
    assert len(organisation.queries) == 1
    assert sorted(one["opportunity_id"] for one in snapshots(live)) == [DEAL, other]
    # Everything is committed: the next run asks for what comes after, and only for that.
    produce(live, [request(other, at="2026-10-14T17:50:00Z")], topics.REREADS)
    assert serve(live, server, lambda subject: asked(subject) == 1) == {"read": 1}
    assert len(organisation.queries) == 2


def test_what_was_asked_and_not_answered_is_asked_again_after_a_crash(live: Settings, stack: ExitStack) -> None:
    organisation, server = serving(stack, ROW)
    produce(live, [request(DEAL)], topics.REREADS)
    server.misbehave = lambda asked: web.Response(status=500)
    serve(live, server, lambda subject: subject.metrics.waiting._value.get() == 1)
    server.misbehave = lambda asked: None
    serve(live, server, lambda subject: asked(subject) == 1)
    assert len(snapshots(live)) == 1
    assert len(organisation.queries) == 1


def test_what_cannot_be_read_is_a_dead_letter_that_can_be_sent_again(live: Settings, stack: ExitStack) -> None:
    organisation, server = serving(stack, ROW)
    unknown = DEAL.replace("1Tb", "3Tb")
    elsewhere = request(DEAL, source="pipedrive")
    produce(live, [request(unknown), elsewhere, (b"x", b"{}")], topics.REREADS)
    assert serve(live, server, lambda subject: asked(subject) == 1) == {"refused": 1}
    letters = {letter.reason: letter for letter in deadletters.read(live)}
    assert letters.keys() == {"reread_refused", "reread_not_connected", "bad_request"}
    assert "View All" in letters["reread_refused"].detail
    organisation.rows["Opportunity"].append({**ROW, "Id": unknown})
    assert deadletters.redrive(live, iter([letters["reread_refused"]])) == (1, 0)
    assert serve(live, server, lambda subject: asked(subject) == 1) == {"read": 1}
    assert [one["opportunity_id"] for one in snapshots(live)] == [unknown]


def test_a_day_of_refusals_is_enough(live: Settings, stack: ExitStack) -> None:
    _, server = serving(stack, ROW)
    server.misbehave = lambda asked: web.Response(status=500)
    produce(live, [request(DEAL)], topics.REREADS)
    outcomes = serve(live, server, lambda subject: asked(subject) == 1, give_up_ms=0)
    assert outcomes == {"later": 1, "given_up": 1}
    (letter,) = deadletters.read(live)
    assert (letter.reason, letter.topic) == ("reread_given_up", live.topic(topics.REREADS))


def test_a_lost_transaction_is_read_page_by_page(live: Settings, stack: ExitStack) -> None:
    organisation, server = serving(stack, *({**ROW, "Id": f"006SM00000{n:02}Tb3YAE"} for n in range(7)))
    organisation.page = 3
    about = {"schema": "reread.v1", "entity": "Opportunity", "source": "salesforce", "reason": "overflow"}
    lost = about | {"at": "2026-10-14T18:00:00Z", "since": "2026-10-14T17:00:00Z"}
    produce(live, [(b"Opportunity", orjson.dumps(lost))], topics.REREADS)
    failed = [web.Response(status=503)]
    server.misbehave = lambda asked: failed.pop() if "/query/" in asked.path and failed else None
    assert serve(live, server, lambda subject: asked(subject) == 1) == {"read": 1, "later": 1}
    assert len(snapshots(live)) == 7, "the page that failed was asked for again, and no other"
