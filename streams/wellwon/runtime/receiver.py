"""What HubSpot posts: verified, in Kafka, then answered. Nothing else happens here.

A body's events go to ``raw.hubspot`` one by one, as they came. HubSpot takes any answer but 2xx, and none within five
seconds, as a failure and sends the body again later: so it is answered with 200 only when Kafka has all of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec
from aiohttp import web
from confluent_kafka import KafkaException, Producer

from wellwon.runtime import topics
from wellwon.runtime.connection import librdkafka
from wellwon.runtime.ingest_metrics import ReceiverMetrics
from wellwon.runtime.outlet import PARTITIONER
from wellwon.runtime.settings import Settings
from wellwon.sources.hubspot_signature import Forged, Verifier

log = logging.getLogger(__name__)

SOURCE: Final = "hubspot"
BODY_MAX: Final = 1024 * 1024
"""Bytes. HubSpot posts up to 100 events, of some 300 bytes each."""
WAIT_MS: Final = 900
"""Kafka has this long to take a body: an answer within a second, good or bad."""
ORDERED_WAIT_MS: Final = 120_000
UNCONFIRMED: Final = 50_000
"""Events on their way to Kafka, at most; beyond them HubSpot is told to come again."""


class _Keyed(msgspec.Struct):
    """The part of an event that says where it belongs."""

    objectId: int | str | None = None


_keyed: Final = msgspec.json.Decoder(_Keyed).decode


def _key(event: msgspec.Raw) -> bytes | None:
    """The deal, so that what happened to it stays together where somebody gave the raw topic several partitions."""
    try:
        return str(_keyed(event).objectId).encode()
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None  # it becomes a dead letter, wherever it is


Record = tuple[str, bytes | None, bytes]
"""Topic without prefix, key, value."""


class RawWriter:
    """Writes records of a raw topic. `write` returns when Kafka has them."""

    def __init__(self, settings: Settings, source: str, *, in_order: bool = False) -> None:
        """``in_order``: for a source whose order counts, and that can wait for longer than HubSpot does."""
        self._settings = settings
        self._topic = topics.RAW + source
        # A record written twice is known by its events' ids; an idempotent producer keeps them in order, and waits.
        # HubSpot has ten requests open at a time: with small bodies, what each of them waits here decides how many
        # there can be.
        patience = (
            {"enable.idempotence": True, "message.timeout.ms": ORDERED_WAIT_MS}
            if in_order
            else {"message.timeout.ms": WAIT_MS, "request.timeout.ms": WAIT_MS - 100}
        )
        self._producer = Producer(
            librdkafka(settings)
            | {
                "acks": "all",
                "partitioner": PARTITIONER,
                "linger.ms": 0,
                "queue.buffering.max.messages": UNCONFIRMED,
                "message.max.bytes": topics.DEAD_LETTER_BYTES,
                "logger": log,
            }
            | patience
        )
        self._stop = threading.Event()
        self._polling = threading.Thread(target=self._poll, name="raw-writer", daemon=True)
        self._polling.start()

    def _poll(self) -> None:
        while not self._stop.is_set():
            self._producer.poll(0.1)

    async def write(self, events: Sequence[msgspec.Raw]) -> None:
        """Write all of these. Raises KafkaException or BufferError where Kafka does not take them in time."""
        await self.put([(self._topic, _key(event), bytes(event)) for event in events])

    async def put(self, records: Sequence[Record]) -> None:
        """Write records of several topics. Raises KafkaException or BufferError like `write`."""
        if not records:
            return
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        left, failed = len(records), None

        def settle() -> None:
            if not done.done():
                if failed is None:
                    done.set_result(None)
                else:
                    done.set_exception(KafkaException(failed))

        def delivered(error: Any, _message: Any) -> None:
            nonlocal left, failed
            left -= 1
            failed = failed or error
            if not left:
                loop.call_soon_threadsafe(settle)

        for topic, key, value in records:
            self._producer.produce(self._settings.topic(topic), value=value, key=key, on_delivery=delivered)
        await done

    def close(self) -> None:
        """Send what is left."""
        self._producer.flush(3.0)
        self._stop.set()
        self._polling.join()


class Receiver:
    """A small web server of its own: it faces the internet, /metrics does not."""

    def __init__(self, settings: Settings, metrics: ReceiverMetrics) -> None:
        self._settings = settings
        self._metrics = metrics
        self._verifier = Verifier(settings.hubspot_secret, settings.hubspot_url)
        self._writer: RawWriter | None = None
        self._read = msgspec.json.Decoder(list[msgspec.Raw]).decode
        self.port = 0
        """The port in use, known once it serves."""

    @contextlib.asynccontextmanager
    async def serving(self, address: str) -> AsyncIterator[Receiver]:
        """Serve for the length of an ``async with`` block. Raises OSError when the address is taken."""
        app = web.Application(client_max_size=BODY_MAX)
        # A proxy may have changed the path: what counts is the signature.
        app.router.add_post("/{path:.*}", self._receive)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        self._writer = RawWriter(self._settings, SOURCE)
        try:
            host, _, port = address.rpartition(":")
            await web.TCPSite(runner, host.strip("[]"), int(port)).start()
            self.port = runner.addresses[0][1]
            yield self
        finally:
            await runner.cleanup()
            self._writer.close()

    async def _receive(self, request: web.Request) -> web.Response:
        began = time.monotonic()
        outcome, status, events = await self._outcome(request)
        self._metrics.received(outcome, events, time.monotonic() - began)
        return web.Response(status=status)

    async def _outcome(self, request: web.Request) -> tuple[str, int, int]:
        """What became of a request, the status that says so, and how many events are in Kafka."""
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return "too_large", 413, 0
        stamp, signature = (
            request.headers.get(f"X-HubSpot-{name}", "") for name in ("Request-Timestamp", "Signature-v3")
        )
        try:
            self._verifier.check(stamp, signature, body, time.time_ns() // 1_000_000)
        except Forged as error:
            log.warning("webhook refused: %s", error)
            return "forged", 401, 0
        try:
            events = self._read(body)
        except msgspec.DecodeError as error:
            log.warning("webhook is no list of events: %s", error)
            return "not_events", 400, 0
        assert self._writer is not None
        try:
            await self._writer.write(events)
        except (KafkaException, BufferError) as error:
            log.error("Kafka did not take a webhook, HubSpot will send it again: %s", error)
            return "kafka_failed", 503, 0
        return "taken", 200, len(events)
