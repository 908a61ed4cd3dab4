"""A Slack for the demo: as much of its Web API as deliver calls, over loopback. It keeps what was posted."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from wellwon.runtime.loopback import on_loopback


@dataclass(frozen=True, slots=True)
class Posted:
    """One call of ``chat.postMessage`` or ``chat.update``."""

    to: str
    """Whom it reaches: an e-mail address, or a channel."""
    edited: bool
    message: dict[str, Any]
    """As it came over the wire: ``text`` for the notification, and ``blocks``."""


@dataclass(slots=True)
class DemoSlack:
    """Everybody is a user by an id that is the e-mail address; every channel exists."""

    url: str = ""
    posted: list[Posted] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """Answer a call of the Web API."""
        method = request.path.rpartition("/")[2]
        if method == "users.lookupByEmail":
            return web.json_response({"ok": True, "user": {"id": (await request.post())["email"]}})
        message = await request.json()
        self.posted.append(Posted(message.pop("channel"), method == "chat.update", message))
        at = message.get("ts", f"{len(self.posted)}.000000")
        return web.json_response({"ok": True, "channel": self.posted[-1].to, "ts": at})


@contextlib.asynccontextmanager
async def demo_slack() -> AsyncIterator[DemoSlack]:
    """Serve on a free port for the length of the block."""
    slack = DemoSlack()
    app = web.Application()
    app.router.add_post("/api/{method}", slack.answer)
    async with on_loopback(app) as address:
        slack.url = f"{address}/api"
        yield slack
