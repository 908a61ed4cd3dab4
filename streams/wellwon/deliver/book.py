"""One address's book: whether it may be told now, and what is held back from it until when."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wellwon.core.units import HOUR, MINUTE
from wellwon.deliver import hours
from wellwon.deliver.directory import Address, Directory
from wellwon.deliver.state import BURSTS, CAP, FLOOD, QUIET, SMALL, Held, Page

FLOOD_MS: Final = 10 * MINUTE
FLOOD_MESSAGES: Final = 30
"""More messages than this in `FLOOD_MS` nobody reads in a channel: the rest of them come as one."""
BURST_QUIET_MS: Final = MINUTE
"""A burst is over when nothing has come for so long (for the settle time, if that is longer) ..."""
BURST_MS: Final = HOUR
"""... and at the latest after this."""


class Book:
    """See the module. ``page`` and what is held are stored by whoever keeps the book."""

    __slots__ = ("_next", "address", "held", "page")

    def __init__(self, address: Address, page: Page | None = None, held: Iterable[Held] = ()) -> None:
        self.address = address
        self.page = page or Page()
        self.held = {(one.deal, one.mark): one for one in held}
        self._next = min((one.due for one in self.held.values() if one.due), default=-1)

    def admit(self, now: int, directory: Directory) -> str:
        """Count a message to the address and return an empty text, or say why it is to be held back."""
        address = self.address
        if not address.person:
            if self._count(now // FLOOD_MS) >= FLOOD_MESSAGES:
                return FLOOD
        else:
            zone = directory.zone(address)
            if hours.opens_at(now, zone, directory.delivery) > now:
                return QUIET
            if self._count(hours.local_day(now, zone)) >= directory.delivery.owner_cap_per_day:
                return CAP
        self.page.posted += 1
        return ""

    def _count(self, day: int) -> int:
        if self.page.day != day:
            self.page.day, self.page.posted = day, 0
        return self.page.posted

    def hold(self, deal: str, mark: str, reason: str, now: int, directory: Directory) -> Held | None:
        """Hold a headline back until it is due; None where it is held already."""
        if (deal, mark) in self.held:
            return None
        held = Held(deal, mark, reason, self._due(reason, now, directory))
        self.held[deal, mark] = held
        if held.due:
            self._next = held.due if self._next < 0 else min(self._next, held.due)
        return held

    def _due(self, reason: str, now: int, directory: Directory) -> int:
        delivery, zone, page = directory.delivery, directory.zone(self.address), self.page
        if reason in BURSTS:
            quiet = max(BURST_QUIET_MS, delivery.settle_minutes * MINUTE)
            page.burst_since = page.burst_since or now
            over = min(now + quiet, page.burst_since + BURST_MS)
            page.burst_due = hours.opens_at(over, zone, delivery) if self.address.person else over
            return 0
        if reason == QUIET:
            return hours.opens_at(now, zone, delivery)
        if reason == FLOOD:
            return (now // FLOOD_MS + 1) * FLOOD_MS
        assert reason in (CAP, SMALL), reason
        return hours.next_time(now, zone, delivery.daily_digest_at, delivery.working_days)

    def release(self, now: int) -> list[Held]:
        """Take out what is due."""
        if not 0 <= self.wake_at <= now:
            return []
        page = self.page
        burst = 0 < page.burst_due <= now
        if burst:
            page.burst_since = page.burst_due = 0
        due = [one for one in self.held.values() if (one.due <= now if one.due else burst)]
        for one in due:
            del self.held[one.deal, one.mark]
        self._next = min((one.due for one in self.held.values() if one.due), default=-1)
        return due

    @property
    def wake_at(self) -> int:
        """When something held back is due, epoch milliseconds; -1 for never."""
        burst = self.page.burst_due
        return min(self._next, burst) if self._next >= 0 and burst else burst or self._next
