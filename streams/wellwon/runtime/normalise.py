"""A raw topic, straight from a connector, becomes the log of changes: mapped, without repeats, bulk edits marked.

Nothing is kept but the offset committed to Kafka. It is committed after all that was made of the records before it is
acknowledged, with the time to which the next start reads back, silently, to know again who touched what. What a crash
repeats has the same ids, and the deals recognise it. One process a source; a second one would only repeat.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from wellwon.core.output import DeadLetter
from wellwon.core.units import MINUTE
from wellwon.runtime import topics
from wellwon.runtime.connection import kafka_python
from wellwon.runtime.endpoint import Endpoint
from wellwon.runtime.ingest import Ingest
from wellwon.runtime.ingest_metrics import NormaliseMetrics
from wellwon.sources.change import Rejected
from wellwon.sources.kinds import Kind
from wellwon.sources.mapping import SourceView
from wellwon.sources.normalise import Normaliser

if TYPE_CHECKING:
    from wellwon.runtime.settings import Settings

log = logging.getLogger(__name__)

BACK_MS: Final = 10 * MINUTE
"""How far a start reads back: the bulk window, and what connectors may take to deliver its parts."""
BACK_RECORDS: Final = 100_000
BATCH: Final = 1_000
STUCK_S: Final = 180.0
"""A process that has not come round for so long is not alive. Kafka may take two minutes to acknowledge."""
_NO_LIMIT: Final = 2**31


class NoRawTopic(ValueError):
    """The raw topic is not there, or cannot hold what is asked for; the message says what to do."""


@dataclass(slots=True)
class _Stream:
    """One partition of the raw topic."""

    normaliser: Normaliser
    emit_from: int
    """First offset that was not dealt with before."""
    newest: int = 0
    """Latest timestamp read, epoch milliseconds."""


@dataclass(slots=True)
class Followed:
    """What came of it."""

    read: int = 0
    rejections: Counter[str] = field(default_factory=Counter)


class RawTopic:
    """Follows ``raw.<source>`` from where the last run stopped. Use it as a context."""

    def __init__(self, settings: Settings, kind: Kind, source: str, view: SourceView) -> None:
        """Raises ValueError for a kind that is no stream of records, `NoRawTopic` for a topic that is not there."""
        if kind.records is None:
            raise ValueError(f"{kind.name} is read from files, not from a topic")
        self._name = settings.topic(topics.RAW + source)
        self.followed = Followed()
        self.metrics = NormaliseMetrics()
        self._came_round: float | None = None
        """When the last step ended, on the monotonic clock; None before the first."""
        self._consumer = KafkaConsumer(
            **kafka_python(settings),
            group_id=topics.raw_group(source),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=BATCH,
        )
        found = sorted(self._consumer.partitions_for_topic(self._name) or ())
        if not found:
            self._consumer.close()
            raise NoRawTopic(
                f"there is no topic {self._name}: run `wellwon topics create --raw {source}`,"
                " and let the connector write into it"
            )
        if len(found) > 1:
            log.warning("%s has %d partitions: bulk edits cannot be seen, so none is marked", self._name, len(found))
            view = replace(view, bulk_records=_NO_LIMIT)
        self._ingest = Ingest(settings)
        self._streams = {
            TopicPartition(self._name, number): _Stream(Normaliser(view, kind.records(view)), 0) for number in found
        }
        self._consumer.assign(list(self._streams))
        for part, stream in self._streams.items():
            stream.emit_from = self._start(part)

    def _start(self, part: Any) -> int:
        """Go back to where the memory of the last run begins; return where its work ended."""
        first = self._consumer.beginning_offsets([part])[part]
        found = self._consumer.committed(part, metadata=True)
        if found is None or found.offset < 0:
            self._consumer.seek(part, first)
            return int(first)
        back = found.offset - BACK_RECORDS
        if found.metadata and found.metadata.isdigit():
            known = self._consumer.offsets_for_times({part: int(found.metadata)})[part]
            back = max(back, known.offset if known is not None else found.offset)
        self._consumer.seek(part, min(found.offset, max(first, back)))
        return int(found.offset)

    def __enter__(self) -> RawTopic:
        return self

    def __exit__(self, *error: Any) -> None:
        self._consumer.close(autocommit=False)
        self._ingest.__exit__(*error)

    def follow(self, stop: threading.Event) -> Followed:
        """Read and write until ``stop`` is set. Raises KafkaError when something cannot be read or written."""
        told = time.monotonic()
        while not stop.is_set():
            self.step()
            if time.monotonic() - told > 60:
                told = time.monotonic()
                log.info("normalised", extra={"read": self.followed.read, **self.counts()})
        return self.followed

    def step(self, wait_ms: int = 200) -> int:
        """Read what has come, write what it becomes, commit. Returns the number of records read."""
        batches = self._consumer.poll(timeout_ms=wait_ms)
        for part, records in batches.items():
            for record in records:
                self._one(part, self._streams[part], record)
        if batches:
            self._ingest.confirm()
            done = {
                part: OffsetAndMetadata(records[-1].offset + 1, str(self._streams[part].newest - BACK_MS), -1)
                for part, records in batches.items()
                if records[-1].offset >= self._streams[part].emit_from
            }
            if done:
                self._consumer.commit(done)
        self._came_round = time.monotonic()
        self._measure()
        return sum(map(len, batches.values()))

    async def serve(self, address: str, stop: threading.Event) -> Followed:
        """`follow`, with /metrics, /live and /ready at ``address`` (host:port). Raises OSError when it is taken."""
        endpoint = Endpoint(address, page=self.metrics.page, live=self.live, ready=self.ready)
        await endpoint.start()
        log.info("following", extra={"topic": self._name, "port": endpoint.port})
        try:
            return await asyncio.to_thread(self.follow, stop)
        finally:
            await endpoint.stop()

    def live(self) -> str | None:
        """None while records are read or awaited, else what is wrong."""
        silent = time.monotonic() - (self._came_round or time.monotonic())
        return f"nothing was read or written for {silent:.0f} s" if silent > STUCK_S else None

    def ready(self) -> str | None:
        """None once Kafka has been read."""
        return "the raw topic has not been read yet" if self._came_round is None else self.live()

    def _measure(self) -> None:
        sent = self._ingest.sent
        written = {"changes": sent.changes, "rereads": sent.rereads, "dead_letters": sent.dead_letters}
        self.metrics.take(self.followed.read, written, self._left_out(), self.followed.rejections)
        ends = ((self._consumer.highwater(part), self._consumer.position(part)) for part in self._streams)
        self.metrics.lag.set(sum(max(0, end - at) for end, at in ends if end is not None and at is not None))

    def _left_out(self) -> Counter[str]:
        return sum((stream.normaliser.counts for stream in self._streams.values()), Counter())

    def _one(self, part: Any, stream: _Stream, record: Any) -> None:
        stream.newest = max(stream.newest, record.timestamp)
        emit = record.offset >= stream.emit_from
        self.followed.read += emit
        if record.value is None:
            stream.normaliser.counts["null_value"] += emit
            return
        for out in stream.normaliser.feed(record.value, record.timestamp, emit=emit):
            if isinstance(out, Rejected):
                self.followed.rejections[out.reason] += 1
                letter = DeadLetter(record.key, record.value, record.offset, out.reason, out.detail)
                self._ingest.dead_letter(letter, part.topic, part.partition)
            else:
                self._ingest.send([out])

    def counts(self) -> dict[str, int]:
        """What was written, refused and left out so far, by what it was."""
        sent = self._ingest.sent
        return {"changes": sent.changes, "rereads": sent.rereads, "dead_letters": sent.dead_letters, **self._left_out()}
