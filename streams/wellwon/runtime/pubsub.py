"""Subscribes to Salesforce's change events by the Pub/Sub API, and writes them into ``raw.salesforce``.

At most `OUTSTANDING` events are on their way: more are asked for when Kafka has those that came. How far the channel
was read is kept in Kafka after its events, so a crash repeats some, and the deals know them. A stream that breaks off,
or says nothing for longer than Salesforce lets pass, is taken up again from there. Where Salesforce no longer knows the
place, what is lost is asked for by `reread.v1`, and the stream goes on with the oldest event that is kept.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import grpc
import orjson
from confluent_kafka import KafkaException
from kafka.errors import KafkaError

from wellwon.core.output import DeadLetter
from wellwon.core.units import HOUR, MINUTE
from wellwon.runtime import deadletters, topics
from wellwon.runtime import pubsub_api as api
from wellwon.runtime.ingest_metrics import SubscriberMetrics
from wellwon.runtime.pubsub_events import Events, Undecodable
from wellwon.runtime.pubsub_position import Position, Positions
from wellwon.runtime.receiver import RawWriter, Record
from wellwon.sinks.oauth import Access, Login
from wellwon.sinks.transport import Later
from wellwon.sources.change import Reread
from wellwon.sources.salesforce import LINE_ITEM, OPPORTUNITY, SOURCE

if TYPE_CHECKING:
    from wellwon.runtime.settings import Settings

log = logging.getLogger(__name__)

CHANNEL: Final = "/data/ChangeEvents"
OUTSTANDING: Final = 100
"""Events asked for and not yet in Kafka; Salesforce gives no more at once."""
SILENT_S: Final = 330.0
"""Salesforce says something every 270 seconds, if only that there is nothing: a longer silence is a dead connection."""
CALL_S: Final = 30.0
WAIT_MAX_S: Final = 120.0
LOST_MARGIN_MS: Final = HOUR
"""What was saved in so long a time before the last known place may not have been in the stream by then."""

_REFUSED: Final = frozenset(
    (
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNIMPLEMENTED,
    )
)
"""Answers that no waiting changes."""


class CannotSubscribe(OSError):
    """Salesforce does not let us subscribe; the text says what to do."""


class Subscriber:
    """See the module. Use it as a context."""

    def __init__(
        self,
        settings: Settings,
        login: Login,
        address: str,
        channel: str,
        metrics: SubscriberMetrics,
        *,
        silent_s: float = SILENT_S,
        wait: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """``address``: https://host:port of the Pub/Sub API; ``wait``: how to spend the seconds before another try."""
        self._settings = settings
        self._login = login
        self._channel_name = channel
        self._metrics = metrics
        self._silent_s = silent_s
        self._wait = wait
        target = address.partition("://")[2].rstrip("/")
        limits = [("grpc.max_receive_message_length", 64 * 2**20)]  # a batch is up to 100 events of up to 1 MB
        self._channel = (
            grpc.aio.insecure_channel(target, limits)
            if address.startswith("http://")
            else grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), limits)
        )
        self._access: Access | None = None
        self._refused = ""
        self._events = Events(self._schema)
        self._writer = RawWriter(settings, SOURCE, in_order=True)
        self._positions = Positions(settings, SOURCE)
        self._position: Position | None = None
        self._from_start = False
        """Whether to begin with the oldest event that Salesforce keeps."""
        self._placeless: list[int] = []
        """When streams began that nothing was heard on while no place was known, epoch milliseconds."""
        self._failures = 0
        self.subscribed = False

    async def __aenter__(self) -> Subscriber:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._channel.close()
        await asyncio.to_thread(self._positions.close)  # a save that was under way is awaited
        await asyncio.to_thread(self._writer.close)

    async def run(self) -> None:
        """Read until cancelled. Raises `CannotSubscribe`, and KafkaError when it cannot be told where to begin."""
        self._position = await asyncio.to_thread(self._positions.load)
        if self._position is not None and self._position.channel != self._channel_name:
            await self._lost(f"the position kept is one of {self._position.channel}")
        while True:
            try:
                await self._read()
                why = "the stream was ended"
            except grpc.aio.AioRpcError as error:
                why = await self._failed(error)
            except TimeoutError:
                why = "nothing was heard for longer than Salesforce lets pass"
            except _NoToken as error:
                why = str(error)
            self._failures += 1
            seconds = min(WAIT_MAX_S, 0.5 * 2.0 ** min(self._failures, 10)) * random.uniform(0.5, 1.0)
            log.warning("Salesforce's events stopped, trying again in %.1f s: %s", seconds, why)
            self._metrics.reconnects.inc()
            await self._wait(seconds)

    # --- the stream -------------------------------------------------------------------------------------------

    async def _read(self) -> None:
        await self._may_subscribe()
        call = self._channel.stream_stream(
            api.SUBSCRIBE.path,
            request_serializer=api.encoded,
            response_deserializer=api.decoder(api.SUBSCRIBE.response),
        )(metadata=await self._metadata())
        try:
            await call.write(self._first())
            if self._position is None:
                self._placeless.append(time.time_ns() // 1_000_000)
            # Counted here: several answers may be on their way, and what each says of the rest is of when it was sent.
            outstanding = OUTSTANDING
            while (response := await asyncio.wait_for(call.read(), self._silent_s)) is not grpc.aio.EOF:
                self._failures, self._refused = 0, ""
                self.subscribed = True
                self._metrics.heard.set_to_current_time()
                await self._take(response)
                outstanding -= len(response.events)
                if outstanding <= OUTSTANDING // 2:
                    await call.write(self._request(num_requested=OUTSTANDING - outstanding))
                    outstanding = OUTSTANDING
            # How it ended stands behind the last message.
            if (code := await call.code()) is not grpc.StatusCode.OK:
                raise grpc.aio.AioRpcError(
                    code, await call.initial_metadata(), await call.trailing_metadata(), await call.details()
                )
        finally:
            call.cancel()

    def _request(self, **about: Any) -> Any:
        return api.MESSAGES["FetchRequest"](topic_name=self._channel_name, **about)

    def _first(self) -> Any:
        if self._from_start:
            return self._request(num_requested=OUTSTANDING, replay_preset=api.EARLIEST)
        if self._position is None:
            return self._request(num_requested=OUTSTANDING, replay_preset=api.LATEST)
        replay_id = self._position.replay_id
        return self._request(num_requested=OUTSTANDING, replay_preset=api.CUSTOM, replay_id=replay_id)

    async def _take(self, response: Any) -> None:
        """Write what came, and then keep how far that is."""
        records: list[Record] = []
        for one in response.events:
            try:
                value = await self._events.decoded(one.event, one.replay_id)
                records.append((topics.RAW + SOURCE, one.event.id.encode(), value))
                self._metrics.events.labels("written").inc()
            except Undecodable as error:
                records.append(self._letter(one.event, error))
                self._metrics.events.labels("undecodable").inc()
        await self._write(records)
        if len(self._placeless) > 1:  # an earlier stream broke off, and there was no place to come back to
            await self._ask_again(self._placeless[0] - MINUTE, "first-stream-broke")
        self._placeless.clear()
        latest = response.events[-1].replay_id if response.events else response.latest_replay_id
        if latest:
            self._position = Position(self._channel_name, latest, time.time_ns() // 1_000_000)
            self._from_start = False
            try:
                await asyncio.to_thread(self._positions.save, self._position)
            except KafkaError as error:  # the next place is kept as well; a crash until then repeats events
                log.warning("Kafka did not keep how far Salesforce's events were read: %s", error)

    def _letter(self, event: Any, error: Undecodable) -> Record:
        letter = DeadLetter(event.id.encode(), event.payload, -1, "undecodable", f"event {event.id} is {error}")
        log.error("an event of Salesforce became a dead letter: %s", letter.detail)
        value = deadletters.encode(letter, deadletters.CRM + SOURCE, 0, time.time_ns() // 1_000_000)
        return topics.DEAD_LETTERS, letter.key, value

    async def _write(self, records: Sequence[Record]) -> None:
        """Write, however long it takes: until then no more is asked for."""
        failures = 0
        while True:
            try:
                await self._writer.put(records)
                return
            except (KafkaException, BufferError) as error:
                failures += 1
                log.error("Kafka did not take events of Salesforce, trying again: %s", error)
                await self._wait(min(WAIT_MAX_S, 0.5 * 2.0 ** min(failures, 10)))

    # --- what goes wrong --------------------------------------------------------------------------------------

    async def _failed(self, error: grpc.aio.AioRpcError) -> str:
        """Say why a call failed, and see to what can be done about it. Raises `CannotSubscribe`."""
        named = dict(error.trailing_metadata() or ()).get("error-code", "")
        told = f"{error.code().name} {named} {error.details()}".strip()
        if error.code() is grpc.StatusCode.UNAUTHENTICATED:
            self._refused = self._access.token if self._access else ""
        elif "replay" in f"{named} {error.details()}".lower() and self._position is not None and not self._from_start:
            await self._lost(told)
        elif error.code() in _REFUSED:
            raise CannotSubscribe(
                f"Salesforce refuses {self._channel_name}: {told}; is Change Data Capture on for its objects, and may"
                " the user as whom wellwon reads see all of them?"
            )
        return told

    async def _lost(self, why: str) -> None:
        """Ask for what was saved since the last place that is known, and begin with the oldest event that is kept."""
        assert self._position is not None
        log.error(
            "Salesforce does not know any more how far its events were read, what is missing is read again: %s", why
        )
        self._metrics.lost.inc()
        await self._ask_again(self._position.at - LOST_MARGIN_MS, "replay-lost")
        self._from_start = True

    async def _ask_again(self, since: int, reason: str) -> None:
        """Ask for what was saved since an instant (epoch ms)."""
        now = time.time_ns() // 1_000_000
        lost = [Reread(entity, SOURCE, now, reason, "", since=since) for entity in (OPPORTUNITY, LINE_ITEM)]
        await self._write([(topics.REREADS, one.entity.encode(), orjson.dumps(one.event())) for one in lost])

    # --- calls ------------------------------------------------------------------------------------------------

    async def _may_subscribe(self) -> None:
        topic = await self._call(api.GET_TOPIC, topic_name=self._channel_name)
        if not topic.can_subscribe:
            raise CannotSubscribe(f"the user as whom wellwon reads may not subscribe to {self._channel_name}")

    async def _schema(self, id_: str) -> str:
        found = await self._call(api.GET_SCHEMA, schema_id=id_)
        self._metrics.schemas.inc()
        text: str = found.schema_json
        return text

    async def _call(self, method: api.Method, **about: Any) -> Any:
        asked = self._channel.unary_unary(
            method.path, request_serializer=api.encoded, response_deserializer=api.decoder(method.response)
        )
        return await asked(api.MESSAGES[method.request](**about), metadata=await self._metadata(), timeout=CALL_S)

    async def _metadata(self) -> tuple[tuple[str, str], ...]:
        access = await self._login.access(self._refused)
        if isinstance(access, Later):
            raise _NoToken(access.why)
        if not (access.tenant and access.url):
            raise CannotSubscribe("the login's answer does not say which organisation it is for (id, instance_url)")
        self._access = access
        return ("accesstoken", access.token), ("instanceurl", access.url), ("tenantid", access.tenant)


class _NoToken(Exception):
    """There is no access token now."""
