"""The organisation's fiscal periods, in its time zone.

Every boundary is computed when the calendar is made: a question is a look into a list of days. Days
are day numbers (days since 1970-01-01), instants are epoch milliseconds UTC. Every date and every instant that `units`
reads has its period, in every zone; what lies further out is a ValueError that says so.

Labels: a fiscal year is named after the calendar year in which it ends, so that with `start_month` 2 the quarter from
November 2026 is `2027-Q4`. Calendar months keep their own name (`2026-11`); months made of weeks are numbered within
the fiscal year (`2027-M10`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import accumulate, pairwise
from typing import Final, Literal, get_args

from wellwon.core.units import FIRST_DAY, LAST_DAY, date_of, day_of
from wellwon.core.zone import Zone, name_of

Kind = Literal["quarter", "month"]
Pattern = Literal["standard", "4-4-5", "4-5-4", "5-4-4"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]

PERIODS_A_YEAR: Final[dict[str, int]] = {"quarter": 4, "month": 12}
# What a period of a table may last, in days: wide enough for any real one, narrow enough to notice a missing row.
_TABLE_DAYS: Final[dict[str, range]] = {"quarter": range(56, 127), "month": range(21, 50)}


@dataclass(frozen=True, slots=True)
class Period:
    """One fiscal period. `index` rises by one from each period to the next."""

    index: int
    label: str
    start_day: int
    end_day: int  # its last day, inclusive
    start_at: int  # ms
    end_at: int  # ms, exclusive: the next period's start


DAYS_KEPT: Final = 4_096
"""Midnights that are remembered: rules ask for the same few years again and again."""


class FiscalCalendar:
    """Which fiscal period a day or an instant falls in. Immutable, safe to share between threads."""

    __slots__ = (
        "_by_day",
        "_end_at",
        "_end_day",
        "_first_at",
        "_first_day",
        "_periods",
        "_zone",
        "kind",
        "local_day",
        "midnight",
    )

    kind: Kind
    local_day: Callable[[int], int]
    """Day number that the zone's calendar shows at an instant (ms): the zone's own method, for it is asked most."""
    midnight: Callable[[int], int]
    """First instant (ms) of a day in the zone: the zone's own method."""

    def __init__(
        self,
        kind: Kind = "quarter",
        start_month: int = 1,
        pattern: Pattern = "standard",
        week_start: Weekday = "monday",
        zone: str = "UTC",
    ) -> None:
        """A calendar made by rule.

        `start_month` (1..12) begins the fiscal year. With a pattern of weeks the year begins on the `week_start` day
        nearest the 1st of that month, so that it has 52 or 53 weeks; the 53rd goes to the last month of the last
        quarter. Raises ValueError for a value that is none of these.
        """
        _one_of("kind", kind, get_args(Kind))
        _one_of("pattern", pattern, get_args(Pattern))
        _one_of("week_start", week_start, get_args(Weekday))
        if start_month not in range(1, 13):
            raise ValueError(f"start_month is {start_month}: a month from 1 to 12 is needed")
        if pattern == "standard":
            starts = list(_calendar_starts(kind, start_month))
        else:
            starts = list(_week_starts(kind, start_month, pattern, get_args(Weekday).index(week_start)))
        self._fill(kind, zone, starts)

    @classmethod
    def from_table(cls, rows: Sequence[tuple[str, int]], kind: Kind = "quarter", zone: str = "UTC") -> FiscalCalendar:
        """A calendar from an explicit table of (label, first day), in order, of at least one year.

        Where the table ends, on either side, it is continued: a period begins on the same month and day as the one a
        year nearer to the table, and is labelled by its first day (`from 2031-02-01`). The table's first row has index
        0. Raises ValueError for a table that is too short, out of order, repeats a label, or seems to miss a row.
        """
        _one_of("kind", kind, get_args(Kind))
        a_year = PERIODS_A_YEAR[kind]
        if len(rows) < a_year:
            raise ValueError(f"the table has {len(rows)} periods: a year ({a_year} of them) is the least")
        for label, day in rows:
            _check_day(day)
            if not label or sum(label == other for other, _ in rows) > 1:
                raise ValueError(f"label {label!r} of {name_of(day)}: each period needs a label of its own")
        days = [day for _, day in rows]
        _check_lengths(days, kind)
        while days[-1] <= LAST_DAY + 1:
            days.append(_years_later(days[-a_year], 1))
        before = 0
        while days[0] >= FIRST_DAY:
            days.insert(0, _years_later(days[a_year - 1], -1))
            before += 1
        _check_lengths(days, kind)
        labels = {day: label for label, day in rows}
        starts = [(i, labels.get(day, f"from {name_of(day)}"), day) for i, day in enumerate(days, start=-before)]
        calendar = cls(kind, zone=zone)  # with the periods of the table in place of its own
        calendar._fill(kind, zone, starts)
        return calendar

    def _fill(self, kind: Kind, zone: str, starts: Sequence[tuple[int, str, int]]) -> None:
        """Make the periods from their (index, label, first day), of which the last one only ends the one before."""
        place = Zone(zone)
        self.kind = kind
        self._zone = place
        self.local_day = place.local_day
        self.midnight = lru_cache(maxsize=DAYS_KEPT)(place.midnight)
        self._periods = tuple(
            Period(index, label, start, following - 1, place.midnight(start), place.midnight(following))
            for (index, label, start), (_, _, following) in pairwise(starts)
        )
        self._first_day = self._periods[0].start_day
        self._by_day: list[Period] = []
        """The period of each day from the first on: rules ask for it more often than for anything else."""
        for period in self._periods:
            self._by_day += [period] * (period.end_day - period.start_day + 1)
        self._first_at = self._periods[0].start_at
        self._end_day = self._periods[-1].end_day
        self._end_at = self._periods[-1].end_at

    @property
    def zone(self) -> str:
        """IANA name of the zone that the days are of."""
        return self._zone.name

    def period_of_day(self, day: int) -> Period:
        """The period that a day belongs to. ValueError for a day outside the calendar."""
        if self._first_day <= day <= self._end_day:
            return self._by_day[day - self._first_day]
        raise _out_of_range(name_of(day))

    def today(self, at: int) -> tuple[int, Period]:
        """The local day of an instant (ms), and its period. ValueError outside the calendar."""
        day = self.local_day(at)
        return day, self.period_of_day(day)

    def period_of(self, at: int) -> Period:
        """The period that an instant (ms) falls in, in the calendar's zone. ValueError outside the calendar."""
        if self._first_at <= at < self._end_at:
            return self._by_day[self.local_day(at) - self._first_day]
        raise _out_of_range(f"instant {at} ms")

    @staticmethod
    def window_start(period: Period, days: int) -> int:
        """First day of the period's last `days` days; never before the period."""
        return max(period.start_day, period.end_day - days + 1)


def _calendar_starts(kind: Kind, start_month: int) -> Iterator[tuple[int, str, int]]:
    a_year = PERIODS_A_YEAR[kind]
    months = 12 // a_year
    for year in range(1989, 2102):
        for number in range(a_year):
            more, month = divmod(start_month - 1 + number * months, 12)
            fiscal_year = _fiscal_year(year, start_month)
            label = f"{fiscal_year}-Q{number + 1}" if kind == "quarter" else f"{year + more}-{month + 1:02d}"
            yield fiscal_year * a_year + number, label, day_of(date(year + more, month + 1, 1))


def _week_starts(kind: Kind, start_month: int, pattern: Pattern, weekday: int) -> Iterator[tuple[int, str, int]]:
    a_year = PERIODS_A_YEAR[kind]
    letter = "Q" if kind == "quarter" else "M"
    weeks = [13] * 4 if kind == "quarter" else [int(month) for month in pattern.split("-")] * 4
    for year in range(1989, 2102):
        fiscal_year = _fiscal_year(year, start_month)
        first = _nearest(day_of(date(year, start_month, 1)), weekday)
        for number, before in enumerate(accumulate(weeks[:-1], initial=0)):
            yield fiscal_year * a_year + number, f"{fiscal_year}-{letter}{number + 1}", first + 7 * before


def _fiscal_year(start_year: int, start_month: int) -> int:
    return start_year if start_month == 1 else start_year + 1


def _nearest(day: int, weekday: int) -> int:
    """The day with this weekday (Monday 0) that is nearest to `day`, at most three days off."""
    return day + (weekday - date_of(day).weekday() + 3) % 7 - 3


def _years_later(day: int, years: int) -> int:
    """Same month and day in another year; 1 March for a 29 February that it does not have."""
    there = date_of(day)
    try:
        return day_of(there.replace(year=there.year + years))
    except ValueError:
        return day_of(date(there.year + years, 3, 1))


def _check_lengths(starts: Sequence[int], kind: Kind) -> None:
    for start, following in pairwise(starts):
        if following - start not in _TABLE_DAYS[kind]:
            raise ValueError(
                f"the {kind} from {name_of(start)} to the next at {name_of(following)} has {following - start} days:"
                f" is a row missing, or out of order?"
            )


def _one_of(name: str, value: str, allowed: Sequence[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} is {value!r}: one of {', '.join(allowed)} is needed")


def _check_day(day: int) -> None:
    if not FIRST_DAY <= day <= LAST_DAY:
        raise _out_of_range(name_of(day))


def _out_of_range(what: str) -> ValueError:
    return ValueError(f"{what} is outside the calendar: dates from 1990-01-01 to 2100-12-31 are accepted")
