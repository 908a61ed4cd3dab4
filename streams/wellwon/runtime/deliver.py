"""The deliver worker: a Faust app with one agent, over slices of alerts, wins and replies.

`Deliver` is what the slices go through. What is to be told is decided by the desk, written to the changelog, and only
then sent, outside the agent, by a lane for each sink: a slow or dead sink holds up neither reading nor the others.
A message is marked as attempted in the same write after which it goes out; what the sink said is written next. So a
message is sent again only when the worker died between the two, and that is counted.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from faust.types import TP
from kafka.errors import KafkaError

from wellwon.core.output import DeadLetter
from wellwon.core.units import parse_instant
from wellwon.deliver import call
from wellwon.deliver.cards import RawCard
from wellwon.deliver.desk import Attempt, Desk
from wellwon.deliver.directory import Address, Directory
from wellwon.deliver.items import Alert, Reply, Unreadable, Win, read_alert, read_reply, read_win
from wellwon.deliver.state import POST, UPDATE
from wellwon.policy import PolicyError
from wellwon.rules import PATTERNS
from wellwon.runtime import deadletters, deliver_state, topics, zombies
from wellwon.runtime.crm import CrmOutcome, CrmWriter, CrmWriters
from wellwon.runtime.deliver_metrics import DeliverMetrics
from wellwon.runtime.directory_files import modified, read_directory
from wellwon.runtime.dispatch import Dispatch
from wellwon.runtime.lanes import Place
from wellwon.runtime.member import Member, now_ms
from wellwon.runtime.outlet import Changelog, Outlet, Record
from wellwon.runtime.pipeline import Entry, Pipeline
from wellwon.runtime.settings import Settings
from wellwon.runtime.standby import OneActive
from wellwon.runtime.transport import Slice, use_slices
from wellwon.runtime.week import latest_facts
from wellwon.sinks.crm import CrmTransport
from wellwon.sinks.transport import Delivered, Later, Outcome, Transport

log = logging.getLogger(__name__)

TICK_S = 0.02
UNDER_WAY = 100
"""Entries of the pipeline: one for each slice, and for what sinks said; small ones, for alerts come one by one."""
GIVE_UP_MS = 24 * 3_600_000
"""A message that a sink did not take for so long becomes a dead letter."""
Reader = Callable[[bytes], Alert | Win | Reply]
READERS: dict[str, Reader] = {topics.ALERTS: read_alert, topics.WINS: read_win, topics.REPLIES: read_reply}


class Deliver(Member):
    """A running deliver worker; see the module. `app` is the Faust app to start."""

    gather_s = 0.015
    """Alerts come one by one, and a slice costs more than the alert in it."""

    def __init__(
        self, settings: Settings, directory: Directory, transports: Mapping[str, Transport],
        crm: Mapping[str, CrmTransport] | None = None,
    ) -> None:  # fmt: skip
        self.metrics = DeliverMetrics(transports)
        super().__init__(settings, settings.deliver_group, self.metrics.ready)
        self.directory = directory
        self.desk: Desk | None = None
        timed = settings.clock == "wall"
        self.dispatch = Dispatch(self.group, directory, transports, self.metrics, self._settled, timed=timed)
        self.crm = CrmWriters(crm or {}, self.metrics.registry, self._crm_settled)
        self._pipeline = Pipeline(lambda _lot, _written: None)
        self._changelog = Changelog(0, 0, -1)
        self._watermarks: dict[TP, int] = {}
        self._generation = -1
        self._log_now = 0
        self._standing_by = False
        self._beat = time.monotonic()
        """When the event loop was last known to run."""
        self._sources = modified(settings)
        self._readers = {settings.topic(name): read for name, read in READERS.items()}
        for name in self._readers:
            self.metrics.unreadable.labels(name)  # from 0, so that the first one is seen to rise
        use_slices(self.app, self, OneActive)
        source = self.app.topic(*self._readers, key_serializer="raw", value_serializer="raw")
        self.app.agent(source, name="deliver")(self._agent)

    def new_outlet(self) -> Outlet:
        """The producers; states go to deliver's own topic."""
        return Outlet(self.settings, self.fail, state=topics.DELIVER_STATE)

    def now(self) -> int:
        """The time by which people are told: the clock's, or with WELLWON_CLOCK=log the log's."""
        return now_ms() if self.settings.clock == "wall" else self._log_now

    # --- slices ------------------------------------------------------------------------------------------------------

    async def _agent(self, slices: Any) -> None:
        async for records in slices:
            self.take(records)

    def take(self, records: Slice) -> None:
        """Apply a slice. A slice that comes while suspended is dropped: it is read again from the watermark."""
        if self.desk is None or self.suspended:
            return
        try:
            self._awake()
            refused = [letter for record in records if (letter := self._take_one(self.desk, record)) is not None]
            last = records[-1]
            self._flush(TP(last.topic, last.partition), last.offset + 1, refused)
        except Exception as error:
            self.fail(error)

    def _take_one(self, desk: Desk, record: Any) -> Record | None:
        """Apply a record; the dead letter of one that cannot be read."""
        if record.value is None:
            return None
        try:
            item = self._readers[record.topic](record.value)
        except Unreadable as error:
            self.metrics.unreadable.labels(record.topic).inc()
            letter = DeadLetter(record.key, record.value, record.offset, "unreadable", str(error))
            return self._dead_letter(letter, record.topic, record.partition)
        if self.settings.clock == "log":
            self._log_now = max(self._log_now, parse_instant(item.at))
        if isinstance(item, Reply):
            self.metrics.replied(item.kind, item.answer, _rule(item))
        since = record.timestamp if self.settings.clock == "wall" else 0
        desk.take(item, self.now(), record=record.value, since=since)
        return None

    def _dead_letter(self, letter: DeadLetter, topic: str, partition: int) -> Record:
        value = deadletters.encode(letter, topic, partition, now_ms())
        return self.settings.topic(topics.DEAD_LETTERS), letter.key, value

    def _flush(self, tp: TP | None = None, end: int = -1, urgent: list[Record] | None = None) -> None:
        """Write what changed, and send what may go out once it is written."""
        assert self.desk is not None
        assert self.outlet is not None
        collected = self.desk.collect()
        letters = [*(urgent or ()), *(letter for place in collected.fresh if (letter := self._offer(place)))]
        attempts = [] if self.suspended else self.dispatch.pick(self.desk, self.now())
        sends = [] if self.suspended else self.crm.pick(self.desk, self.now())
        again = self.desk.collect()
        self.metrics.count(collected.counts + again.counts)
        states = {**collected.states, **again.states}
        self.crm.look(self.desk, states, self.now())
        if not states and not letters and tp is None:
            return
        done = partial(self._written, tp, end, attempts, sends)
        entry = Entry(-1, len(letters), states, entered=time.monotonic(), done=done)
        self._pipeline.push(entry)
        if letters:
            self.outlet.urgent(letters, entry)

    def _written(self, tp: TP | None, end: int, attempts: list[Attempt], sends: list[Callable[[], None]]) -> None:
        if tp is not None:
            self._watermarks[tp] = max(end, self._watermarks.get(tp, -1))
        self.dispatch.send(attempts)
        for send in sends:
            send()

    # --- sending -----------------------------------------------------------------------------------------------------

    def _offer(self, place: Place) -> Record | None:
        """Queue a message; its dead letter where there is no room."""
        reason = self.dispatch.offer(place)
        return self._give_up(place[0], place[1], Address.parse(place[2]).sink, reason, "") if reason else None

    def _settled(self, outcomes: list[tuple[Attempt, Outcome]]) -> None:
        """Note what the sinks said, and go on."""
        if self.desk is None or self.failure is not None:
            return
        try:
            self._awake()
            letters = [letter for one in outcomes if (letter := self._settle_one(self.desk, *one)) is not None]
            self._flush(urgent=letters)
        except Exception as error:
            self.fail(error)

    def _settle_one(self, desk: Desk, attempt: Attempt, outcome: Outcome) -> Record | None:
        key, message = attempt.key, attempt.message
        sink = Address.parse(message.address).sink
        lane = self.dispatch.lanes[sink]
        if isinstance(outcome, Delivered):
            desk.sent(key, message.id, outcome.ref)
            self.metrics.sent.labels(sink, POST if message.kind == POST else UPDATE).inc()
            lane.done(key)
            return None
        if isinstance(outcome, Later) and self.now() - message.due_at < GIVE_UP_MS:
            if not outcome.unsure:
                desk.put_off(key, message.id)
            self.dispatch.again(sink, key, outcome)
            return None
        lane.done(key, taken=not isinstance(outcome, Later))
        reason = "too-old" if isinstance(outcome, Later) else "refused"
        log.warning("sink %s gets a message no more (%s): %s", sink, reason, outcome.why)
        return self._give_up(key, message.id, sink, reason, outcome.why)

    def _give_up(self, key: bytes, id_: str, sink: str, reason: str, why: str) -> Record | None:
        assert self.desk is not None
        message = self.desk.give_up(key, id_)
        if message is None:
            return None
        self.metrics.given_up.labels(sink, reason).inc()
        card = message.card
        value = card.record if isinstance(card, RawCard) else msgspec.json.encode(card)
        about = None if key.startswith(b"\0") else key
        letter = DeadLetter(about, value, -1, f"sink-{reason}", f"{message.id}: {why or reason}")
        return self._dead_letter(letter, deadletters.SINK + sink, 0)

    def _crm_settled(self, writer: CrmWriter, outcomes: list[CrmOutcome]) -> None:
        """Note what a CRM said, and go on."""
        if self.desk is None or self.failure is not None:
            return
        try:
            self._awake()
            refused = writer.settle(self.desk, outcomes, self.now())
            letters = [self._dead_letter(letter, f"{deadletters.SINK}{writer.system}", 0) for letter in refused]
            self._flush(urgent=letters)
        except Exception as error:
            self.fail(error)

    # --- what the transport asks (transport.Durable) -----------------------------------------------------------------

    def pipelines(self) -> list[Pipeline]:
        """What is under way: one line for everything, for all of it is written to one partition."""
        return [self._pipeline]

    def watermarks(self) -> Mapping[TP, int]:
        """Return the offsets that may be committed."""
        return self._watermarks

    def full(self, tp: TP) -> bool:
        """Tell whether enough is under way."""
        return self._pipeline.full

    async def drain(self) -> None:
        """Send nothing more, give what is being sent half a session to be answered, then let it become durable."""
        self.suspended = True
        self.crm.let_go()
        for _ in range(2):  # an attempt that was not durable yet goes out once it is: wait for those as well
            await self.dispatch.drain(self.settings.session_seconds / 4)
            await super().drain()

    def _awake(self) -> None:
        """Raise Superseded after a sleep so long that the group may have given the partitions to another worker.

        A worker that was frozen goes on with what it had read, before it hears that it lost its place. Kafka would take
        its records, and the sinks its messages, a second time.
        """
        now = time.monotonic()
        slept, self._beat = now - self._beat, now
        if slept > self.settings.session_seconds * 0.8 and not self.suspended:
            raise zombies.Superseded(f"asleep for {slept:.0f} s: another worker may deliver by now")

    # --- taking over -------------------------------------------------------------------------------------------------

    async def take_over(self) -> None:
        """Go on, take over what another worker had, or stand by."""
        generation: int = self.app.consumer_generation_id
        revocations = self._revocations
        kept = self.desk is not None and generation == self._generation + 1
        self._generation = generation
        if not self.app.consumer.assignment():
            self._let_go()
            self._standing_by = True
            log.info("standing by: another worker delivers", extra={"generation": generation})
            return
        self._standing_by = False
        if not kept:
            self._let_go()
            await self._restore(generation)
        assert self.desk is not None
        self.desk.ledger.generation = self._changelog.generation = generation
        if self.resume(revocations):
            self.crm.begin(self.desk, self.now())
            self._flush()

    def _let_go(self) -> None:
        self._pipeline.abandon()
        self._watermarks.clear()
        self.dispatch.let_go()
        self.crm.let_go()
        self.desk = None

    async def _restore(self, generation: int) -> None:
        found, desk, waiting = await asyncio.to_thread(deliver_state.read, self.settings, self.directory, generation)
        outlet, changelog = self.outlet, Changelog(0, found.end, generation)
        assert outlet is not None
        self._changelog = changelog
        self._pipeline = Pipeline(partial(outlet.states, changelog), UNDER_WAY)
        self.dispatch.begin()
        desk.directory = self.directory
        self.desk = desk
        letters = [letter for place in waiting if (letter := self._offer(place)) is not None]
        if found.stale:
            states = {key: found.store.get(key) for key in found.stale}
            self._pipeline.push(Entry(-1, 0, states, entered=time.monotonic()))
        self._flush(urgent=letters)
        log.info("state restored", extra={"records": len(found.store), "waiting": len(waiting)})

    def ready(self) -> str | None:
        """Say why the worker neither delivers nor stands by, None if it does."""
        return self.live() if self._standing_by else super().ready()

    # --- duties ------------------------------------------------------------------------------------------------------

    async def keeping_time(self) -> None:
        """Tell what falls due, and retry."""
        while True:
            self._awake()
            desk, now = self.desk, self.now()
            if desk is not None and not self.suspended and not self._pipeline.full:
                if now:  # the log's time begins with its first record
                    desk.settle(now)
                    if desk.call_due(now):
                        await self._hold_call(desk)
                if self.desk is desk:
                    self._flush()
            await asyncio.sleep(TICK_S)

    async def close(self) -> None:
        """Let go of the sinks."""
        await self.dispatch.close()
        await self.crm.close()

    async def _hold_call(self, desk: Desk) -> None:
        """Make the forecast-call digest of a week's facts."""
        try:
            facts = await asyncio.to_thread(latest_facts, self.settings)
        except KafkaError as error:
            log.warning("no forecast-call digest now, in an hour again: the facts cannot be read: %s", error)
            desk.put_off_call(self.now())
            return
        if self.desk is desk and not self.suspended:
            call.hold(desk, facts, self.now())

    async def observing(self) -> None:
        """Update the gauges every second, and take up a policy or a file of people that was edited."""
        while True:
            self._awake()  # while the facts of a week are read, nothing else may say that the loop runs
            if (sources := modified(self.settings)) != self._sources:
                self._sources = sources
                self._take_up()
            self.dispatch.observe()
            self.crm.observe()
            oldest = self._pipeline.oldest
            self.metrics.watermark_age.set(0 if oldest is None else time.monotonic() - oldest)
            await asyncio.sleep(1.0)

    def _take_up(self) -> None:
        """Go by the files as they are now; by what was read before, where they cannot be used."""
        try:
            directory = read_directory(self.settings)
        except (PolicyError, OSError, UnicodeDecodeError) as error:
            log.warning("the edited policy or people are not taken up: %s", error)
            return
        if directory.delivery.sinks != self.directory.delivery.sinks:
            log.warning("the policy names other sinks now: they take effect when deliver is started again")
            return
        self.directory = self.dispatch.directory = directory
        if self.desk is not None:
            self.desk.directory = directory
            self.crm.look(self.desk, self.desk.ledger.records, self.now())
        log.info("policy and people read again", extra={"policy": directory.policy.fingerprint})

    async def watching(self) -> None:
        """Write again what a worker that should be gone wrote over; see `zombies`."""
        topic = self.settings.topic(topics.DELIVER_STATE)
        while True:
            await asyncio.sleep(self.settings.session_seconds / 2)
            changelog = self._changelog
            if self.desk is None or self.suspended or not (ranges := changelog.foreign[:]):
                continue
            keys = await asyncio.to_thread(zombies.overwritten, self.settings, topic, 0, ranges, changelog.generation)
            changelog.foreign = [found for found in changelog.foreign if found not in ranges]
            if self.desk is not None and changelog is self._changelog:
                states = {key: self.desk.ledger.records.get(key) for key in keys}
                self._pipeline.push(Entry(-1, 0, states, entered=time.monotonic()))


def _rule(reply: Reply) -> str:
    """The rule replied to, a label only if it is one."""
    rule = reply.fingerprint.partition(":")[0]
    return rule if any(spec.name == rule for spec in PATTERNS) else ""
