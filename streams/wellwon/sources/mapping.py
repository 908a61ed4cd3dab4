"""Which CRM field is which field of a deal, who wrote it, and the written form of its value.

Sources know the CRM's names; `SourceView` is what they read of the policy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any, Final

from wellwon.core.units import (
    DAY,
    format_date,
    format_instant,
    format_money,
    format_percent,
    format_quantity,
    parse_date,
    parse_instant,
    parse_money,
    parse_percent,
    parse_quantity,
)
from wellwon.policy.model import FIELDS, Policy, Writers, id_forms

SALESFORCE_FACTS: Final[dict[str, str]] = {"IsClosed": "is_closed", "IsWon": "is_won", "CreatedDate": "created_at"}
"""Read whatever the policy maps: they are no choice of the organisation."""

FORECAST_CATEGORIES: Final[dict[str, str]] = {
    "BestCase": "Best Case",
    "Forecast": "Commit",
    "MostLikely": "Most Likely",
}
"""Salesforce's internal names (`ForecastCategory`) to the labels that people see (`ForecastCategoryName`)."""


EMPTY_TELLS: Final = frozenset({"amount", "next_step"})
"""Fields of which a rule asks whether they are empty: a whole record that has them without a value says so."""

BULK_WINDOW_MS: Final = 60_000
"""Saves of one person within this time count together."""


@dataclass(frozen=True, slots=True)
class SourceView:
    """The part of the policy that sources read."""

    fields: Mapping[str, str] = field(default_factory=lambda: dict(FIELDS))
    """CRM field to field of a deal."""
    writers: Writers = field(default_factory=Writers)
    bulk_records: int = 20
    """More deals than this in one save, or by one person within `BULK_WINDOW_MS`, are a bulk edit."""
    zone: str = "UTC"
    """IANA name of the organisation's zone: of an instant that stands for a date, the day there is meant."""

    @classmethod
    def of(cls, policy: Policy) -> SourceView:
        """What sources read of this policy."""
        return cls(policy.fields, policy.writers, policy.bulk_records, policy.calendar.zone)


# --- ids ---------------------------------------------------------------------------------------------------------


def salesforce_id(text: Any) -> str | None:
    """The 18 character form of a Salesforce id (reports give 15 characters), or None if it is none."""
    if not isinstance(text, str) or len(text) not in (15, 18) or not (text.isascii() and text.isalnum()):
        return None
    return text if len(text) == 18 else id_forms(text)[1]


# --- values: from what the CRM writes to the units of the core, and from there to opportunity-change.v1 ---------------


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return str(value)
    raise ValueError(f"{value!r} is not a text")


def _money(value: Any) -> int:
    return parse_money(_number(value))


def _percent(value: Any) -> int:
    return parse_percent(_number(value))


def _quantity(value: Any) -> int:
    return parse_quantity(_number(value))


def _months(value: Any) -> int:
    months, rest = divmod(parse_quantity(_number(value)), 1000)
    if rest:
        raise ValueError(f"{value!r} is not a whole number")
    if not 0 <= months <= MONTHS_MAX:
        raise ValueError(f"{value!r} is not a number of months (0..{MONTHS_MAX})")
    return months


def _number(value: Any) -> str | int | float:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return value
    raise ValueError(f"{value!r} is not a number")


def _date(value: Any) -> int:
    """A day number from a date, an instant's date, epoch milliseconds (Pub/Sub) or epoch days (Kafka Connect)."""
    if isinstance(value, str):
        # A date is the user's calendar's: its time, where an export adds one, is always midnight and says nothing.
        day = parse_date(value[:10])
        if len(value) > 10 and value[10] not in "T ":
            raise ValueError(f"{value!r} is not a date (YYYY-MM-DD)")
        return day
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e14:
        # Epoch days reach 100,000 in 2243; as milliseconds that is less than two minutes of 1970.
        return parse_date(_calendar_date(int(value) if abs(value) < 100_000 else int(value // DAY)))
    raise ValueError(f"{value!r} is not a date")


def _calendar_date(day: int) -> str:
    try:
        return format_date(day)
    except (ValueError, OverflowError):
        raise ValueError(f"day {day} is not a date of the calendar") from None


def instant(value: Any) -> int:
    """Epoch milliseconds from an ISO text or epoch milliseconds."""
    if isinstance(value, str):
        # "+0000" is how Salesforce's REST API writes UTC.
        return parse_instant(value[:-5] + "Z" if value.endswith("+0000") else value)
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e14:
        parse_date(_calendar_date(int(value // DAY)))
        return int(value)
    raise ValueError(f"{value!r} is not an instant")


def calendar_day(text: str, zone: tzinfo) -> str:
    """The date (YYYY-MM-DD) that HubSpot means by a date, or by midnight in ``zone`` as an instant.

    Raises ValueError.
    """
    if len(text) <= 10 and not text.isdecimal():
        return format_date(_date(text))
    at = instant(int(text) if text.isdecimal() else text)
    return format_date(parse_date(datetime.fromtimestamp(at / 1000, zone).date().isoformat()))


def _flag(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in ("true", "1", "yes"):
        return True
    if word in ("false", "0", "no"):
        return False
    raise ValueError(f"{value!r} is neither true nor false: write one of them")


def _category(value: Any) -> str:
    text = _text(value)
    return FORECAST_CATEGORIES.get(text, text)


MONTHS_MAX: Final = 1_200

READ: Final[dict[str, Callable[[Any], Any]]] = {
    "amount": _money,
    "list_amount": _money,
    "unit_price": _money,
    "list_price": _money,
    "discount_percent": _percent,
    "quantity": _quantity,
    "close_date": _date,
    "buyer_confirmed_date": _date,
    "term_months": _months,
    "prepaid_months": _months,
    "is_closed": _flag,
    "is_won": _flag,
    "created_at": instant,
    "forecast_category": _category,
}
"""Field of a deal or line item to the function that reads it into the core's units; the other fields are texts."""

WRITTEN: Final[dict[str, Callable[[Any], Any]]] = {
    "amount": format_money,
    "list_amount": format_money,
    "unit_price": format_money,
    "list_price": format_money,
    "discount_percent": format_percent,
    "quantity": format_quantity,
    "close_date": format_date,
    "buyer_confirmed_date": format_date,
    "term_months": str,
    "prepaid_months": str,
    "created_at": format_instant,
}
"""Field to the function that writes it as opportunity-change.v1 does; the others are written as they are."""


def read(field: str, value: Any) -> Any:
    """A field's value in the units of the core; None (and an empty text) stays None: set to empty.

    Raises ValueError with the value that could not be read.
    """
    if value is None or value == "":
        return None
    reads: Callable[[Any], Any] = READ.get(field, _text)
    return reads(_unwrapped(value))


def written_form(field: str, value: Any) -> Any:
    """A value in the units of the core as opportunity-change.v1 writes it."""
    writes = WRITTEN.get(field)
    return value if writes is None or value is None else writes(value)


def written(field: str, value: Any) -> Any:
    """The written form of what the CRM says of a field. Raises ValueError like `read`."""
    return written_form(field, read(field, value))


_AVRO_TYPES: Final = frozenset(("string", "long", "int", "double", "float", "boolean"))


def _unwrapped(value: Any) -> Any:
    """Avro's own JSON encoding writes a filled nullable field as ``{"string": "x"}``."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, inner),) = value.items()
        if name in _AVRO_TYPES:
            return inner
    return value
