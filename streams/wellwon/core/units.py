"""The units of the core, and their written forms.

Inside the core everything is an integer, so that a change costs no datetime and no Decimal:

==========  ==============================  =======================
quantity    in the core                     on the wire
==========  ==============================  =======================
instant     milliseconds since 1970, UTC    ``2026-11-20T10:00:00Z``
date        days since 1970-01-01           ``2026-12-31``
money       hundredths of the currency      ``"84000.00"``
percent     hundredths of a point           ``"22.5"``
quantity    thousandths                     ``"3"``
==========  ==============================  =======================

Every parser raises ``ValueError`` with the text that it could not read.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

SECOND: Final = 1_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

FIRST_DAY: Final = date(1990, 1, 1).toordinal() - _EPOCH_ORDINAL
LAST_DAY: Final = date(2100, 12, 31).toordinal() - _EPOCH_ORDINAL
"""Dates outside 1990..2100 are slips of the hand; calendars are built for this range."""

_DECIMALS_MAX: Final = 10**15
NUMBER_MAX: Final = 40
"""Characters of a number: longer ones are rubbish, and would fill the cache."""


@lru_cache(maxsize=65_536)
def parse_date(text: str) -> int:
    """Day number of ``YYYY-MM-DD``."""
    try:
        year, month, number = text[:4], text[5:7], text[8:]
        if len(text) != 10 or text[4] != "-" or text[7] != "-" or not (year + month + number).isdecimal():
            raise ValueError
        day = date(int(year), int(month), int(number)).toordinal() - _EPOCH_ORDINAL
    except ValueError:
        raise ValueError(f"{text!r} is not a date (YYYY-MM-DD)") from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"date {text} is outside 1990-01-01..2100-12-31")
    return day


@lru_cache(maxsize=65_536)
def format_date(day: int) -> str:
    """``YYYY-MM-DD`` of a day number."""
    return date.fromordinal(day + _EPOCH_ORDINAL).isoformat()


def day_of(value: date) -> int:
    """Day number of a ``datetime.date``."""
    return value.toordinal() - _EPOCH_ORDINAL


def date_of(day: int) -> date:
    """``datetime.date`` of a day number."""
    return date.fromordinal(day + _EPOCH_ORDINAL)


def parse_instant(text: str) -> int:
    """Epoch milliseconds of an RFC 3339 instant; an offset is required."""
    # The usual form, "2026-11-20T10:00:00Z", is two look-ups: a source repeats its days and its times of day.
    size = len(text)
    if size == 20 or (size == 24 and text[19] == "." and text[20:23].isdecimal()):
        try:
            millis = int(text[20:23]) if size == 24 else 0
            if text[10] == "T" and text[-1] == "Z":
                return parse_date(text[:10]) * DAY + _time_of_day(text[11:19]) + millis
        except ValueError:
            pass  # the slow way says what is wrong
    return _parse_instant_slowly(text)


@lru_cache(maxsize=131_072)
def _time_of_day(text: str) -> int:
    """Milliseconds of ``10:00:00``."""
    hour, minute, second = int(text[:2]), int(text[3:5]), int(text[6:8])
    if text[2] != ":" or text[5] != ":" or hour > 23 or minute > 59 or second > 59:
        raise ValueError(text)
    return (hour * 3_600 + minute * 60 + second) * SECOND


def _parse_instant_slowly(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not an instant (RFC 3339, such as 2026-11-20T10:00:00Z)") from None
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset (write 2026-11-20T10:00:00Z)")
    at = (moment - _EPOCH) // timedelta(milliseconds=1)
    if not FIRST_DAY * DAY <= at < (LAST_DAY + 1) * DAY:
        raise ValueError(f"instant {text} is outside 1990..2100")
    return at


def format_instant(at: int) -> str:
    """RFC 3339 UTC of epoch milliseconds; milliseconds only where there are any."""
    day, rest = divmod(at, DAY)
    second, millis = divmod(rest, SECOND)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    fraction = f".{millis:03d}" if millis else ""
    return f"{format_date(day)}T{hour:02d}:{minute:02d}:{second:02d}{fraction}Z"


@lru_cache(maxsize=65_536)
def _parse_scaled(text: str, digits: int) -> int:
    """A decimal string as an integer of ``10**-digits``, rounded half away from zero."""
    if len(text) > NUMBER_MAX:
        raise ValueError(f"{text[:20]!r}... is not a number: it has more than {NUMBER_MAX} characters")
    body = text.strip()
    negative = body.startswith("-")
    whole, _, fraction = body.lstrip("+-").partition(".")
    # "1e5" and "١" are what int() would take and people would not mean.
    if not (whole or fraction) or not (whole + fraction).isascii() or not (whole + fraction).isdigit():
        raise ValueError(f"{text!r} is not a decimal number")
    fraction = (fraction + "0" * (digits + 1))[: digits + 1]
    value = (int((whole or "0") + fraction) + 5) // 10
    if value > _DECIMALS_MAX:
        raise ValueError(f"{text!r} is too large")
    return -value if negative else value


def _parse_number(value: str | int | float, digits: int) -> int:
    if isinstance(value, bool):
        raise ValueError(f"{value!r} is not a number")
    if isinstance(value, float):
        value = format(Decimal(repr(value)), "f")  # as it was written: 1.005 is not 1.00499...
    return _parse_scaled(value if isinstance(value, str) else str(value)[: NUMBER_MAX + 1], digits)


def parse_money(value: str | int | float) -> int:
    """Hundredths of the currency."""
    return _parse_number(value, 2)


def parse_percent(value: str | int | float) -> int:
    """Hundredths of a point; 0..100 on the wire, wider values are refused."""
    bp = _parse_number(value, 2)
    if not -100_000 <= bp <= 10_000:
        raise ValueError(f"{value!r} is not a percent (at most 100)")
    return bp


def parse_quantity(value: str | int | float) -> int:
    """Thousandths of a unit."""
    return _parse_number(value, 3)


def _format_scaled(value: int, digits: int) -> str:
    sign = "-" if value < 0 else ""
    whole, fraction = divmod(abs(value), 10**digits)
    return f"{sign}{whole}.{fraction:0{digits}d}"


def format_money(cents: int) -> str:
    """``84000.00``."""
    return _format_scaled(cents, 2)


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".")


def format_percent(bp: int) -> str:
    """``22.5``."""
    return _trimmed(_format_scaled(bp, 2))


def format_quantity(thousandths: int) -> str:
    """``3`` or ``2.5``."""
    return _trimmed(_format_scaled(thousandths, 3))
