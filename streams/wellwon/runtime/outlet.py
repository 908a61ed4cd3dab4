"""What goes out to Kafka: alerts at once, states when the pipeline lets them, and what was acknowledged of both.

librdkafka does the sending in its own threads. Its reports are collected on the event loop, by `poll(0)` from a timer
that runs only while something is outstanding, so the loop never waits. Time-outs are shorter than the session's: a
worker that was cut off gives up before another may own its partitions. The first error stops everything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from wellwon.runtime import topics
from wellwon.runtime.connection import librdkafka
from wellwon.runtime.pipeline import Entry
from wellwon.runtime.settings import Settings

log = logging.getLogger(__name__)

POLL_S = 0.002
PARTITIONER = "murmur2_random"
"""Kafka's own; librdkafka's default would put keys elsewhere than every other client does."""

GENERATION = "generation"
"""Header of a tombstone: the generation of its writer."""

Record = tuple[str, bytes | None, bytes]
"""Topic, key, value."""


class DeliveryFailed(Exception):
    """Kafka did not acknowledge a record; the worker stops, and its successor does the work again."""


class Changelog:
    """One partition of the state topic, as its owner sees it: where its own records landed.

    Nobody else may write there. Offsets that are not ours therefore belong to a worker that should have been gone;
    they are kept in `foreign` until somebody looks at them.
    """

    __slots__ = ("foreign", "generation", "next", "partition")

    def __init__(self, partition: int, next_offset: int, generation: int) -> None:
        self.partition = partition
        self.generation = generation
        self.next = next_offset
        self.foreign: list[tuple[int, int]] = []

    def landed(self, offset: int, count: int = 1) -> bool:
        """Note the offset of the last of so many of our records; False when some before it are missing."""
        expected = self.next + count - 1
        if offset > expected:
            self.foreign.append((self.next, offset))  # with ours in between, which may be written again
        if offset >= self.next:
            self.next = offset + 1
        return offset >= expected

    def ended(self, end: int) -> None:
        """Note that the partition ends at offset `end`, with nothing of ours on its way."""
        if end > self.next:
            self.foreign.append((self.next, end))
            self.next = end


def _written_by(changelog: Changelog) -> list[tuple[str, bytes]]:
    """What says who wrote a tombstone, which has no prefix."""
    return [(GENERATION, b"%d" % changelog.generation)]


class Outlet:
    """Both producers of a worker."""

    def __init__(
        self, settings: Settings, on_error: Callable[[BaseException], None], *, state: str = topics.STATE
    ) -> None:
        """``state``: name of the topic that the states go to."""
        self._on_error = on_error
        self._state_topic = settings.topic(state)
        self._changes_topic = settings.topic(topics.CHANGES)
        self._facts_topic = settings.topic(topics.FACTS)
        timeout_ms = int(settings.session_seconds * 700)
        common = librdkafka(settings) | {
            "enable.idempotence": True,
            "acks": "all",
            "partitioner": PARTITIONER,
            "message.timeout.ms": timeout_ms,
            "request.timeout.ms": max(1_000, timeout_ms // 2),
            "retry.backoff.ms": 20,
            "message.max.bytes": topics.DEAD_LETTER_BYTES,
            "queue.buffering.max.messages": 2_000_000,
            "queue.buffering.max.kbytes": 1_048_576,
            "error_cb": self._on_client_error,
            "logger": log,
        }
        self._urgent = Producer(common | {"linger.ms": 0})
        self._states = Producer(common | {"linger.ms": 5, "compression.type": "lz4", "batch.num.messages": 10_000})
        self.outstanding = 0
        self.failed = False
        self.progressed: Callable[[], None] = lambda: None
        """Called after reports were collected."""
        self._timer: asyncio.TimerHandle | None = None

    def urgent(self, records: Iterable[Record], entry: Entry, alerted: Callable[[], None] | None = None) -> None:
        """Send what people wait for. `entry.urgent` says how many there are; `alerted` is called after the last."""

        def done(error: KafkaError | None, _message: Message) -> None:
            self.outstanding -= 1
            if error is not None:
                self._fail(error, "an alert, win, dead letter or request")
                return
            entry.urgent_done()
            if alerted is not None and not entry.urgent:
                alerted()

        for topic, key, value in records:
            if topic == self._facts_topic:
                # Nobody waits for a fact: it goes with the states. Facts are counted together, so in one partition.
                self._produce(self._states, topic, value=value, key=key, partition=0, on_delivery=done)
            else:
                self._produce(self._urgent, topic, value=value, key=key, on_delivery=done)
        self.collect()

    def states(self, changelog: Changelog, lot: list[Entry], written: Callable[[], None]) -> None:
        """Send the states of some entries to the changelog, and call `written` when all of them are there.

        Only the last one is reported, which halves the cost of them all. They go to one partition in order, so with it
        those before it are there: had one failed, the offset of the last would show it.
        """
        *before, last = [record for entry in lot for record in entry.states.items()]

        def done(error: KafkaError | None, message: Message) -> None:
            self.outstanding -= 1
            if error is not None:
                self._fail(error, "a state")
                return
            offset = message.offset()
            if offset is not None and offset >= 0 and not changelog.landed(offset, len(before) + 1):
                self._fail("they are missing in the changelog", "some states")
                return
            written()

        if self.failed:
            return
        partition, topic, produce = changelog.partition, self._state_topic, self._states.produce
        try:
            for key, value in before:
                if value is not None:
                    produce(topic, value, key, partition)
                else:
                    produce(topic, None, key, partition, headers=_written_by(changelog))
            key, value = last
            headers = None if value is not None else _written_by(changelog)
            produce(topic, value, key, partition, on_delivery=done, headers=headers)
        except (BufferError, KafkaException) as error:
            self._fail(error, "a state")
            return
        self.outstanding += 1
        self.collect()

    def control(self, partition: int, value: bytes) -> None:
        """Write a control record (clock, policy) into a partition of the log."""

        def done(error: KafkaError | None, _message: Message) -> None:
            self.outstanding -= 1
            if error is not None:
                self._fail(error, "a clock or policy record")

        self._produce(self._urgent, self._changes_topic, value=value, partition=partition, on_delivery=done)
        self.collect()

    def _produce(self, producer: Producer, topic: str, **record: Any) -> None:
        if self.failed:
            return
        try:
            producer.produce(topic, **record)
        except (BufferError, KafkaException) as error:
            self._fail(error, f"a record of {topic}")
        else:
            self.outstanding += 1

    def collect(self) -> None:
        """Make sure that reports are collected while some are outstanding."""
        if self._timer is None and self.outstanding and not self.failed:
            self._timer = asyncio.get_running_loop().call_later(POLL_S, self._poll)

    def _poll(self) -> None:
        self._timer = None
        self._urgent.poll(0)
        self._states.poll(0)
        self.collect()
        self.progressed()

    def _fail(self, error: object, what: str) -> None:
        if not self.failed:
            self.failed = True
            self._on_error(DeliveryFailed(f"Kafka did not take {what}: {error}"))

    def _on_client_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._fail(error, "records any more")
        else:
            log.warning("Kafka: %s", error)

    def close(self) -> None:
        """Drop what nobody waits for any more."""
        if self._timer is not None:
            self._timer.cancel()
        self.failed = True
        for producer in (self._urgent, self._states):
            producer.purge()
            producer.flush(1.0)
