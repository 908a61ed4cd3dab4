"""HubSpot's own history, page by page, through storms of refusals, into files that are whole or not there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner

from fakes import hubspot
from fakes.web import Request, Server, running
from wellwon.cli import cli
from wellwon.runtime.hubspot_fetch import ATTEMPTS, DEALS, HISTORY, STAGES, Fetched, FetchFailed, HubSpotApi, fetch
from wellwon.sources.change import Rejected
from wellwon.sources.feed import Feed
from wellwon.sources.history import Options
from wellwon.sources.kinds import guess_kind
from wellwon.sources.mapping import SourceView

PROPERTIES = ["amount", "closedate", "dealstage"]


def story(number: int) -> list[tuple[str, str, str]]:
    return [
        ("dealstage", "101", f"2026-03-02T10:00:0{number % 10}Z"),
        ("closedate", "2026-03-31T00:00:00Z", "2026-02-01T10:00:00Z"),
        ("dealstage", "demo", "2026-01-05T10:00:00Z"),
        ("amount", f"{number}", "2026-01-05T10:00:00Z"),
        ("hs_not_asked", "x", "2026-01-05T10:00:00Z"),
    ]


@pytest.fixture
def account() -> hubspot.Account:
    return hubspot.Account({f"{n:03d}": story(n) for n in range(120)}, {"900": story(900)})


@pytest.fixture
def server(account: hubspot.Account) -> Iterator[Server]:
    with running(hubspot.api(account)) as found:
        yield found


def run(server: Server, folder: Path, *, token: str = "pat-good") -> tuple[Fetched, list[float]]:
    """What came, and how long it would have waited."""
    waits: list[float] = []

    async def pause(seconds: float) -> None:
        waits.append(seconds)

    async def go() -> Fetched:
        async with HubSpotApi(token, server.url, timeout=1.0, pause=pause) as api:
            return await fetch(api, PROPERTIES, folder)

    return asyncio.run(go()), waits


def test_the_files_are_a_history(server: Server, tmp_path: Path) -> None:
    fetched, waits = run(server, tmp_path / "out")
    assert (fetched.deals, fetched.values, waits) == (121, 4 * 121, [])
    assert len([one for one in server.taken if one.path.endswith("deals") and "limit" in one.query]) == 4
    files = [str(tmp_path / "out" / name) for name in (HISTORY, DEALS, STAGES)]
    rejected: list[Rejected] = []
    feed = Feed(guess_kind(files[:1]), files, SourceView(), Options(), rejected.append)
    by_deal: dict[bytes, list[str]] = {}
    for out in feed:
        by_deal.setdefault(out.key, []).append(out.value.decode())
    assert not rejected
    assert len(by_deal) == 121
    assert any('"is_won":true' in told and '"stage":"101"' in told for told in by_deal[b"007"])
    assert any('"kind":"deleted"' in told for told in by_deal[b"900"])


def test_it_comes_back_after_what_passes(server: Server, tmp_path: Path) -> None:
    refusals: list[web.Response | float] = [
        hubspot.error(429, "RATE_LIMITS", "TEN_SECONDLY_ROLLING", **{"Retry-After": "7"}),
        hubspot.error(429, "RATE_LIMITS", "TEN_SECONDLY_ROLLING"),
        hubspot.error(502, "BAD_GATEWAY"),
        1.5,  # longer than it waits for an answer
        web.Response(text="<html>", content_type="text/html"),
    ]

    def misbehave(request: Request) -> web.Response | float | None:
        return refusals.pop(0) if refusals and request.query.get("after") == "50" else None

    server.misbehave = misbehave
    fetched, waits = run(server, tmp_path)
    assert fetched.deals == 121
    assert waits[0] == 7
    assert len(waits) == 5
    assert all(0.5 <= wait <= 60 for wait in waits)


@pytest.mark.parametrize(
    ("refusal", "said"),
    [
        (hubspot.error(403, "MISSING_SCOPES"), "crm.objects.deals.read"),
        (hubspot.error(429, "RATE_LIMITS", "DAILY"), "run it again tomorrow"),
        (hubspot.error(503, "DOWN"), f"in {ATTEMPTS} attempts"),
    ],
)
def test_what_does_not_pass_leaves_the_files_of_before(
    server: Server, tmp_path: Path, refusal: web.Response, said: str
) -> None:
    (tmp_path / HISTORY).write_text("of last week")
    body, status = refusal.body, refusal.status

    def misbehave(request: Request) -> web.Response | None:
        return web.Response(body=body, status=status) if request.query.get("after") == "100" else None

    server.misbehave = misbehave
    with pytest.raises(FetchFailed, match=re.escape(said)):
        run(server, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [HISTORY]
    assert (tmp_path / HISTORY).read_text() == "of last week"


def test_a_wrong_token(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchFailed, match="the token must be valid"):
        run(server, tmp_path, token="pat-old")
    assert len(server.all) == 1


def test_pages_that_do_not_end(server: Server, tmp_path: Path) -> None:
    def misbehave(request: Request) -> web.Response | None:
        if "limit" not in request.query:
            return None
        return web.json_response({"results": [], "paging": {"next": {"after": "50"}}})

    server.misbehave = misbehave
    with pytest.raises(FetchFailed, match="do not end"):
        run(server, tmp_path)


def test_the_command(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WELLWON_CRM_HUBSPOT_TOKEN", raising=False)
    arguments = ["fetch", "hubspot", str(tmp_path / "h"), "--api", server.url]
    missing = CliRunner().invoke(cli, arguments)
    assert missing.exit_code == 2
    assert "WELLWON_CRM_HUBSPOT_TOKEN" in missing.stderr
    monkeypatch.setenv("WELLWON_CRM_HUBSPOT_TOKEN", "pat-good")
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    assert "121 deals" in done.stderr
    assert [Path(line).name for line in done.stdout.split()] == [HISTORY, DEALS, STAGES]
    asked = server.taken[1].query["propertiesWithHistory"].split(",")
    assert {"closedate", "dealstage", "hubspot_owner_id"} <= set(asked)
    assert "CloseDate" not in asked
