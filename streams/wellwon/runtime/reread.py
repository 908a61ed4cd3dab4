"""Serves the requests to read again: asks the CRM, and writes what it says into the log of changes.

A request is committed when the snapshots that answer it are acknowledged, or when it is a dead letter; a crash repeats
what was not, and a snapshot that comes twice changes nothing. One process; a second one would only repeat.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from wellwon.core.output import DeadLetter
from wellwon.runtime import deadletters, topics
from wellwon.runtime.connection import kafka_python
from wellwon.runtime.ingest import Ingest
from wellwon.runtime.normalise import STUCK_S
from wellwon.runtime.reread_answers import Found, Reader
from wellwon.runtime.reread_metrics import RereadMetrics
from wellwon.runtime.reread_queue import Job, Queue
from wellwon.sinks.crm_budget import Budget
from wellwon.sinks.transport import Later, Refused
from wellwon.sources.change import Ignored, Rejected, Reread, Unreadable, encode
from wellwon.sources.normalise import CHANGES, Outgoing
from wellwon.sources.reread import read_request

if TYPE_CHECKING:
    from wellwon.runtime.settings import Settings

log = logging.getLogger(__name__)

GROUP: Final = "wellwon-reread"
GIVE_UP_MS: Final = 24 * 3_600_000
"""A request that fails, and is as old as this, becomes a dead letter; `wellwon dead-letters redrive` asks again."""

CURSOR_TRIED: Final = 3


class Rereader:
    """See the module. Use it as a context."""

    def __init__(
        self,
        settings: Settings,
        readers: Mapping[str, Reader],
        shares: Mapping[str, int],
        *,
        give_up_ms: int = GIVE_UP_MS,
    ) -> None:
        """``shares``: percent of each CRM's daily calls that may be used. Raises `NoTopic`."""
        self._readers = readers
        self._shares = shares
        self._give_up_ms = give_up_ms
        self._queues = {system: Queue() for system in readers}
        self._budgets = {system: Budget(shares[system], time.monotonic()) for system in readers}
        self.metrics = RereadMetrics(readers)
        self._came_round: float | None = None
        self._ingest = Ingest(settings)  # makes the topics
        self._part = TopicPartition(settings.topic(topics.REREADS), 0)
        self._consumer = KafkaConsumer(
            **kafka_python(settings),
            group_id=GROUP,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            max_poll_records=1_000,
        )
        if not self._consumer.partitions_for_topic(self._part.topic):
            self._consumer.close()
            raise topics.NoTopic(f"there is no topic {self._part.topic}: `wellwon topics create` makes it")
        self._consumer.assign([self._part])
        self._committed = -1

    async def __aenter__(self) -> Rereader:
        return self

    async def __aexit__(self, *error: Any) -> None:
        for reader in self._readers.values():
            await reader.close()
        await asyncio.to_thread(self._consumer.close, autocommit=False)
        await asyncio.to_thread(self._ingest.__exit__, *error)

    @property
    def written(self) -> int:
        """Changes written so far."""
        return self._ingest.sent.changes

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until ``stop`` is set. Raises KafkaError when something cannot be read or written."""
        stopped = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                await self.step(stopped)
        finally:
            stopped.cancel()

    async def step(self, stopped: asyncio.Future[Any], wait_ms: int = 200) -> None:
        """Take in what was asked, ask the CRMs for what is due, write and commit."""
        polled = await asyncio.to_thread(self._consumer.poll, timeout_ms=wait_ms)
        for record in (record for records in polled.values() for record in records):
            self._accept(record)
        rounds = asyncio.ensure_future(_all(self._round(system) for system in self._readers))
        await asyncio.wait({rounds, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not rounds.done():
            rounds.cancel()  # what was asked is asked again by the next run
        await asyncio.wait({rounds})
        if not rounds.cancelled():
            rounds.result()
        await asyncio.to_thread(self._commit)
        self._observe()
        self._came_round = time.monotonic()

    def live(self) -> str | None:
        """None while requests are read or awaited, else what is wrong."""
        silent = time.monotonic() - (self._came_round or time.monotonic())
        return f"nothing was read or written for {silent:.0f} s" if silent > STUCK_S else None

    def ready(self) -> str | None:
        """None once Kafka has been read."""
        return "the requests have not been read yet" if self._came_round is None else self.live()

    # --- requests ---------------------------------------------------------------------------------------------

    def _accept(self, record: Any) -> None:
        value = record.value or b""
        try:
            request = read_request(value)
        except Unreadable as error:
            self._letter(record.key, value, record.offset, error.reason, error.detail)
            return
        queue = self._queues.get(request.source)
        if queue is None:
            detail = f"nothing is connected that could read {request.source} again"
            if request.source in ("salesforce", "hubspot"):
                detail += f": set WELLWON_CRM_{request.source.upper()}_..., as for facts (docs/crm.md), and redrive"
            self._letter(record.key, value, record.offset, "reread_not_connected", detail)
        elif not queue.add(request, value, record.offset, record.timestamp):
            self.metrics.requests.labels(request.source, "answered").inc()

    def _commit(self) -> None:
        """Everything before the first request that still waits is done."""
        self._ingest.confirm()
        waiting = [min(job.offsets) for queue in self._queues.values() for job in queue.jobs.values()]
        done = min(waiting, default=self._consumer.position(self._part))
        if done > self._committed:
            self._consumer.commit({self._part: OffsetAndMetadata(done, "", -1)})
            self._committed = done

    # --- answers ----------------------------------------------------------------------------------------------

    async def _round(self, system: str) -> None:
        """One reading of deals, and one page of an entity."""
        reader, queue, budget = self._readers[system], self._queues[system], self._budgets[system]
        for deals in (True, False):
            now = time.monotonic()
            budget.learn(reader.usage.limit, self._shares[system])
            if budget.left(now) < 1:
                return
            before = reader.usage.calls
            try:
                if deals:
                    await self._deals(system, reader, queue)
                else:
                    await self._page(system, reader, queue)
            finally:
                calls = reader.usage.calls - before
                budget.spend(calls, time.monotonic())
                self.metrics.calls.labels(system).inc(calls)

    async def _deals(self, system: str, reader: Reader, queue: Queue) -> None:
        jobs = queue.take(reader.batch, time.monotonic())
        if not jobs:
            return
        answers = await reader.deals([job.request for job in jobs])
        if isinstance(answers, Later):
            self._whole_failed(system, queue, jobs, answers)
            return
        queue.whole_answered()
        for job, answer in zip(jobs, answers, strict=True):
            self._settle(system, queue, job, answer)

    async def _page(self, system: str, reader: Reader, queue: Queue) -> None:
        job = queue.entity(time.monotonic())
        if job is None:
            return
        answer = await reader.page(job.request, job.cursor)
        if isinstance(answer, Later):
            job.attempts += 1
            if job.attempts >= CURSOR_TRIED:
                job.cursor = ""  # forgotten by the CRM, it seems: from the first page on
            self._whole_failed(system, queue, [job], answer)
            return
        queue.whole_answered()
        if isinstance(answer, Found) and answer.cursor:
            self._write(system, answer)
            job.cursor, job.attempts = answer.cursor, 0
            return
        self._settle(system, queue, job, answer)

    def _whole_failed(self, system: str, queue: Queue, jobs: list[Job], why: Later) -> None:
        queue.whole_failed(time.monotonic(), why.seconds)
        log.warning("%s cannot be read again yet, %d requests wait: %s", system, len(queue.jobs), why.why)
        for job in jobs:
            self.metrics.requests.labels(system, "later").inc()
            self._give_up(system, queue, job, why)

    def _settle(self, system: str, queue: Queue, job: Job, answer: Found | Later | Refused) -> None:
        if isinstance(answer, Found):
            self._write(system, answer)
            queue.done(job, answer.at)
            self.metrics.requests.labels(system, "read").inc(len(job.offsets))
        elif isinstance(answer, Refused):
            self._end(system, queue, job, "refused", answer.why)
        else:
            self.metrics.requests.labels(system, "later").inc()
            if not self._give_up(system, queue, job, answer):
                queue.later(job, time.monotonic(), answer.seconds)

    def _give_up(self, system: str, queue: Queue, job: Job, why: Later) -> bool:
        if time.time_ns() // 1_000_000 - job.asked_at < self._give_up_ms:
            return False
        self._end(system, queue, job, "given_up", why.why)
        return True

    def _end(self, system: str, queue: Queue, job: Job, outcome: str, why: str) -> None:
        queue.done(job)
        self.metrics.requests.labels(system, outcome).inc(len(job.offsets))
        key = (job.request.opportunity_id or job.request.entity).encode()
        self._letter(key, job.value, min(job.offsets), f"reread_{outcome}", f"{system}: {why}")

    def _write(self, system: str, found: Found) -> None:
        for outcome in found.outcomes:
            if isinstance(outcome, Rejected):
                self._letter(None, outcome.original, -1, outcome.reason, outcome.detail)
            elif not isinstance(outcome, Ignored | Reread):
                deal = outcome["opportunity_id"].encode()
                self._ingest.send([Outgoing(CHANGES, deal, encode(outcome), found.at)])
                self.metrics.changes.labels(system).inc()

    def _letter(self, key: bytes | None, value: bytes, offset: int, reason: str, detail: str) -> None:
        log.warning("a request to read again is a dead letter (%s): %s", reason, detail)
        self.metrics.dead_letters.labels(reason).inc()
        topic = self._part.topic if offset >= 0 else deadletters.CRM
        self._ingest.dead_letter(DeadLetter(key, value, offset, reason, detail), topic, 0)

    def _observe(self) -> None:
        jobs = [job for queue in self._queues.values() for job in queue.jobs.values()]
        self.metrics.waiting.set(len(jobs))
        oldest = min((job.asked_at for job in jobs), default=0)
        self.metrics.oldest.set(max(0.0, time.time() - oldest / 1_000) if oldest else 0)
        for system, budget in self._budgets.items():
            self.metrics.budget.labels(system).set(max(0, int(budget.left(time.monotonic()))))


async def _all(rounds: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*rounds)
