"""What may be committed: the order in which one partition's results become durable.

Each slice of the log leaves three things behind: alerts (and wins, dead letters, requests), new states, and its end
offset. They become durable in this order, per partition:

1. alerts go out at once;
2. when the alerts of this and all earlier slices are acknowledged, the states go out, in the log's order;
3. when the states of this and all earlier slices are acknowledged, the **durable watermark** advances to its end.

States go out in lots: what becomes ready while a lot is not acknowledged goes with the next one. An idempotent producer
that has more to send than it may have in flight would wait for the answer in a busy loop (librdkafka's does).

Only the watermark is ever committed. After a crash the log is read again from there: states that are already in the
changelog skip what they contain, alerts that went out twice have the same id.

This module is pure: `write` is called when states may go out, and the I/O side says what was acknowledged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

MAX_SLICES = 8
MAX_BYTES = 16 * 2**20

States = Mapping[bytes, bytes | None]
Write = Callable[[list["Entry"], Callable[[], None]], None]
"""Sends the states of these entries, in order, and calls the function once all of them are acknowledged."""


class Entry:
    """The results of one slice that are not durable yet."""

    __slots__ = ("bytes", "done", "end", "entered", "pipeline", "states", "urgent")

    def __init__(
        self,
        end: int,
        urgent: int,
        states: States,
        *,
        entered: float = 0.0,
        extra: int = 0,
        done: Callable[[], None] | None = None,
    ) -> None:
        self.end = end
        """Last offset this entry covers; -1 if it covers none (deals settled by the clock)."""
        self.urgent = urgent
        """Alerts, wins, dead letters and requests not yet acknowledged."""
        self.states = states
        self.entered = entered
        self.bytes = extra + sum([len(value) for value in states.values() if value])
        self.pipeline: Pipeline | None = None
        self.done = done
        """Called when it is durable."""

    def urgent_done(self) -> None:
        """One of the urgent messages was acknowledged."""
        self.urgent -= 1
        if self.urgent == 0 and self.pipeline is not None:
            self.pipeline.advance()


class Pipeline:
    """The first-in-first-out of one partition's entries, and its durable watermark."""

    def __init__(self, write: Write, most: int = MAX_SLICES) -> None:
        """``most``: entries that may be under way."""
        self._write = write
        self._most = most
        self._waiting: deque[Entry] = deque()
        """Entries whose states have not gone out."""
        self._writing: deque[Entry] = deque()
        """The lot whose states went out and are not all acknowledged."""
        self.durable = -1
        """Every record up to this offset has had its effect, durably; -1 if nothing new."""
        self.bytes = 0
        self.pushed = 0
        self.finished = 0
        """Entries taken in, and of those the ones that are durable."""
        self.broken = False

    def push(self, entry: Entry) -> None:
        """Append the results of the next slice."""
        entry.pipeline = self
        self._waiting.append(entry)
        self.bytes += entry.bytes
        self.pushed += 1
        self.advance()

    def advance(self) -> None:
        """Do whatever the acknowledgements allow."""
        waiting, writing = self._waiting, self._writing
        while not self.broken and not writing and waiting and not waiting[0].urgent:
            writing.append(waiting.popleft())
            if not writing[0].states:
                self._finish()
                continue
            while waiting and not waiting[0].urgent:
                writing.append(waiting.popleft())
            self._write([entry for entry in writing if entry.states], self._written)

    def _written(self) -> None:
        """All states of the lot were acknowledged."""
        self._finish()
        self.advance()

    def _finish(self) -> None:
        """The lot is durable. What is called then may push, or abandon."""
        for _ in range(len(self._writing)):
            if self.broken:
                return
            entry = self._writing.popleft()
            self.bytes -= entry.bytes
            self.finished += 1
            if entry.end > self.durable:
                self.durable = entry.end
            if entry.done is not None:
                entry.done()

    def abandon(self) -> None:
        """Let go: the partition belongs to somebody else, or a delivery failed. The watermark stays where it is."""
        self.broken = True
        self._waiting.clear()
        self._writing.clear()
        self.bytes = 0

    @property
    def full(self) -> bool:
        """Whether no more of this partition should be fetched for now."""
        return self.bytes >= MAX_BYTES or len(self._waiting) + len(self._writing) >= self._most

    @property
    def empty(self) -> bool:
        """Whether everything taken in is durable."""
        return not self._waiting and not self._writing

    @property
    def oldest(self) -> float | None:
        """When the oldest entry that is not durable came in; None if there is none."""
        head = self._writing or self._waiting
        return head[0].entered if head else None
