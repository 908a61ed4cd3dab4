"""Which deals are due: an index of wake-up times.

Most wake-ups move on before they come: with a deal's next change. So an instant is noted only if it is earlier than
what is noted already, and a deal that turns out to wake later when its instant comes is noted anew then.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Final

from wellwon.core.units import MINUTE

GRAIN: Final = MINUTE
"""Deals are kept by the minute in which they wake: a million of them cost a list entry each, not a heap entry."""


class Wakes:
    """Deals by wake-up time: an entry of each deal that wakes is at that instant or before it."""

    __slots__ = ("_far", "_grains", "_near", "_reached")

    def __init__(self, noted: Iterable[tuple[int, bytes]] = ()) -> None:
        """``noted``: when each deal wakes, -1 for never."""
        far: defaultdict[int, list[bytes]] = defaultdict(list)
        for wake_at, key in noted:
            if wake_at >= 0:
                far[wake_at // GRAIN].append(key)
        self._far: dict[int, list[bytes]] = dict(far)
        self._grains = sorted(self._far)
        self._near: list[tuple[int, bytes]] = []
        """The minutes that a clock has reached, in exact order."""
        self._reached = -1

    def note(self, key: bytes, wake_at: int) -> None:
        """A deal wakes at this instant."""
        grain = wake_at // GRAIN
        if grain <= self._reached:
            heapq.heappush(self._near, (wake_at, key))
        elif (keys := self._far.get(grain)) is not None:
            keys.append(key)
        else:
            self._far[grain] = [key]
            heapq.heappush(self._grains, grain)

    def next_due(self, clock: int, wake_of: Callable[[bytes], int]) -> bytes | None:
        """Take out a deal that is due by this clock; None if there is none.

        ``wake_of`` says when a deal wakes, -1 for never; it is noted for then, or taken out.
        """
        while self._grains and self._grains[0] * GRAIN <= clock:
            self._reached = heapq.heappop(self._grains)
            for key in self._far.pop(self._reached):
                self._note_again(key, wake_of(key))
        while self._near and self._near[0][0] <= clock:
            due = heapq.heappop(self._near)
            while self._near and self._near[0] == due:
                heapq.heappop(self._near)
            wake_at, key = due
            now = wake_of(key)
            if now == wake_at:
                return key
            self._note_again(key, now)
        return None

    def _note_again(self, key: bytes, wake_at: int) -> None:
        if wake_at >= 0:
            self.note(key, wake_at)
