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

from datetime import UTC, date, datetime
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
    try:
        since = datetime.fromisoformat(text) - _EPOCH
    except ValueError:
        raise ValueError(f"{text!r} is not an instant (RFC 3339, such as 2026-11-20T10:00:00Z)") from None
    except TypeError:
        raise ValueError(f"{text!r} has no UTC offset (write 2026-11-20T10:00:00Z)") from None
    day = since.days
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"instant {text} is outside 1990..2100")
    return day * DAY + since.seconds * SECOND + since.microseconds // 1_000


def format_instant(at: int) -> str:
    """RFC 3339 UTC of epoch milliseconds; milliseconds only where there are any."""
    day, rest = divmod(at, DAY)
    second, millis = divmod(rest, SECOND)
    minute, second = divmod(second, 60)
    hour, minute = divmod(minute, 60)
    fraction = f".{millis:03d}" if millis else ""
    return f"{format_date(day)}T{hour:02d}:{minute:02d}:{second:02d}{fraction}Z"


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


@lru_cache(maxsize=65_536)
def _hundredths(text: str) -> int:
    return _parse_scaled(text, 2)


@lru_cache(maxsize=65_536)
def _thousandths(text: str) -> int:
    return _parse_scaled(text, 3)


def _written(value: object) -> str:
    """A number as it was written: 1.005 is not 1.00499..."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError(f"{value!r} is not a number")
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f")
    return str(value)[: NUMBER_MAX + 1]


def parse_money(value: object) -> int:
    """Hundredths of the currency."""
    return _hundredths(value if type(value) is str else _written(value))


def parse_percent(value: object) -> int:
    """Hundredths of a point; 0..100 on the wire, wider values are refused."""
    bp = _hundredths(value if type(value) is str else _written(value))
    if not -100_000 <= bp <= 10_000:
        raise ValueError(f"{value!r} is not a percent (at most 100)")
    return bp


def parse_quantity(value: object) -> int:
    """Thousandths of a unit."""
    return _thousandths(value if type(value) is str else _written(value))


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
