"""Time for a log that has none: the clock records that a worker would have written while it happened.

``wellwon replay`` and ``wellwon ingest --clock`` use this same sequence, so that both give the same transitions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from wellwon.core.calendar import FiscalCalendar
from wellwon.core.units import DAY, HOUR

LONG_MS: Final = 2 * DAY


class Timed(Protocol):
    """Something with an event time, epoch milliseconds."""

    @property
    def at(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Tick:
    """A clock record, for every partition."""

    at: int


T = TypeVar("T", bound=Timed)


def with_clock(records: Iterable[T], calendar: FiscalCalendar, until: int | None = None) -> Iterator[T | Tick]:
    """The records with a `Tick` at each full hour of event time between them, and one at the end.

    Where nothing happens for more than two days, there is a tick for each local midnight (at the full hour that it is,
    or that follows it) and one before the next record: rules change their answer at midnights. ``until``: records
    after it are left out and the last tick is there; by default the last tick is at the latest record.
    """
    now = latest = -1
    for record in records:
        if until is not None and record.at > until:
            continue
        if now < 0:
            now = record.at // HOUR * HOUR
            yield Tick(now)
        for hour in _hours(now, record.at, calendar):
            now = hour
            yield Tick(hour)
        latest = max(latest, record.at)
        yield record
    if now < 0:
        return
    end = latest if until is None else until
    for hour in _hours(now, end, calendar):
        now = hour
        yield Tick(hour)
    if end > now:
        yield Tick(end)


def _hours(after: int, upto: int, calendar: FiscalCalendar) -> Iterator[int]:
    """The full hours after one instant and up to another at which a tick is due."""
    last = upto // HOUR * HOUR
    if upto - after <= LONG_MS:
        yield from range((after // HOUR + 1) * HOUR, last + 1, HOUR)
        return
    for day in range(calendar.local_day(after) + 1, calendar.local_day(upto) + 1):
        hour = -(-calendar.midnight(day) // HOUR) * HOUR
        if after < hour < last:
            yield hour
    yield last
