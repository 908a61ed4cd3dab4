"""How many of a CRM's daily API calls are left for us.

A bucket that a day's share fills evenly and that holds an hour of it: a burst is written at once, a flood waits, and a
worker that is started again and again cannot take more than an hour's share each time.
"""

from __future__ import annotations

from typing import Final

ASSUMED: Final = 15_000
"""Daily calls of an organisation that has not said yet how many it has: those of the smallest Salesforce edition."""
DAY_S: Final = 86_400.0
HOLDS: Final = 24
"""The bucket holds this part of a day's share."""


class Budget:
    """See the module. Times in seconds, monotonic."""

    __slots__ = ("_at", "_left", "_share", "limit")

    def __init__(self, share_percent: int, now: float) -> None:
        self._share = share_percent
        self.limit = ASSUMED
        self._left = self._room
        self._at = now

    @property
    def per_day(self) -> float:
        """Our calls a day."""
        return self.limit * self._share / 100

    @property
    def _room(self) -> float:
        return max(1.0, self.per_day / HOLDS)

    def learn(self, limit: int, share_percent: int) -> None:
        """Take in what the CRM says of its daily limit, and the policy of our share."""
        if limit > 0:
            self.limit = limit
        self._share = share_percent

    def left(self, now: float) -> float:
        """Calls that may be made now."""
        self._left = min(self._room, self._left + (now - self._at) * self.per_day / DAY_S)
        self._at = now
        return self._left

    def spend(self, calls: int, now: float) -> None:
        """Note calls that were made; what was made beyond the budget is paid off."""
        self._left = self.left(now) - calls
