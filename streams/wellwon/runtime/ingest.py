"""Send a source's log to Kafka: every record acknowledged, keyed by deal, in order."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from kafka import KafkaProducer

from wellwon.core.output import DeadLetter
from wellwon.core.wire import encode_clock
from wellwon.history.clock import Tick
from wellwon.runtime import deadletters, topics
from wellwon.runtime.connection import kafka_python
from wellwon.sources.change import Rejected
from wellwon.sources.normalise import Outgoing

if TYPE_CHECKING:
    from types import TracebackType

    from wellwon.runtime.settings import Settings

STOP_S: Final = 2.0
"""How long a run that is interrupted waits for what is on its way."""

UNCONFIRMED: Final = 20_000
"""Records sent and not yet acknowledged, at most."""


@dataclass(slots=True)
class Sent:
    """What went out and was acknowledged."""

    changes: int = 0
    clocks: int = 0
    rereads: int = 0
    dead_letters: int = 0
    deals: set[bytes] = field(default_factory=set)


class Pace:
    """Waits until event time, ``speed`` times as fast as it was, has come to a record."""

    def __init__(
        self, speed: float, *, now: Callable[[], float] = time.monotonic, sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._speed = speed
        self._now = now
        self._sleep = sleep
        self._first: tuple[int, float] | None = None

    def wait(self, at: int) -> None:
        """Return when ``at`` (epoch milliseconds) is due; the first call starts the clock."""
        if self._first is None:
            self._first = at, self._now()
        began, started = self._first
        ahead = started + (at - began) / 1_000 / self._speed - self._now()
        if ahead > 0:
            self._sleep(ahead)


class Ingest:
    """A producer for one run. Leave it as a context: everything is acknowledged then, or an error was raised.

    The keys are hashed as Kafka's own clients do (murmur2), and the producer is idempotent: nothing is sent twice nor
    overtakes its predecessor. Raises KafkaError.
    """

    def __init__(
        self, settings: Settings, *, speed: float | None = None, stopping: threading.Event | None = None
    ) -> None:
        self._stopping = stopping or threading.Event()
        self._topics = {name: settings.topic(name) for name in (topics.CHANGES, topics.REREADS, topics.DEAD_LETTERS)}
        if settings.declare_topics:
            topics.create(settings)
        self._pace = Pace(speed, sleep=self._stopping.wait) if speed else None
        self._producer = KafkaProducer(
            **kafka_python(settings),
            client_id=f"wellwon-ingest-{settings.instance}",
            acks="all",
            enable_idempotence=True,
            linger_ms=0 if speed else 20,
            batch_size=256 * 1024,
            max_request_size=topics.DEAD_LETTER_BYTES,
        )
        self._unconfirmed: deque[Any] = deque()
        self._partitions: list[int] = []
        self._acknowledged = 0
        self.sent = Sent()

    def __enter__(self) -> Ingest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self.confirm()
        finally:
            self._producer.close(timeout=10 if kind is None else 0)

    def send(self, records: Iterable[Outgoing | Tick]) -> None:
        """Send all of these, in order, each when it is due, until told to stop."""
        for record in records:
            if self._pace is not None:
                self._pace.wait(record.at)
            if self._stopping.is_set():
                return
            if isinstance(record, Tick):
                self._tick(record.at)
            else:
                self._send(record.topic, key=record.key, value=record.value)
                if record.topic == topics.CHANGES:
                    self.sent.changes += 1
                    self.sent.deals.add(record.key)
                else:
                    self.sent.rereads += 1

    def _tick(self, at: int) -> None:
        """Time passes in every partition, at the same place among its changes as in a replay."""
        if not self._partitions:
            self._partitions = sorted(self._producer.partitions_for(self._topics[topics.CHANGES]) or ())
        value = encode_clock(at)
        for partition in self._partitions:
            self._send(topics.CHANGES, value=value, partition=partition)
        self.sent.clocks += 1

    def reject(self, rejected: Rejected) -> None:
        """Keep what cannot be used of a file in the dead letters, with its line."""
        file, _, line = rejected.where.partition(":")
        number = line.partition(":")[0]
        offset = int(number) if number.isdigit() else -1
        letter = DeadLetter(None, rejected.original, offset, rejected.reason, str(rejected))
        self.dead_letter(letter, deadletters.FILE + file, 0)

    def dead_letter(self, letter: DeadLetter, topic: str, number: int) -> None:
        """Keep a refused record in the dead letters, with the topic and partition where it was."""
        at = time.time_ns() // 1_000_000
        self._send(topics.DEAD_LETTERS, key=letter.key, value=deadletters.encode(letter, topic, number, at))
        self.sent.dead_letters += 1

    def _send(self, topic: str, **record: Any) -> None:
        future = self._producer.send(self._topics[topic], **record)
        if topic == topics.CHANGES and record.get("key") is not None:
            future.add_callback(self._arrived)
        self._unconfirmed.append(future)
        while len(self._unconfirmed) > UNCONFIRMED or (self._unconfirmed and self._unconfirmed[0].is_done):
            self._unconfirmed.popleft().get(timeout=120)

    def _arrived(self, _: Any) -> None:
        self._acknowledged += 1

    def stop(self) -> int:
        """Give what is on its way a moment, let go of the rest; return how many changes are acknowledged."""
        self._producer.close(timeout=STOP_S)
        self._unconfirmed.clear()
        return self._acknowledged

    def confirm(self) -> None:
        """Wait until everything sent is acknowledged."""
        self._producer.flush()
        while self._unconfirmed:
            self._unconfirmed.popleft().get(timeout=120)
