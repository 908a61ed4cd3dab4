"""The queue before one sink: deal by deal in order, at the sink's pace, with retries and a circuit.

Pure of I/O: the time is an argument (seconds, monotonic). A deal's messages go one after the other; other deals
overtake it while it waits for a retry.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable
from typing import Final

QUEUE_MAX: Final = 200_000
"""Messages that may wait for one sink; beyond that they become dead letters."""
FIRST_RETRY_S: Final = 1.0
LAST_RETRY_S: Final = 60.0
TRIPS_AT: Final = 5
"""Failures in a row after which the circuit opens."""

Place = tuple[bytes, str, str]
"""Key of the deal, id of the message, address."""


class Lane:
    """See the module."""

    def __init__(self, pace_s: float, parallel: int, jitter: Callable[[], float], most: float = QUEUE_MAX) -> None:
        """``jitter`` gives a number from 0 to 1; ``most`` messages may wait."""
        self._pace, self._parallel, self._jitter, self._most = pace_s, parallel, jitter, most
        self._queues: dict[bytes, deque[Place]] = {}
        self._ready: deque[bytes] = deque()
        self._waiting: list[tuple[float, int, bytes]] = []
        """Deals that wait for a retry, or for their turn at an address."""
        self._turns: set[bytes] = set()
        """Deals whose turn at an address is reserved."""
        self._numbers = itertools.count()
        self._busy: set[bytes] = set()
        self._free_at: dict[str, float] = {}
        """From when on no deal has a turn at an address yet."""
        self._went_at: dict[str, float] = {}
        self._tries: dict[bytes, int] = {}
        self._failures = 0
        self._closed_until = 0.0
        self.length = 0
        """Messages that wait or are under way."""

    @property
    def open_circuit(self) -> bool:
        """Whether the sink failed so often that it is tried with one message at a time, now and then."""
        return self._failures >= TRIPS_AT

    def offer(self, place: Place) -> bool:
        """Take in a message; False when too many wait already."""
        if self.length >= self._most:
            return False
        self.length += 1
        key = place[0]
        queue = self._queues.get(key)
        if queue is None:
            self._queues[key] = deque((place,))
            self._ready.append(key)
        else:
            queue.append(place)
        return True

    def next(self, now: float) -> Place | None:
        """Take the next message that may go out now; it is under way until `done` or `failed`."""
        while self._waiting and self._waiting[0][0] <= now:
            self._ready.append(heapq.heappop(self._waiting)[2])
        if now < self._closed_until or len(self._busy) >= (1 if self.open_circuit else self._parallel):
            return None
        while self._ready:
            key = self._ready.popleft()
            place = self._queues[key][0]
            if not self._its_turn(key, place[2], now):
                continue
            self._busy.add(key)
            return place
        return None

    def _its_turn(self, key: bytes, address: str, now: float) -> bool:
        if not self._pace:
            return True
        earliest = self._went_at.get(address, -self._pace) + self._pace
        reserved = key in self._turns
        self._turns.discard(key)
        if not reserved or now < earliest:  # a turn that came while the sink was left alone is gone: take another
            turn = max(self._free_at.get(address, 0.0), earliest, now)
            self._free_at[address] = turn + self._pace
            if turn > now:
                self._turns.add(key)
                self._wait(key, turn)
                return False
        self._went_at[address] = now
        return True

    def _wait(self, key: bytes, until: float) -> None:
        heapq.heappush(self._waiting, (until, next(self._numbers), key))

    def done(self, key: bytes, *, taken: bool = True) -> None:
        """The message under way of this deal is settled. ``taken``: by the sink, which is well then."""
        if taken:
            self._failures = 0
        self._tries.pop(key, None)
        self._busy.discard(key)
        self.length -= 1
        queue = self._queues[key]
        queue.popleft()
        if queue:
            self._ready.append(key)
        else:
            del self._queues[key]

    def failed(self, key: bytes, now: float, seconds: float = 0.0) -> None:
        """The sink did not take the message under way of this deal: try again, not before ``seconds`` are over."""
        self._busy.discard(key)
        self._failures += 1
        tries = self._tries[key] = self._tries.get(key, 0) + 1
        self._wait(key, now + max(seconds, self._pause(tries)))
        if seconds or self.open_circuit:
            pause = seconds or self._pause(self._failures - TRIPS_AT + 1)
            self._closed_until = max(self._closed_until, now + pause)

    def _pause(self, tries: int) -> float:
        longest = min(LAST_RETRY_S, FIRST_RETRY_S * 2.0 ** min(tries - 1, 10))
        return longest * (0.5 + 0.5 * self._jitter())
