"""Web servers that speak what the sinks expect, note all they were sent, and misbehave on request.

They run on a thread of their own, so that workers in other processes and tests that block can talk to them.
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

Misbehaviour = Callable[["Request"], web.Response | float | None]
"""Given a request: an answer in its stead, seconds to hang before the right one, or None to behave."""


@dataclass
class Request:
    """What arrived."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float
    query: dict[str, str] = field(default_factory=dict)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """A server on a free port. ``taken`` has the requests that were answered well, ``all`` every one."""

    answer: Callable[[Request], web.Response]
    misbehave: Misbehaviour = lambda request: None
    all: list[Request] = field(default_factory=list)
    taken: list[Request] = field(default_factory=list)
    port: int = 0
    parallel: int = 0
    most_parallel: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, http: web.Request) -> web.Response:
        request = Request(http.path, dict(http.headers), await http.read(), time.time(), dict(http.query))
        self.all.append(request)
        self.parallel += 1
        self.most_parallel = max(self.most_parallel, self.parallel)
        try:
            wrong = self.misbehave(request)
            if isinstance(wrong, float):
                await asyncio.sleep(wrong)
                wrong = None
            if wrong is not None:
                return wrong
            self.taken.append(request)
            return self.answer(request)
        finally:
            self.parallel -= 1


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Serve for the length of a ``with`` block."""
    loop = asyncio.new_event_loop()
    started = threading.Event()
    stop = asyncio.Event()

    async def serve() -> None:
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", server.handle)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", server.port).start()
        server.port = runner.addresses[0][1]
        started.set()
        await stop.wait()
        await runner.cleanup()
        hanging = asyncio.all_tasks() - {asyncio.current_task()}
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


# --- who they are ---------------------------------------------------------------------------------------------------


def receiver() -> Server:
    """Somebody's webhook, or a Teams workflow: accepts."""
    return Server(lambda request: web.Response(status=202))


def incoming_webhook() -> Server:
    """Slack's incoming webhook."""
    return Server(lambda request: web.Response(text="ok"))


@dataclass
class Workspace:
    """Slack's Web API: users by e-mail, channels, messages that can be edited, tokens that expire."""

    users: dict[str, str] = field(default_factory=lambda: {"ann@example.com": "U1", "bo@example.com": "U2"})
    channels: set[str] = field(default_factory=lambda: {"C01"})
    token: str = "xoxb-good"
    messages: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)

    def answer(self, request: Request) -> web.Response:
        method = request.path.rpartition("/")[2]
        self.calls[method] += 1
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return self._no("invalid_auth")
        if method == "users.lookupByEmail":
            user = self.users.get(parse_qs(request.body.decode())["email"][0])
            return self._no("users_not_found") if user is None else self._yes(user={"id": user})
        about = request.json
        if len(about.get("blocks", ())) > 50:
            return self._no("invalid_blocks")
        if method == "chat.postMessage":
            channel = about["channel"]
            if channel in self.users.values():
                channel = "D" + channel
            elif channel not in self.channels:
                return self._no("channel_not_found")
            if (thread := about.get("thread_ts")) and (channel, thread) not in self.messages:
                return self._no("thread_not_found")
            ts = f"1700000000.{len(self.messages):06d}"
            self.messages[channel, ts] = about
            return self._yes(channel=channel, ts=ts)
        if method == "chat.update":
            place = about["channel"], about["ts"]
            if place not in self.messages:
                return self._no("message_not_found")
            self.messages[place] = {**self.messages[place], **about}
            return self._yes(channel=place[0], ts=place[1])
        return self._no("unknown_method")

    @staticmethod
    def _yes(**about: Any) -> web.Response:
        return web.json_response({"ok": True, **about})

    @staticmethod
    def _no(error: str) -> web.Response:
        return web.json_response({"ok": False, "error": error})


def slack(workspace: Workspace) -> Server:
    """Slack's Web API."""
    return Server(workspace.answer)
