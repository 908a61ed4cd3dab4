"""Deliver for a log that is played fast: what was read is taken in the order of the log's time, one by one.

Partitions are read in whatever order they come. Live that is the order in which things happen; of days that pass in a
moment it is chance, and who is told before whom, and what still fits into one message, would be chance with it. So what
is read waits until the scene is complete, and each record is told before the next is taken. Then the same log gives
the same messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from faust.types import TP

from wellwon.core.units import parse_instant
from wellwon.deliver.plan import FORGET_MS
from wellwon.runtime.deliver import Deliver
from wellwon.runtime.transport import Slice

POLL_S = 0.005


class DemoDeliver(Deliver):
    """See the module. After `go_on` it is a deliver worker like any other."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: list[tuple[int, Any]] = []
        """Instant and record."""
        self._ends: dict[TP, int] = {}
        self._clocks: dict[tuple[str, bytes], int] = {}
        self._in_turn = True
        self._shown_at = 0
        """By when, in the log's time, the CRM had all facts."""

    def take(self, records: Slice) -> None:
        """Keep a slice until its turn comes."""
        if not self._in_turn or self.suspended:
            super().take(records)
            return
        tp = TP(records[0].topic, records[0].partition)
        for record in records:
            # What is late keeps its place behind what was said of its deal before: revisions come in order.
            key = record.topic, record.key
            at = max(self._clocks.get(key, 0), parse_instant(self._readers[record.topic](record.value).at))
            self._clocks[key] = at
            self._waiting.append((at, record))
        self._ends[tp] = records[-1].offset + 1

    def has_read(self, ends: Mapping[TP, int]) -> bool:
        """Whether everything below these offsets is there."""
        return all(self._ends.get(tp, 0) >= end for tp, end in ends.items())

    async def tell(self) -> None:
        """Take what waits, and return when everybody knows what they are to be told of it."""
        waiting, self._waiting = self._waiting, []
        waiting.sort(key=lambda one: (one[0], one[1].topic, one[1].key, one[1].offset))
        for at, record in waiting:
            if at > self._shown_at + FORGET_MS // 2:
                await self._facts_shown()  # otherwise a deal could be forgotten before its facts are written
            await self._until(at)
            super().take([record])
            await self._told()
        await self._facts_shown()

    async def _until(self, at: int) -> None:
        """Let the time come to an instant, and tell what falls due by then."""
        self._log_now = max(self._log_now, at)
        while self.desk is not None and self.desk.settle(self._log_now):
            self._flush()
        self._flush()
        await self._told()

    async def _facts_shown(self) -> None:
        while self.crm.waiting:
            await self._pause()
        self._shown_at = self._log_now

    async def _told(self) -> None:
        while any(lane.length for lane in self.dispatch.lanes.values()):
            await self._pause()

    async def _pause(self) -> None:
        if self.failure is not None:
            raise self.failure
        await asyncio.sleep(POLL_S)

    def go_on(self) -> None:
        """From here on take what comes as it comes: there is a person who answers."""
        self._in_turn = False
