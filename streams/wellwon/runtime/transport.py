"""Faust's Kafka transport, handing over whole slices: what one fetch brought of one partition is one event.

Faust pays per event: queues, acknowledgements, sensors. Over slices that cost is spread over hundreds of changes, and
agents stay ordinary Faust agents. Three things differ from Faust's own consumer:

- **Offsets**: Faust commits what its streams acknowledged, which includes events whose agent raised or was cancelled.
  Here acknowledgements decide nothing: `Durable` says what may be committed.
- **Back-pressure**: partitions whose results pile up are left out of the next fetch.
- **Revocation**: before partitions are given up, `Durable` gets a bounded time to finish what it took in.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, Protocol, cast

from aiokafka import ConsumerRecord
from aiokafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from faust import App
from faust.exceptions import ConsumerNotStarted
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message

Slice = list[ConsumerRecord]


class Durable(Protocol):
    """What the consumer needs to know about the results of the slices it handed over."""

    gather_s: float
    """Least time between two fetches: what comes in the meantime is one slice. After a lull the first does not wait."""

    def watermarks(self) -> Mapping[TP, int]:
        """Return, per partition, the offset from which the log must be read again after a crash."""
        ...

    def full(self, tp: TP) -> bool:
        """Tell whether the partition should be left out of the next fetch."""
        ...

    async def wait_for_room(self, timeout: float) -> None:
        """Return when a partition that was full no longer is, or after `timeout` seconds."""
        ...

    async def drain(self) -> None:
        """Finish what was taken in, within a bounded time."""
        ...


class _Unread(dict[TP, Any]):
    """Faust's table of offsets read, kept empty: it would drop re-read slices and book gaps between slices."""

    def __missing__(self, tp: TP) -> None:
        return None

    def __setitem__(self, tp: TP, offset: Any) -> None:
        """Forget it."""

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Forget them."""


class _ConsumerThread(driver.AIOKafkaConsumerThread):
    logger = driver.logger
    base: type = StickyPartitionAssignor
    assignor: Any = None
    fetch_wait_ms: int | None = None

    def _create_worker_consumer(self, transport: driver.Transport) -> Any:
        consumer = super()._create_worker_consumer(transport)
        # Without tables Faust takes the round-robin assignor, which moves partitions whenever a worker comes or goes.
        # The sticky one keeps its memory on the class, so each consumer gets a class of its own.
        self.assignor = type("Assignor", (self.base,), {})
        consumer._partition_assignment_strategy = [self.assignor]
        if self.fetch_wait_ms is not None:
            consumer._fetch_max_wait_ms = self.fetch_wait_ms
        return consumer


class SliceConsumer(driver.Consumer):
    """Faust's consumer over slices; see the module."""

    logger = driver.logger
    durable: Durable | None = None
    assignor: type = StickyPartitionAssignor
    fetch_wait_ms: int | None = None
    """How long a broker may wait with its answer until there are records; None: as long as Faust says."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._read_offset = _Unread()
        self._committed: dict[TP, int] = {}
        self._dropped = False
        """Records were fetched and not handed over: they must be read again."""
        self._fetch_at = 0.0

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        thread = _ConsumerThread(self, loop=self.loop, beacon=self.beacon)
        thread.base = self.assignor
        thread.fetch_wait_ms = self.fetch_wait_ms
        return thread

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Message]]:
        """Fetch, and yield one message per partition: its value is the list of records."""
        if not self.flow_active:
            await self.wait(cast(Any, self.can_resume_flow))
        if self._dropped:
            self._dropped = False
            await self.perform_seek()
        durable = self.durable
        assert durable is not None, "SliceConsumer.durable is set when the app is built"
        if (early := self._fetch_at - time.monotonic()) > 0:
            await asyncio.sleep(early)
        active = self._get_active_partitions()
        ready = {tp for tp in active if not durable.full(tp)}
        if not ready:
            await durable.wait_for_room(timeout)
            return
        # A fetch waits for data of the partitions it was asked for only: ask again soon when some were left out.
        records = await self._getmany(ready, timeout if len(ready) == len(active) else 0.02)
        self._fetch_at = time.monotonic() + durable.gather_s
        generation = self.app.consumer_generation_id
        if records is None or self.should_stop:
            return
        for tp, slice_ in records.items():
            if not self.flow_active or self.app.consumer_generation_id != generation:
                # Rebalancing. The fetch may have outlived Faust's own seek to the watermark, so seek again.
                self._dropped = True
                return
            if slice_:
                yield tp, self._slice_message(tp, slice_)

    def _slice_message(self, tp: TP, records: Slice) -> ConsumerMessage:
        message = self._to_message(tp, records[-1])
        message.key = None
        message.value = cast(Any, records)
        return message

    def on_buffer_full(self, tp: TP) -> None:
        """Faust would leave the partition out. `Durable` bounds it, and a full queue holds the fetcher up anyway."""

    def on_buffer_drop(self, tp: TP) -> None:
        """See `on_buffer_full`."""

    def ack(self, message: Message) -> bool:
        """Note that a stream is done with a message. Decides no offset."""
        message.acked = True
        self._unacked_messages.discard(message)
        return True

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps mean nothing here."""

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """Tell the assignor the generation (aiokafka does not): a claim of an older one must not count."""
        cast(_ConsumerThread, self._thread).assignor.generation = generation_id
        await super().on_partitions_assigned(assigned, generation_id)

    async def wait_empty(self) -> None:
        """Before partitions are revoked, and before stopping: finish what was taken in, then commit."""
        if self.durable is not None:
            await self.durable.drain()
        await self.commit()

    async def perform_seek(self) -> None:
        """Read on from the committed watermarks."""
        self._committed.clear()
        await super().perform_seek()

    async def force_commit(self, topics: Iterable[str | TP] | None = None, start_new_transaction: bool = True) -> bool:
        """Commit the durable watermarks that have advanced, of the partitions held now."""
        if self.durable is None:
            return False
        try:
            held = self.assignment()
        except ConsumerNotStarted:
            return False
        advanced = {
            tp: offset
            for tp, offset in self.durable.watermarks().items()
            if tp in held and offset > self._committed.get(tp, -1)
        }
        if not advanced or not await self._commit(advanced):
            return False
        self._committed.update(advanced)
        return True

    async def on_stop(self) -> None:
        """Commit once more; the group is left when the consumer's thread stops."""
        await self.commit()
        cast(driver.Transport, self.transport)._topic_waiters.clear()

    async def verify_all_partitions_active(self) -> None:
        """Faust's own livelock check counts acknowledged events; /live and the watermark's age do this here."""
        await asyncio.sleep(0)


class SliceTransport(driver.Transport):
    """Faust's transport with the slice consumer."""

    Consumer = SliceConsumer


def use_slices(app: App, durable: Durable, assignor: type = StickyPartitionAssignor) -> None:
    """Make a Faust app consume slices whose offsets `durable` decides; `assignor` shares out the partitions."""
    consumer = type("DurableSliceConsumer", (SliceConsumer,), {"durable": durable, "assignor": assignor})
    transport = type("DurableSliceTransport", (SliceTransport,), {"Consumer": consumer})
    app.transport = transport(app.conf.broker_consumer, app, app.loop)


def fetch_quickly(app: App, wait_ms: int) -> None:
    """Let an app with slices ask its broker again after so long: for one that does not answer when records come."""
    cast(Any, app.transport).Consumer.fetch_wait_ms = wait_ms
