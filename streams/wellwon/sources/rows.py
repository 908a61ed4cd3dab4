"""Rows of a table of deals, as replication tools send them whenever one changes, to `opportunity-change.v1`.

A tool's own envelope is opened elsewhere; here a row of column names and values becomes a change. A row says how a deal
is, not what was done to it: unless the row before is told too, all its mapped fields are sent, and those that are as
they were count for nothing.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from wellwon.core.items import CHANGED, CREATED, DELETED, SNAPSHOT
from wellwon.core.units import DAY, MINUTE
from wellwon.core.wire import is_identifier
from wellwon.policy.own import is_own
from wellwon.sources.change import Ignored, Outcome, Rejected, Unreadable, change_event
from wellwon.sources.history import fields_by_plain_name, long_id
from wellwon.sources.mapping import SALESFORCE_FACTS, SourceView, calendar_day, instant, written
from wellwon.sources.table import plain

_DEAL: Final = ("opportunityid", "dealid", "hsobjectid", "id")
_CHANGED_AT: Final = (
    "systemmodstamp", "lastmodifieddate", "hslastmodifieddate", "updatedat", "modifiedat", "lastmodified",
)  # fmt: skip
_CREATED_AT: Final = ("createddate", "createdate", "createdat")
_CHANGED_BY: Final = ("lastmodifiedbyid", "updatedby", "hsupdatedbyuserid")
_GONE: Final = ("isdeleted", "fivetrandeleted", "archived")
_PREFIX: Final = "property"
_OF_A_DEAL: Final = frozenset(("stage", "close_date"))
"""A row with neither is of another table."""
NEW_MS: Final = MINUTE
"""A row that was changed so soon after it was made is as it was made."""
OLD_MS: Final = DAY
"""A row that is sent so long after it was changed is sent again, or for the first time: it tells how the deal is."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row out of its envelope."""

    values: Mapping[str, Any]
    """Column to value."""
    before: Mapping[str, Any] | None = None
    """The row as it was, where the tool tells it whole."""
    kind: str | None = None
    """What happened, where the tool tells it."""
    at: int | None = None
    """When it was committed (epoch ms), where the tool tells it; else the row does."""
    seen_at: int | None = None
    """When the tool read it, epoch milliseconds."""


class Rows(ABC):
    """What all kinds of rows have in common. It holds no state."""

    def __init__(self, view: SourceView, source: str) -> None:
        """``source``: what the changes give as theirs."""
        self._view = view
        self._source = source
        facts = {plain(crm): ours for crm, ours in SALESFORCE_FACTS.items()}
        self._fields = {**fields_by_plain_name(view), **facts}
        self._zone = ZoneInfo(view.zone)

    def read(self, value: bytes) -> Iterator[Outcome]:
        """What one record says."""
        try:
            found = orjson.loads(value)
            if not isinstance(found, dict):
                raise Unreadable("bad_row", "a record is an object with the row's columns")
            row = self.opened(found)
            yield row if isinstance(row, Ignored) else self._outcome(row)
        except orjson.JSONDecodeError as error:
            yield Rejected("not_json", f"the record is not JSON: {error}", value)
        except Unreadable as error:
            yield Rejected(error.reason, error.detail, value)

    @abstractmethod
    def opened(self, record: dict[str, Any]) -> Row | Ignored:
        """The row in a record. Raises `Unreadable`."""

    def text(self, ours: str, value: Any) -> Any:
        """A value in the written form of its field. Raises ValueError."""
        if ours == "created_at" and value not in (None, ""):
            try:
                return written(ours, read_instant(ours, value))
            except Unreadable as error:
                raise ValueError(error.detail) from None
        if ours == "close_date" and isinstance(value, str) and len(value) > 10 and "T00:00:00" not in value:
            return calendar_day(value, self._zone)  # HubSpot's: the day in the organisation's zone
        return written(ours, value)

    def _outcome(self, row: Row) -> Outcome:
        columns = {plain(name): value for name, value in row.values.items()}
        deal = next((columns[name] for name in _DEAL if columns.get(name) not in (None, "")), None)
        if not isinstance(deal, str | int) or isinstance(deal, bool):
            raise Unreadable("no_opportunity_id", f"no column holds the deal's id: {', '.join(_DEAL)}")
        deal = long_id(str(deal))
        if not is_identifier(deal):
            raise Unreadable("bad_record_id", f"{deal[:40]!r} is not the id of a deal")
        at = row.at if row.at is not None else _first_instant(columns, _CHANGED_AT, row.seen_at)
        gone = row.kind == DELETED or any(_is_true(columns.get(name)) for name in _GONE)
        values = {} if gone else self._values(row.values)
        if not gone and _OF_A_DEAL.isdisjoint(values):
            return Ignored("no_mapped_field")
        kind = DELETED if gone else row.kind or _kind(columns, at, row.seen_at)
        if kind == CHANGED and row.before is not None:
            before = self._values(row.before)
            if any(value is not None for value in before.values()):
                values = {ours: value for ours, value in values.items() if before.get(ours) != value}
                if not values:
                    return Ignored("no_mapped_field")
        by = next((columns[name] for name in _CHANGED_BY if isinstance(columns.get(name), str | int)), "")
        said = hashlib.blake2b(orjson.dumps([kind, values]), digest_size=8).hexdigest()
        return change_event(
            id=f"{self._source}:{deal}:{at}:{said}",
            deal=deal,
            source=self._source,
            at=at,
            kind=kind,
            writer=long_id(str(by)),
            writer_kind=self._view.writers.kind(long_id(str(by))),
            transaction=f"{self._source}:{deal}:{at}",
            values=values,
        )

    def _values(self, row: Mapping[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name, value in row.items():
            if is_own(name):
                continue
            column = plain(name)
            ours = self._fields.get(column) or self._fields.get(column.removeprefix(_PREFIX))
            if ours is None:
                continue
            try:
                values[ours] = self.text(ours, value)
            except ValueError as error:
                raise Unreadable("bad_value", f"{name}: {error}") from None
        return values


def _kind(columns: Mapping[str, Any], at: int, seen_at: int | None) -> str:
    """What happened to a row of which only how it is now is told."""
    if seen_at is not None and seen_at - at > OLD_MS:
        return SNAPSHOT
    made = _first_instant(columns, _CREATED_AT, 0)
    return CREATED if made and at - made <= NEW_MS else CHANGED


def _first_instant(columns: Mapping[str, Any], names: tuple[str, ...], otherwise: int | None) -> int:
    """Epoch milliseconds from the first of these columns that is filled. Raises `Unreadable`."""
    for name in names:
        if columns.get(name) not in (None, ""):
            return read_instant(name, columns[name])
    if otherwise is None:
        raise Unreadable("no_time", f"no column tells when the row was changed: {', '.join(_CHANGED_AT)}")
    return otherwise


def read_instant(name: str, value: Any) -> int:
    """Epoch milliseconds from a text, or from seconds, milli-, micro- or nanoseconds. Raises `Unreadable`."""
    try:
        if isinstance(value, str):
            text = value.strip().replace(" ", "T", 1)
            if text[-3:-2] in ("+", "-"):
                text += ":00"  # PostgreSQL writes whole hours so
            return instant(text if text[-1:].upper() == "Z" or "+" in text[10:] or "-" in text[10:] else f"{text}Z")
        if isinstance(value, int) and not isinstance(value, bool):
            for unit, most in ((1_000, 10**11), (1, 10**14)):
                if abs(value) < most:
                    return instant(value * unit)
            return instant(value // (1_000 if abs(value) < 10**17 else 1_000_000))
        return instant(value)
    except ValueError as error:
        raise Unreadable("bad_value", f"{name}: {error}") from None


def _is_true(value: Any) -> bool:
    return value is True or str(value).lower() in ("true", "1")
