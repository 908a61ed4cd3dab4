"""One partition that this worker owns: its states, the core that applies its log, and what is not durable yet."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from wellwon.core.output import DeadLetter, Output
from wellwon.core.state import CONTROL_KEY
from wellwon.runtime import deadletters, topics
from wellwon.runtime.metrics import Metrics
from wellwon.runtime.outlet import Changelog, Outlet, Record
from wellwon.runtime.pipeline import Entry, Pipeline
from wellwon.runtime.relay import Relay
from wellwon.runtime.restore import LINEAGE
from wellwon.runtime.settings import Settings

log = logging.getLogger(__name__)

TELL_S = 60.0


class Core(Protocol):
    """Applies one partition's log; see `wellwon.core.partition.Partition`."""

    generation: int

    @property
    def policy(self) -> str:
        """Text of the policy in force."""

    @property
    def clock(self) -> int:
        """How far time has come, epoch milliseconds."""

    @property
    def period_end(self) -> int:
        """When the clock's period ends, epoch milliseconds; 0 before the first clock record."""

    @property
    def open_findings(self) -> Mapping[tuple[str, str, str], int]:
        """Alerts open in the states that it began with, by rule, severity and segment."""

    def apply(self, slice_: Iterable[Any]) -> Output: ...

    def settle(self) -> Output | None: ...


@dataclass(slots=True)
class Snapshot:
    """States to be written to disk once everything in them is in the changelog."""

    store: dict[bytes, bytes]
    offset: int
    after: int
    """How many entries the pipeline must have finished."""


class Owned:
    """See the module. All methods run on the event loop and none of them waits."""

    def __init__(
        self,
        settings: Settings,
        number: int,
        core: Core,
        store: dict[bytes, bytes],
        changelog: Changelog,
        outlet: Outlet,
        metrics: Metrics,
        flow: topics.Flow = topics.DETECT,
        partitions: int = 1,
    ) -> None:
        """``partitions``: how many the log has."""
        self.number = number
        self.core = core
        self.store = store
        self.changelog = changelog
        self.position = -1
        """The next offset of the log to be applied; -1 before the first slice."""
        self.lineage = b""
        """The record that says which log the states come from."""
        self._outlet = outlet
        self._metrics = metrics
        self._open = Counter(core.open_findings)
        self._untold: Counter[str] = Counter()
        self._tell_at = 0.0
        """When dead letters may be told of again, on the monotonic clock."""
        metrics.count_open(self._open)
        self._log = settings.topic(flow.log)
        self._relay = Relay(number, partitions) if flow is topics.DETECT else None
        self._facts = settings.topic(topics.FACTS)
        self._alerts = settings.topic(topics.ALERTS)
        self._wins = settings.topic(topics.WINS)
        self._dead_letters = settings.topic(topics.DEAD_LETTERS)
        self._rereads = settings.topic(topics.REREADS)
        self.pipeline = Pipeline(partial(outlet.states, changelog))

    @property
    def deals(self) -> int:
        """How many deals it holds: what the store has beside them is the control record."""
        return len(self.store) - (CONTROL_KEY in self.store)

    def belongs_to(self, generation: int) -> None:
        """Note the group's generation, where it is a later one than ours."""
        self.core.generation = self.changelog.generation = max(generation, self.changelog.generation)

    def take(self, records: Sequence[Any]) -> None:
        """Apply a slice of the log and send what comes of it."""
        if 0 <= self.position < records[0].offset:
            # Usually the marker of somebody's transaction. Never silent: a slice that got lost would look the same.
            self._metrics.gaps.inc(records[0].offset - self.position)
        output = self.core.apply(records)
        self.position = records[-1].offset + 1
        self._emit(output, len(records), records[0].timestamp)

    def settle(self) -> bool:
        """Apply what fell due by the clocks read, a chunk of it; False when nothing is due."""
        output = self.core.settle()
        if output is None:
            return False
        self._emit(output, 0, None)
        return True

    def rewrite(self, keys: Iterable[bytes]) -> None:
        """Send the states of these deals again as they are now (in turn, after what is under way)."""
        states = {key: self.store.get(key) for key in keys}
        self._metrics.rewritten.inc(len(states))
        self.pipeline.push(Entry(-1, 0, states, entered=time.monotonic()))

    def write_lineage(self) -> None:
        """Write down which log the states come from."""
        self.pipeline.push(Entry(-1, 0, {LINEAGE: self.lineage}, entered=time.monotonic()))

    def snapshot(self) -> Snapshot:
        """Return the states as they are now; a checkpoint may be written once the pipeline has caught up with them."""
        store = self.store.copy()
        if self.lineage:
            store[LINEAGE] = self.lineage
        self._metrics.bytes.labels(self.number).set(sum(map(len, store.values())))
        return Snapshot(store, self.changelog.next, self.pipeline.pushed)

    def observe(self, end: int | None) -> None:
        """Update the gauges; `end` is the log's next offset if it is known."""
        oldest = self.pipeline.oldest
        self._metrics.watermark_age.labels(self.number).set(0 if oldest is None else time.monotonic() - oldest)
        self._metrics.deals.labels(self.number).set(self.deals)
        if self.core.clock:
            self._metrics.clock.labels(self.number).set(self.core.clock / 1000)
            self._metrics.period_end.labels(self.number).set(self.core.period_end / 1000)
        if end is not None and self.position >= 0:
            self._metrics.lag.labels(self.number).set(max(0, end - self.position))

    def let_go(self) -> None:
        """Stop: what is not durable belongs to the next owner."""
        self.pipeline.abandon()
        self._metrics.forget(self.number)
        self._metrics.count_open({labels: -number for labels, number in self._open.items()})

    def _emit(self, output: Output, records: int, timestamp: int | None) -> None:
        urgent: list[Record] = [(self._alerts, key, value) for key, value in output.alerts]
        urgent += [(self._wins, key, value) for key, value in output.wins]
        urgent += [(self._rereads, key, value) for key, value in output.rereads]
        if self._relay is not None:
            urgent += [
                (self._facts, key, value) for key, value in self._relay.told(output, self.core.clock, self.store)
            ]
        if output.dead_letters:
            self._tell(output.dead_letters)
            now = time.time_ns() // 1_000_000
            urgent += [
                (self._dead_letters, letter.key, deadletters.encode(letter, self._log, self.number, now))
                for letter in output.dead_letters
            ]
        size = sum([len(value) for _, _, value in urgent])
        entry = Entry(output.end_offset, len(urgent), output.states, entered=time.monotonic(), extra=size)
        self.pipeline.push(entry)
        if urgent:
            alerted = self._alerted(timestamp) if output.alerts and timestamp else None
            self._outlet.urgent(urgent, entry, alerted)
        self._open.update(output.counts.open_findings)
        self._metrics.count(records, output.counts)

    def _tell(self, letters: Sequence[DeadLetter]) -> None:
        """Say that there are dead letters, now and then; /metrics has the exact number."""
        self._untold.update(letter.reason for letter in letters)
        now = time.monotonic()
        if now >= self._tell_at:
            self._tell_at = now + TELL_S
            log.warning(
                "dead letters written; `wellwon dead-letters list` shows them",
                extra={"partition": self.number, "reasons": dict(self._untold)},
            )
            self._untold.clear()

    def _alerted(self, timestamp: int) -> Callable[[], None]:
        return lambda: self._metrics.latency.observe(max(0.0, time.time() - timestamp / 1000))
