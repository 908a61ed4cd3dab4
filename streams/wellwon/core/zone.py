"""Local days of a time zone: which day an instant falls on, and when a day begins.

Instants are epoch milliseconds UTC, days are day numbers (days since 1970-01-01). The zone's offsets are read once
into sorted lists; an answer is a look into them, without datetime or zoneinfo.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wellwon.core.units import DAY, date_of

# The offsets are known two years past the dates that a calendar accepts, for periods that reach over its ends.
_FIRST_YEAR, _LAST_YEAR = 1988, 2102
# No zone kept an offset for less than this since 1988 (a test reads every zone hour by hour).
_PROBE = timedelta(days=4)


def name_of(day: int) -> str:
    """`YYYY-MM-DD` of a day number, for messages; `day N` where there is no such date."""
    try:
        return date_of(day).isoformat()
    except (ValueError, OverflowError):
        return f"day {day}"


class Zone:
    """The local days of one IANA time zone, from 1988 to 2102. Immutable.

    Days follow each other in order: where a clock set back would show a day, then the day before, then that day again
    (St John's set it back at 00:01), the day begins at the second midnight. Where midnight was skipped, the day begins
    when the clock resumes. A day that a zone skipped whole (Apia, 2011-12-30) begins, without length, where the next
    one does.
    """

    __slots__ = ("_first_at", "_last_at", "_offsets", "_piece_of", "_starts", "_wall_ends", "name")

    def __init__(self, name: str) -> None:
        """Raises ValueError for a name that the IANA database does not have."""
        self.name = name
        self._starts, self._offsets, self._piece_of = _pieces(name)
        self._first_at = self._starts[0]
        self._last_at = _at(datetime(_LAST_YEAR + 1, 1, 1, tzinfo=UTC))
        ends = (*self._starts[1:], self._last_at)
        self._wall_ends = tuple(end + offset for end, offset in zip(ends, self._offsets, strict=True))

    def __repr__(self) -> str:
        return f"Zone({self.name!r})"

    def local_day(self, at: int) -> int:
        """Day number that the zone's calendar shows at the instant `at` (ms). ValueError outside 1988..2102."""
        if self._first_at <= at < self._last_at:
            piece = self._piece_of[(at - self._first_at) // DAY]
            if at < self._starts[piece]:
                piece -= 1
            return (at + self._offsets[piece]) // DAY
        raise ValueError(f"instant {at} ms is outside the years {_FIRST_YEAR} to {_LAST_YEAR}")

    def midnight(self, day: int) -> int:
        """First instant (ms) of a local day. ValueError outside 1988..2102."""
        wall = day * DAY
        if not self._first_at + self._offsets[0] <= wall < self._wall_ends[-1]:
            raise ValueError(f"{name_of(day)} is outside the years {_FIRST_YEAR} to {_LAST_YEAR}")
        piece = bisect_right(self._wall_ends, wall)
        return max(self._starts[piece], wall - self._offsets[piece])


def _at(moment: datetime) -> int:
    return round(moment.timestamp()) * 1000


@cache
def _pieces(name: str) -> tuple[tuple[int, ...], tuple[int, ...], list[int]]:
    """Instants from which the zone keeps an offset, and the offsets, in ms; of each UTC day, the place of its last."""
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a directory of the database, such as "Europe"
        raise ValueError(
            f"unknown time zone {name!r}: use a name of the IANA database, such as Europe/Berlin"
        ) from None

    def offset(moment: datetime) -> int:
        shift = moment.astimezone(zone).utcoffset()
        assert shift is not None  # a ZoneInfo always has an offset
        return round(shift.total_seconds()) * 1000

    here, end = datetime(_FIRST_YEAR, 1, 1, tzinfo=UTC), datetime(_LAST_YEAR + 1, 1, 1, tzinfo=UTC)
    current = offset(here)
    starts, offsets = [_at(here)], [current]
    while here < end:
        there = here + _PROBE
        if (following := offset(there)) != current:
            before, after = here, there
            while after - before > timedelta(seconds=1):
                middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
                before, after = (middle, after) if offset(middle) == current else (before, middle)
            change = _at(after)
            # Set back over midnight: the few minutes that already showed the next day are counted to the day before.
            midnight = (change + current) // DAY * DAY
            if change + following < midnight < change + current:
                change = midnight - current
            starts.append(change)
            offsets.append(following)
            current = following
        here = there
    piece_of: list[int] = []
    for piece, until in enumerate((*starts[1:], _at(end))):
        # The day in which the next offset begins ends with that one: no day has two such instants.
        piece_of += [piece] * ((until - starts[0]) // DAY - len(piece_of))
    return tuple(starts), tuple(offsets), piece_of
