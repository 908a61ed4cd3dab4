"""Times and dates as exports and spreadsheets write them.

ISO forms are read as they are; ``02/24/26 02:20 AM`` needs to know whether the day comes first, and every time without
an offset needs a zone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import Final

from wellwon.core.units import DAY, FIRST_DAY, LAST_DAY, day_of, format_date, parse_date, parse_instant

_ISO: Final = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)? ?(Z|UTC|[+-]\d{2}(?::?\d{2})?)?)?",
    re.IGNORECASE | re.ASCII,
)
_LOCAL: Final = re.compile(
    r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4}|\d{2})\.?"
    r"(?:,?[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)? ?([AP])?\.?(?:M\.?)?)?",
    re.IGNORECASE | re.ASCII,
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class DateReader:
    """Reads times and dates in one file's habits. Raises ValueError with what to do."""

    zone: tzinfo = UTC
    """Zone of the times that have no offset of their own."""
    dayfirst: bool = False
    """``02/03/24`` is the 2nd of March. Dates with dots (``2.3.2024``) are always read so."""

    def instant(self, text: str) -> int:
        """Epoch milliseconds."""
        # The forms of Salesforce's own exports, without a look at each character.
        try:
            if text[-1:] == "Z":
                return parse_instant(text)
            if text[10:11] == " " and len(text) in (19, 23) and self.zone is UTC:
                return parse_instant(f"{text[:10]}T{text[11:]}Z")
        except ValueError:
            pass  # the slow way says what is wrong
        moment = self._moment(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self.zone)
        at = (moment - _EPOCH) // timedelta(milliseconds=1)
        if not FIRST_DAY <= at // 86_400_000 <= LAST_DAY:
            raise ValueError(f"{text!r} is outside 1990..2100")
        return at

    def instants(self, texts: Sequence[str]) -> list[int]:
        """Epoch milliseconds of a column. Raises ValueError for the first that is none."""
        if self.zone is UTC:
            try:
                return [_midnights[text[:10]] + _clocks[text[10:]] for text in texts]
            except ValueError:
                pass  # not the one form that this is for
        return [self.instant(text) for text in texts]

    def date(self, text: str) -> int:
        """A day number; a time of day behind the date is left out: a close date has none."""
        day = day_of(self._moment(text.strip()).date())
        return parse_date(format_date(day))  # refuses a date outside the calendar

    def _moment(self, text: str) -> datetime:
        return _moment(text, self.dayfirst)


class _Midnights(dict[str, int]):
    """``2026-02-24`` to the instant at which it begins."""

    def __missing__(self, text: str) -> int:
        at = self[text] = parse_date(text) * DAY
        return at


class _Clocks(dict[str, int]):
    """A time of day in UTC, with what stands before it, to milliseconds."""

    def __missing__(self, text: str) -> int:
        if text[-1:] != "Z" and len(text) not in (9, 13):
            raise ValueError(text)  # with an offset, or without seconds
        day = "2000-01-01"
        ms = DateReader().instant(day + text) - _midnights[day]
        if len(self) < _CLOCKS_KEPT:
            self[text] = ms
        return ms


_CLOCKS_KEPT: Final = 200_000
_midnights: Final = _Midnights()
_clocks: Final = _Clocks()


@lru_cache(maxsize=4096)
def _moment(text: str, dayfirst: bool) -> datetime:
    """The time as written, with its offset if it has one."""
    if iso := _ISO.fullmatch(text):
        year, month, day, hour, minute, second, fraction, offset = iso.groups()
        zone = _offset(offset) if offset else None
        return _made(text, int(year), int(month), int(day), hour, minute, second, fraction, zone)
    local = _LOCAL.fullmatch(text)
    if local is None:
        raise ValueError(f"{text!r} is not a date or time: write it as 2026-02-24 02:20:00 or 02/24/26 02:20 AM")
    first, mark, other, year, hour, minute, second, fraction, half = local.groups()
    month, day = (int(other), int(first)) if dayfirst or mark == "." else (int(first), int(other))
    if month > 12 >= day:
        advice = "leave --dayfirst out" if dayfirst else "add --dayfirst if the day comes first in this file"
        raise ValueError(f"{text!r} has no month {month}: {advice}")
    if half:
        if not 1 <= int(hour) <= 12:
            raise ValueError(f"{text!r} is not a time: {hour} {half}M")
        hour = str(int(hour) % 12 + (12 if half.upper() == "P" else 0))
    # Two digits as POSIX reads them: 69 and later are the last century.
    full = int(year) if len(year) == 4 else int(year) + (1900 if int(year) >= 69 else 2000)
    return _made(text, full, month, day, hour, minute, second, fraction, None)


def _offset(text: str) -> tzinfo:
    if text.upper() in ("Z", "UTC"):
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[3:].lstrip(":") or 0)
    if minutes >= 24 * 60:
        raise ValueError(f"{text!r} is not an offset from UTC")
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _made(
    text: str,
    year: int,
    month: int,
    day: int,
    hour: str | None,
    minute: str | None,
    second: str | None,
    fraction: str | None,
    zone: tzinfo | None,
) -> datetime:
    micros = int((fraction or "0").ljust(6, "0")[:6])
    try:
        return datetime(year, month, day, int(hour or 0), int(minute or 0), int(second or 0), micros, tzinfo=zone)
    except ValueError as error:
        raise ValueError(f"{text!r} is not a date or time: {error}") from None
