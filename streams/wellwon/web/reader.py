"""Reads the topics that the page shows, from their beginning, in a thread; it is in no group and commits nothing."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from wellwon.deliver.items import Alert, Reply, Unreadable, Win, read_alert, read_reply, read_win
from wellwon.runtime import topics
from wellwon.runtime.connection import librdkafka
from wellwon.runtime.settings import Settings

log = logging.getLogger(__name__)

READERS: Final[dict[str, Callable[[bytes], Alert | Win | Reply]]] = {
    topics.ALERTS: read_alert,
    topics.WINS: read_win,
    topics.REPLIES: read_reply,
}
BATCH: Final = 1_000
POLL_S: Final = 0.2

Items = list[Alert | Win | Reply]


class Reader:
    """See the module. What is read is handed to ``take`` on the event loop, a batch at a time, in order."""

    def __init__(
        self, settings: Settings, take: Callable[[Items], None], failed: Callable[[BaseException], None]
    ) -> None:
        self.caught_up = False
        """Everything that was there at the start has been taken."""
        self.unreadable = 0
        self._settings = settings
        self._take = take
        self._failed = failed
        self._readers = {settings.topic(name): read for name, read in READERS.items()}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reader", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None

    def start(self) -> None:
        """Begin; on the event loop that is to take what is read."""
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Stop, and wait until it has."""
        self._stop.set()
        if self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, 5.0)

    def _run(self) -> None:
        assert self._loop is not None
        consumer = Consumer(
            librdkafka(self._settings)
            | {
                "group.id": f"{self._settings.group}-web",  # librdkafka wants one; it is never joined
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "queued.max.messages.kbytes": 16_384,
                "logger": log,
            }
        )
        try:
            self._read(consumer)
        except Exception as error:
            self._loop.call_soon_threadsafe(self._failed, error)
        finally:
            consumer.close()

    def _read(self, consumer: Any) -> None:
        parts = self._partitions(consumer)
        missing = {(part.topic, part.partition) for part in parts}
        consumer.assign(parts)
        while not self._stop.is_set():
            first = consumer.poll(POLL_S)
            if first is None:
                continue
            # `consume` alone would wait until the batch is full or the time is over.
            messages = [first, *consumer.consume(BATCH, timeout=0)]
            items: Items = []
            for message in messages:
                error = message.error()
                if error is None:
                    self._item(message, items)
                elif error.code() == KafkaError._PARTITION_EOF:
                    missing.discard((message.topic(), message.partition()))
                elif not error.retriable():
                    raise KafkaException(error)
            self._hand_over(items, caught_up=not missing)

    def _partitions(self, consumer: Any) -> list[TopicPartition]:
        found = []
        for name in self._readers:
            about = consumer.list_topics(name, timeout=10).topics[name]
            if about.error is not None:
                raise KafkaException(about.error)
            found += [TopicPartition(name, number, 0) for number in about.partitions]
        for part in found:
            part.offset, _ = consumer.get_watermark_offsets(part, timeout=10)
        return found

    def _item(self, message: Any, items: Items) -> None:
        value = message.value()
        if value is None:
            return
        try:
            items.append(self._readers[message.topic()](value))
        except Unreadable as error:  # deliver makes a dead letter of it
            self.unreadable += 1
            place = f"{message.topic()}-{message.partition()} at {message.offset()}"
            log.warning("not read: %s", place, extra={"reason": str(error)[:200]})

    def _hand_over(self, items: Items, *, caught_up: bool) -> None:
        """Wait until the loop has taken them, so that no more is in memory than what is shown."""
        assert self._loop is not None
        done = threading.Event()

        def take() -> None:
            try:
                if items:
                    self._take(items)
                self.caught_up = self.caught_up or caught_up
            except Exception as error:
                self._failed(error)
            finally:
                done.set()

        self._loop.call_soon_threadsafe(take)
        while not done.wait(POLL_S) and not self._stop.is_set():
            pass
