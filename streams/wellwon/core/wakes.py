"""Which deals are due: an index of wake-up times."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from typing import Final

from wellwon.core.units import MINUTE

GRAIN: Final = MINUTE
"""Deals are kept by the minute in which they wake: a million of them cost a list entry each, not a heap entry."""


class Wakes:
    """Deals by wake-up time. Entries may be stale: what counts is the time that the deal itself gives when due."""

    __slots__ = ("_heap", "_keys")

    def __init__(self, noted: Iterable[tuple[int, bytes]] = ()) -> None:
        self._keys: dict[int, list[bytes]] = {}
        for wake_at, key in noted:
            self._keys.setdefault(wake_at // GRAIN, []).append(key)
        self._heap = sorted(self._keys)

    def note(self, key: bytes, wake_at: int) -> None:
        """A deal wakes at this instant."""
        grain = wake_at // GRAIN
        keys = self._keys.get(grain)
        if keys is None:
            self._keys[grain] = [key]
            heapq.heappush(self._heap, grain)
        else:
            keys.append(key)

    def next_due(self, clock: int, wake_of: Callable[[bytes], int]) -> bytes | None:
        """Take out a deal that is due by this clock; None if there is none. ``wake_of`` gives -1 for never."""
        while self._heap and self._heap[0] * GRAIN <= clock:
            grain = self._heap[0]
            keys = self._keys[grain]
            later: list[bytes] = []
            while keys:
                key = keys.pop()
                wake_at = wake_of(key)
                if wake_at // GRAIN != grain:
                    continue  # woken or moved since it was noted
                if wake_at <= clock:
                    keys.extend(later)
                    return key
                later.append(key)
            if later:
                self._keys[grain] = later
                return None
            del self._keys[grain]
            heapq.heappop(self._heap)
        return None
