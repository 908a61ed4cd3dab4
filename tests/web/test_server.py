"""The server without Kafka: what it refuses, what it carries, what it escapes, what it streams."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from aiohttp import ClientSession, CookieJar, web

from told import PEOPLE, START, alert_record, win_record
from wellwon.core.units import format_instant
from wellwon.deliver.items import Reply, read_alert, read_win
from wellwon.policy import load_policy
from wellwon.policy.people import load_people
from wellwon.runtime.settings import Settings
from wellwon.web.guard import safe_path
from wellwon.web.server import Server

LOCAL = Settings(web="127.0.0.1:0", clock="log")
PROXY = replace(LOCAL, web_proxies=("127.0.0.1/32",))
TOKEN = "0123456789abcdef0123"
OURS = {"Sec-Fetch-Site": "same-origin"}
HOSTILE = "</title><script>alert(1)</script>\u202e\x1b[31m\x00'\"&" + "<b>" * 3_000


class Noted:
    """Takes replies in Kafka's stead."""

    def __init__(self) -> None:
        self.sent: list[Reply] = []

    async def send(self, reply: Reply) -> None:
        self.sent.append(reply)


Ask = Callable[..., Awaitable[tuple[int, str, Any]]]
"""Method, path, and what else a request has; gives status, text and headers."""


def play(settings: Settings, act: Callable[[Server, Ask, ClientSession, str], Awaitable[None]]) -> Server:
    """Serve on a free port, and do something with it."""
    server = Server(settings, load_people(PEOPLE), load_policy(""))
    server.replies = Noted()  # type: ignore[assignment]

    async def run() -> None:
        runner = web.AppRunner(server.app(), handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        address = f"http://127.0.0.1:{runner.addresses[0][1]}"

        async with ClientSession(cookie_jar=CookieJar(unsafe=True)) as client:

            async def ask(method: str, path: str, **about: Any) -> tuple[int, str, Any]:
                async with client.request(method, address + path, allow_redirects=False, **about) as answer:
                    return answer.status, await answer.text(), answer.headers

            try:
                await act(server, ask, client, address)
            finally:
                await client.close()
                await runner.cleanup()

    asyncio.run(run())
    return server


def fill(server: Server, *records: bytes) -> None:
    server.take([read_alert(record) for record in records])


class Reader(HTMLParser):
    """Every element and attribute of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.shown = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.shown += data


PATHS = (
    "/",
    "/?show=snoozed",
    "/wins",
    "/rules",
    "/rules/late-discount",
    "/nowhere",
    "/rules/none",
    "/static/page.css",
)


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_carries_the_policy_and_pages_need_nothing_else(path: str) -> None:
    async def act(server: Server, ask: Ask, _client: ClientSession, _address: str) -> None:
        fill(server, alert_record())
        status, text, headers = await ask("GET", path)
        assert status == (404 if path in ("/nowhere", "/rules/none") else 200)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        if not path.startswith("/static"):
            page = Reader(text)
            assert "style" not in page.tags + page.attributes
            assert not [name for name in page.attributes if name.startswith("on")]
            assert "http" not in text

    play(LOCAL, act)


def test_a_name_of_somebody_elses_does_not_lead_here() -> None:
    async def act(_server: Server, ask: Ask, _client: ClientSession, _address: str) -> None:
        assert (await ask("GET", "/", headers={"Host": "evil.example"}))[0] == 421
        assert (await ask("GET", "/", headers={"Host": "localhost:1"}))[0] == 200

    play(LOCAL, act)


def press(**changes: Any) -> dict[str, Any]:
    about = {"mark": "late-discount:d1:2026-Q4", "kind": "acknowledged", "press": "0123456789"}
    return {**about, **changes}


def test_other_sites_cannot_speak_for_who_is_signed_in() -> None:
    async def act(server: Server, ask: Ask, _client: ClientSession, address: str) -> None:
        fill(server, alert_record())
        for headers in (
            {},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site", "Origin": address},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
        ):
            assert (await ask("POST", "/replies", json=press(), headers=headers))[0] == 403
        assert (await ask("POST", "/replies", data=json.dumps(press()), headers=OURS))[0] == 415
        assert (await ask("POST", "/replies", json=press(), headers={"Origin": address}))[0] == 202
        assert (await ask("POST", "/replies", json=press(), headers=OURS))[0] == 202
        assert (await ask("POST", "/logout"))[0] == 403

    server = play(LOCAL, act)
    sent = server.replies.sent  # type: ignore[union-attr]
    assert [one.kind for one in sent] == ["acknowledged"] * 2
    assert sent[0].id == sent[1].id, "one press, one reply"


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({"kind": "answered", "answer": "traded"}, ("traded", "", "")),
        ({"kind": "answered", "answer": "not_right", "value": "data"}, ("not_right", "The data is wrong", "")),
        ({"kind": "snoozed", "value": "24"}, ("", "", "2026-12-30T09:00:00Z")),
        ({"kind": "answered", "answer": "legal"}, None),
        ({"kind": "answered", "answer": "not_right"}, None),
        ({"kind": "snoozed", "value": "0"}, None),
        ({"kind": "snoozed", "value": "9" * 30}, None),
        ({"kind": "snoozed", "value": "-1"}, None),
        ({"kind": "snoozed", "value": "000001" + "9" * 5}, None),
        ({"kind": "snoozed", "value": "000001" + "9" * 5_000}, None),
        ({"kind": "deleted"}, None),
        ({"kind": None}, None),
        ({"press": "x"}, None),
        ({"press": 12345678}, None),
        ({"answer": {"x": 1}}, None),
        ({"mark": 5}, None),
    ],
)
def test_replies_are_those_of_the_buttons_and_no_others(
    changes: dict[str, Any], kept: tuple[str, str, str] | None
) -> None:
    async def act(server: Server, ask: Ask, _client: ClientSession, _address: str) -> None:
        fill(server, alert_record())
        status, _, _ = await ask("POST", "/replies", json=press(**changes), headers=OURS)
        assert status == (400 if kept is None else 202)

    sent = play(LOCAL, act).replies.sent  # type: ignore[union-attr]
    assert [(one.answer, one.note, one.until) for one in sent] == ([] if kept is None else [kept])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"[" * 10_000, b"\xff", b"x" * 100_000])
def test_a_body_that_is_no_reply_is_refused(body: bytes) -> None:
    async def act(_server: Server, ask: Ask, _client: ClientSession, _address: str) -> None:
        headers = {**OURS, "Content-Type": "application/json"}
        assert (await ask("POST", "/replies", data=body, headers=headers))[0] in (400, 413)

    play(LOCAL, act)


def test_nobody_sees_or_answers_what_is_not_theirs() -> None:
    async def act(server: Server, ask: Ask, _client: ClientSession, _address: str) -> None:
        fill(server, alert_record(), alert_record(deal="d2", owner_id="stranger", name="Secret"))
        server.take([read_win(win_record(name="Hidden", owner_id="stranger", opportunity_id="d3"))])
        ann = {**OURS, "X-Forwarded-Email": "ann@example.com"}
        status, text, _ = await ask("GET", "/", headers=ann)
        assert (status, "Acme d1" in text, "Secret" in text, "stranger" in text) == (200, True, False, False)
        assert "Hidden" not in (await ask("GET", "/wins", headers=ann))[1]
        mark = "late-discount:d2:2026-Q4"
        assert (await ask("POST", "/replies", json=press(mark=mark), headers=ann))[0] == 409
        assert (await ask("POST", "/replies", json=press(), headers=ann))[0] == 202
        assert (await ask("GET", "/"))[0] == 401
        assert (await ask("GET", "/", headers={"X-Forwarded-Email": "nobody@example.com"}))[0] == 403

    sent = play(PROXY, act).replies.sent  # type: ignore[union-attr]
    assert [one.by for one in sent] == ["Ann"]


def test_who_sees_what_follows_the_files() -> None:
    async def act(server: Server, ask: Ask, _client: ClientSession, _address: str) -> None:
        fill(server, alert_record())
        ann = {"X-Forwarded-Email": "ann@example.com"}
        assert "Acme d1" in (await ask("GET", "/", headers=ann))[1]
        server.use(load_people("id,email\nbo,bo@example.com\n"), load_policy(""))
        assert (await ask("GET", "/", headers=ann))[0] == 403

    play(PROXY, act)


def test_signing_in_with_the_token() -> None:
    async def act(_server: Server, ask: Ask, client: ClientSession, _address: str) -> None:
        status, _, headers = await ask("GET", "/deals/d1")
        assert (status, headers["Location"]) == (303, "/login?next=%2Fdeals%2Fd1")
        assert (await ask("GET", "/events"))[0] == 401
        wrong = {"token": "wrong", "next": "/wins"}
        assert (await ask("POST", "/login", data=wrong, headers=OURS))[0] == 401
        right = {"token": TOKEN, "next": "/wins"}
        assert (await ask("POST", "/login", data=right))[0] == 403, "not from our page"
        status, _, headers = await ask("POST", "/login", data=right, headers=OURS)
        assert (status, headers["Location"]) == (303, "/wins")
        cookie = headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite" in cookie
        assert TOKEN not in cookie
        assert (await ask("GET", "/wins"))[0] == 200
        assert (await ask("POST", "/logout", headers=OURS))[0] == 303
        client.cookie_jar.clear()
        assert (await ask("GET", "/wins"))[0] == 303
        assert (await ask("GET", "/wins", headers={"Authorization": f"Bearer {TOKEN}"}))[0] == 200

    play(replace(LOCAL, web_token=TOKEN), act)


@pytest.mark.parametrize("text", ["//evil.example", "https://evil.example", "/\\evil.example", "", "/a\nb", "evil"])
def test_signing_in_leads_nowhere_else(text: str) -> None:
    assert safe_path(text) == "/"


def test_hostile_texts_are_texts() -> None:
    async def act(server: Server, ask: Ask, _client: ClientSession, _address: str) -> None:
        about = {"name": HOSTILE, "title": HOSTILE, "segment": HOSTILE, "owner_id": HOSTILE, "period": HOSTILE}
        clean = alert_record()
        fill(server, clean, alert_record(deal="d2", evidence={HOSTILE: HOSTILE, "clears": HOSTILE}, **about))
        server.take([read_win(win_record(name=HOSTILE, segment=HOSTILE, period=HOSTILE))])
        for path in ("/", "/wins", "/?rule=" + "%3Cscript%3E", "/wins?period=%22%3E%3Cscript%3E"):
            status, text, _ = await ask("GET", path)
            assert status == 200
            page = Reader(text)
            assert page.tags.count("script") == 1, "the page's own"
            assert not {"\u202e", "\x1b", "\x00"} & set(page.shown)
            assert len(page.shown) < 10_000

    play(LOCAL, act)


async def heard(answer: Any, name: str) -> Any:
    """The data of the next event of that name."""
    found = ""
    async for line in answer.content:
        text = line.decode().rstrip("\n")
        if text.startswith("event: "):
            found = text.removeprefix("event: ")
        elif text.startswith("data: ") and found == name:
            return json.loads(text.removeprefix("data: "))
    raise AssertionError(f"the stream ended without {name}")


def test_the_stream_tells_what_happens_since_the_page_was_made() -> None:
    async def act(server: Server, _ask: Ask, client: ClientSession, address: str) -> None:
        fill(server, alert_record())
        since = f"{server.boot}-{server.board.number}"
        fill(server, alert_record(deal="d2"))
        async with client.get(f"{address}/events?since={since}") as answer:
            assert answer.content_type == "text/event-stream"
            assert (await heard(answer, "row"))["mark"] == "late-discount:d2:2026-Q4"
            assert (await heard(answer, "counts"))["total"] == 2
            fill(server, alert_record(revision=2, transition="resolved", at=format_instant(START), evidence={}))
            assert await heard(answer, "gone") == {"mark": "late-discount:d1:2026-Q4"}
            assert (await heard(answer, "counts"))["total"] == 1

    play(LOCAL, act)


@pytest.mark.parametrize("since", ["", "other-3", "x", "{boot}-999", "{boot}--1"])
def test_a_page_of_another_run_is_told_to_load_anew(since: str) -> None:
    async def act(server: Server, _ask: Ask, client: ClientSession, address: str) -> None:
        about = {"since": since.format(boot=server.boot)}
        async with client.get(f"{address}/events", params=about) as answer:
            assert await heard(answer, "reload") is None

    play(LOCAL, act)


def test_the_stream_tells_nobody_of_what_is_not_theirs() -> None:
    async def act(server: Server, _ask: Ask, client: ClientSession, address: str) -> None:
        since = f"{server.boot}-{server.board.number}"
        fill(server, alert_record(deal="d2", owner_id="stranger"))
        fill(server, alert_record(deal="d2", owner_id="stranger", revision=2, transition="resolved", evidence={}))
        fill(server, alert_record(deal="d3"))
        ann = {"X-Forwarded-Email": "ann@example.com"}
        async with client.get(f"{address}/events", params={"since": since}, headers=ann) as answer:
            said = b""
            while b"counts" not in said:
                said += await answer.content.readany()
        assert b"d3" in said
        assert b"d2" not in said

    play(PROXY, act)


def test_a_deal_that_changes_hands_leaves_the_page_of_who_had_it() -> None:
    async def act(server: Server, _ask: Ask, client: ClientSession, address: str) -> None:
        fill(server, alert_record())
        since = f"{server.boot}-{server.board.number}"
        fill(server, alert_record(revision=2, owner_id="stranger"))
        ann = {"X-Forwarded-Email": "ann@example.com"}
        async with client.get(f"{address}/events", params={"since": since}, headers=ann) as answer:
            assert await heard(answer, "gone") == {"mark": "late-discount:d1:2026-Q4"}

    play(PROXY, act)
