"""Where Slack sends what people press: verified, in Kafka, then answered. Nothing else happens here."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import AsyncIterator

from aiohttp import web
from confluent_kafka import KafkaException

from wellwon.runtime.member import now_ms
from wellwon.runtime.replies import Replies
from wellwon.runtime.settings import Settings
from wellwon.sinks.slack_requests import BODY_MAX, Forged, Meaningless, Verifier, read

log = logging.getLogger(__name__)

PATH = "/slack/interactions"


class Interactions:
    """A small web server of its own: it faces the internet, /metrics does not."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._verifier = Verifier(settings.slack_signing_secret)
        self._replies: Replies | None = None
        self.port = 0
        """The port in use, known once it serves."""

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[Interactions]:
        """Serve for the length of an ``async with`` block. Raises OSError when the address is taken."""
        app = web.Application(client_max_size=BODY_MAX)
        app.router.add_post(PATH, self._receive)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        self._replies = Replies(self._settings)
        try:
            host, _, port = self._settings.interactions.rpartition(":")
            await web.TCPSite(runner, host.strip("[]"), int(port)).start()
            self.port = runner.addresses[0][1]
            log.info("interactions received", extra={"port": self.port, "path": PATH})
            yield self
        finally:
            await runner.cleanup()
            self._replies.close()

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        stamp, signature = (request.headers.get(f"X-Slack-{name}", "") for name in ("Request-Timestamp", "Signature"))
        try:
            self._verifier.check(stamp, signature, body, int(time.time()))
            reply = read(body, now_ms())
        except Forged as error:
            log.warning("interaction refused: %s", error)
            return web.Response(status=401)
        except Meaningless as error:
            log.warning("interaction not understood: %s", error)
            return web.Response(status=400)
        if reply is not None:
            assert self._replies is not None
            try:
                await self._replies.send(reply)
            except KafkaException as error:
                log.error("Kafka did not take a reply: %s", error)
                return web.Response(status=503)
        return web.Response(status=200)
