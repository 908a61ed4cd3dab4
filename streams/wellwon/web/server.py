"""The live page's web server: who asks, what they may see, and the pages."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from importlib import resources
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from aiohttp import web
from confluent_kafka import KafkaException
from kafka.errors import KafkaError

from wellwon.core.state import NewerState
from wellwon.core.wire import is_identifier
from wellwon.deliver.items import Reply
from wellwon.policy.model import Policy
from wellwon.policy.people import People
from wellwon.runtime.member import now_ms
from wellwon.runtime.replies import Replies
from wellwon.runtime.restore import Refused
from wellwon.runtime.settings import Settings
from wellwon.sources.history import long_id
from wellwon.web import alerts_page, deal_page, frame, guard, replying, rules_page, wins_page
from wellwon.web.access import COOKIE, SESSION_S, Access, Forbidden, Unknown, Viewer
from wellwon.web.board import Board
from wellwon.web.deals import Deals
from wellwon.web.events import Bell, Looking, place
from wellwon.web.filters import Filter
from wellwon.web.metrics import WebMetrics
from wellwon.web.reader import Items, Reader

log = logging.getLogger(__name__)

OPEN_PATHS: Final = ("/static/", "/login")
LOOKING_MAX: Final = 2_000
LIFE_S: Final = 3_600.0
"""A stream of events ends after this; the browser comes back, and shows anew who it is."""
SLOW_SIGN_IN_S: Final = 0.5
TYPES: Final = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}
_viewer: ContextVar[Viewer] = ContextVar("viewer")
"""Who sent the request that is being answered."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """See the module. ``board`` is fed with `take`."""

    def __init__(self, settings: Settings, people: People, policy: Policy) -> None:
        """Raises SettingsError where the page would be open to everyone."""
        self.board = Board()
        self.bell = Bell()
        self.metrics = WebMetrics()
        self.boot = secrets.token_hex(4)
        self.reader: Reader | None = None
        self.replies: Replies | None = None
        self._settings = settings
        self.use(people, policy)
        self._deals = Deals(settings)
        self._looking = 0
        self._files = {name: resources.files("wellwon.web").joinpath("static", name).read_bytes() for name in TYPES}
        self._tags = {name: f'"{hashlib.sha256(data).hexdigest()[:16]}"' for name, data in self._files.items()}

    def use(self, people: People, policy: Policy) -> None:
        """Let these decide who sees what from now on. Raises SettingsError; then nothing has changed."""
        self.access = Access(self._settings, people, policy)
        self._people = people
        self._policy = policy

    def take(self, items: Items) -> None:
        """Apply what was read, and show it to who looks on."""
        before = self.board.number
        for item in items:
            self.board.take(item)
        self.metrics.open.set(len(self.board.open))
        self.metrics.dropped.set(self.board.dropped)
        if self.board.number != before:
            self.bell.ring()

    def now(self) -> int:
        """The time by which alerts are snoozed: the clock's, or with WELLWON_CLOCK=log the log's."""
        return now_ms() if self._settings.clock == "wall" else self.board.now

    def app(self) -> web.Application:
        """The application to serve."""
        app = web.Application(client_max_size=replying.BODY_MAX, middlewares=[self._around])
        app.router.add_get("/", self._alerts, name="alerts")
        app.router.add_get("/events", self._events, name="events")
        app.router.add_get("/deals/{deal}", self._deal, name="deal")
        app.router.add_get("/wins", self._wins, name="wins")
        app.router.add_get("/rules", self._rules, name="rules")
        app.router.add_get("/rules/{rule}", self._rule, name="rule")
        app.router.add_post("/replies", self._reply, name="reply")
        app.router.add_get("/static/{file}", self._static, name="static")
        app.router.add_get("/login", self._login, name="login")
        app.router.add_post("/login", self._login, name="enter")
        app.router.add_post("/logout", self._logout, name="leave")
        return app

    # --- around every request -------------------------------------------------------------------------------------

    @web.middleware
    async def _around(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.perf_counter()
        page = request.match_info.route.name or "none"
        try:
            response = await self._admitted(request, handler)
        except web.HTTPException as error:
            response = _plain(error.status, *_WORDS.get(error.status, (error.reason, "The address is wrong.")))
        except Exception:
            log.exception("page %s failed", page)
            response = _plain(500, "That did not work", "The log of `wellwon web` says why.")
        self.metrics.requests.labels(page, str(response.status)).inc()
        if page != "events":
            self.metrics.seconds.labels(page).observe(time.perf_counter() - began)
        if not response.prepared:
            response.headers.update(guard.HEADERS)
            response.headers.setdefault("Cache-Control", "no-store")
            if isinstance(response, web.Response) and response.body:
                response.enable_compression()
        return response

    async def _admitted(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if self.access.local and not guard.is_local_host(request.headers.get("Host", "")):
            return self._refused(421, "host", "Not this host", "The page is for this machine: use http://localhost.")
        signed = bool(request.headers.get("Authorization"))
        if request.method == "POST" and not signed and not guard.is_our_own(request.headers, self._settings.page):
            return self._refused(403, "foreign", "Refused", "The request does not come from this page.")
        if not request.path.startswith(OPEN_PATHS):
            try:
                viewer = self.access.identify(
                    request.remote, request.headers, request.cookies.get(COOKIE, ""), int(time.time())
                )
            except Forbidden as error:
                return self._refused(403, "forbidden", "Nothing to see", str(error))
            except Unknown:
                return self._ask_who(request)
            _viewer.set(viewer)
        return await handler(request)

    def _ask_who(self, request: web.Request) -> web.Response:
        if self.access.has_token and request.method == "GET" and request.path != "/events":
            query = urlencode({"next": request.path_qs})
            return web.Response(status=303, headers={"Location": f"/login?{query}"})
        return self._refused(
            401, "unknown", "Sign in first", "The proxy in front of this page does not say who you are."
        )

    def _refused(self, status: int, reason: str, title: str, text: str) -> web.Response:
        self.metrics.refused.labels(reason).inc()
        return _plain(status, title, text)

    def _frame(self) -> frame.Frame:
        viewer = _viewer.get()
        reading = self.reader is not None and not self.reader.caught_up
        return frame.Frame(viewer, viewer.zone or self._policy.calendar.zone, reading, viewer.name == "token")

    # --- pages ----------------------------------------------------------------------------------------------------

    async def _alerts(self, request: web.Request) -> web.Response:
        shown = request.query.get("shown", "")
        most = int(shown) if shown.isascii() and shown.isdigit() and len(shown) < 6 else alerts_page.SHOWN
        most = min(max(most, 1), alerts_page.SHOWN_MAX)
        wanted = Filter.of(request.query)
        around = self._frame()
        return _html(alerts_page.page(self.board, around, self._people, wanted, most, self.now(), self.boot))

    async def _deal(self, request: web.Request) -> web.Response:
        deal = long_id(request.match_info["deal"])
        around = self._frame()
        if not is_identifier(deal):
            raise web.HTTPNotFound
        if deal != request.match_info["deal"]:
            return web.Response(status=303, headers={"Location": f"/deals/{quote(deal, safe='')}"})
        try:
            known = await self._deals.find(deal)
        except (Refused, NewerState, KafkaException, KafkaError) as error:
            log.error("deal not looked up: %s", error)
            return _plain(503, "The deal cannot be looked up now", str(error))
        # One that is not theirs looks as one that is not there.
        if known is None or not around.viewer.sees(known.state.now.owner):
            said = "It is not among those you see, has not changed yet, or is closed for longer than closed_days."
            return _plain(404, "No such deal", said)
        return _html(deal_page.page(known, self.board, around, self._people, self.boot))

    async def _wins(self, request: web.Request) -> web.Response:
        return _html(wins_page.page(self.board, self._frame(), request.query))

    async def _rules(self, _request: web.Request) -> web.Response:
        return _html(rules_page.index(self._frame(), self._policy))

    async def _rule(self, request: web.Request) -> web.Response:
        spec = rules_page.BY_NAME.get(request.match_info["rule"])
        if spec is None:
            raise web.HTTPNotFound
        return _html(rules_page.page(self._frame(), spec, self._policy))

    async def _static(self, request: web.Request) -> web.Response:
        name = request.match_info["file"]
        if name not in self._files:
            raise web.HTTPNotFound
        headers = {"ETag": self._tags[name], "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == self._tags[name]:
            return web.Response(status=304, headers=headers)
        return web.Response(body=self._files[name], content_type=TYPES[name], charset="utf-8", headers=headers)

    # --- events ---------------------------------------------------------------------------------------------------

    async def _events(self, request: web.Request) -> web.StreamResponse:
        if self._looking >= LOOKING_MAX:
            return self._refused(503, "too-many", "Too many pages are open", "Close one, and load this one again.")
        around = self._frame()
        wanted = Filter.of(request.query)
        since = place(request.headers.get("Last-Event-ID") or request.query.get("since", ""), self.boot)
        looking = Looking(self.board, around.viewer, wanted, self._people, around.zone, self.boot)
        headers = {**guard.HEADERS, "Content-Type": "text/event-stream", "Cache-Control": "no-store"}
        response = web.StreamResponse(headers={**headers, "X-Accel-Buffering": "no"})
        self._looking += 1
        self.metrics.looking.set(self._looking)
        try:
            await response.prepare(request)
            async with asyncio.timeout(LIFE_S):
                async for said in looking.events(since, self.bell, self.now):
                    await response.write(said)
        except (TimeoutError, ConnectionError):
            pass  # they come back, or are gone
        finally:
            self._looking -= 1
            self.metrics.looking.set(self._looking)
        return response

    # --- answers --------------------------------------------------------------------------------------------------

    async def _reply(self, request: web.Request) -> web.Response:
        viewer = _viewer.get()
        if request.content_type != "application/json":
            return _said(415, "application/json is expected")
        try:
            body = json.loads(await request.read())
            mark = replying.mark_of(body)
        except (ValueError, RecursionError) as error:
            return _said(400, str(error))
        standing = self.board.open.get(mark)
        if standing is None or not viewer.sees_alert(standing.alert):
            return _said(409, "The alert is over: nothing to answer any more.")
        try:
            reply = replying.reply(body, standing.alert, viewer.name, self.now())
        except replying.Meaningless as error:
            return _said(400, str(error))
        return await self._write(reply)

    async def _write(self, reply: Reply) -> web.Response:
        assert self.replies is not None
        try:
            await self.replies.send(reply)
        except KafkaException as error:
            log.error("Kafka did not take a reply: %s", error)
            return _said(503, "Kafka did not take it. Try again in a moment.")
        self.metrics.replies.labels(reply.kind).inc()
        return _said(202, "")

    # --- signing in -----------------------------------------------------------------------------------------------

    async def _login(self, request: web.Request) -> web.Response:
        if not self.access.has_token:
            raise web.HTTPNotFound
        if request.method == "GET":
            return _html(frame.sign_in(guard.safe_path(request.query.get("next", "/")), wrong=False))
        form = await request.post()
        next_ = guard.safe_path(str(form.get("next", "/")))
        if not self.access.is_token(str(form.get("token", ""))):
            self.metrics.refused.labels("token").inc()
            log.warning("sign-in refused", extra={"peer": request.remote})
            await asyncio.sleep(SLOW_SIGN_IN_S)
            return _html(frame.sign_in(next_, wrong=True), 401)
        response = web.Response(status=303, headers={"Location": next_})
        secure = urlsplit(self._settings.page).scheme == "https"
        session = self.access.session(int(time.time()))
        response.set_cookie(COOKIE, session, max_age=SESSION_S, httponly=True, samesite="Lax", secure=secure)
        return response

    async def _logout(self, _request: web.Request) -> web.Response:
        response = web.Response(status=303, headers={"Location": "/login"})
        response.del_cookie(COOKIE)
        return response


_WORDS: Final = {
    404: ("Not found", "There is no such page."),
    405: ("Not so", "The address is right, the method is not."),
    413: ("Too long", "The request is longer than anything the page sends."),
}


def _html(text: str, status: int = 200) -> web.Response:
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8")


def _plain(status: int, title: str, text: str) -> web.Response:
    return _html(frame.problem(title, text), status)


def _said(status: int, text: str) -> web.Response:
    """An answer to the page's script."""
    return web.json_response({"said": text}, status=status)
