"""What the readers of history exports share: parsing cells, telling differences, and how a deal's history begins.

A history says what a deal's fields were after each save. A reader sorts the saves of all deals by time; `Story` then
emits, for each deal, how it begins and what each save changed.

How it begins: Salesforce keeps a first row for the creation of every deal, so the first save of a deal is its creation
(``created``), unless the export itself shows that something came before (a value it had, or an older creation date):
then what is known of the time before is given as ``snapshot``, and the save is a change like any other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Any, Final

from wellwon.core.items import CHANGED, CREATED, DELETED, SNAPSHOT
from wellwon.sources.change import ChangeEvent, Ignored, change_event
from wellwon.sources.dates import DateReader
from wellwon.sources.mapping import WRITTEN, SourceView, salesforce_id, written
from wellwon.sources.table import Row, Table, number, plain

DATES: Final = frozenset(("close_date", "buyer_confirmed_date"))
TEXTS_AS_THEY_ARE: Final = frozenset(("forecast_category", "is_closed", "is_won", "created_at"))

ALIASES: Final[dict[str, str]] = {
    "stage": "stage",
    "forecastcategory": "forecast_category",
    "opportunityname": "name",
    "accountname": "account",
    "owner": "owner_id",
    "recordtype": "pipeline",
}
"""Plain column and field names that reports and histories use besides the API's."""


@dataclass(frozen=True, slots=True)
class Options:
    """What an export's dialect cannot tell by itself."""

    zone: tzinfo = UTC
    """Zone of times without an offset; Salesforce's own exports are in UTC, spreadsheets in the user's zone."""
    dayfirst: bool = False


@dataclass(slots=True)
class Save:
    """The fields of a deal after one save."""

    at: int
    order: tuple[Any, ...]
    """Decides among saves of the same instant."""
    deal: str
    user: str
    id: str
    values: dict[str, Any]
    before: dict[str, Any] = field(default_factory=dict)
    """What the row says of the time before it."""
    begins: bool = True
    """If this is the deal's first save, it created the deal."""
    deleted: bool = False
    """The deal was deleted at this instant."""


class Cells:
    """Reads the cells of one table."""

    def __init__(self, table: Table, options: Options) -> None:
        self.dates = DateReader(options.zone, options.dayfirst)
        self._comma = table.decimal_comma

    def value(self, ours: str, text: str) -> Any:
        """The written form of a field's value; None for an empty cell. Raises ValueError."""
        if not text:
            return None
        if ours in DATES:
            return self.dates.date(text)
        if ours in WRITTEN and ours not in TEXTS_AS_THEY_ARE:
            return written(ours, number(text, decimal_comma=self._comma))
        return written(ours, text)

    def flag(self, text: str) -> bool:
        """A yes or no; an empty cell is no. Raises ValueError."""
        return bool(text) and bool(written("is_closed", text))


def fields_by_plain_name(view: SourceView) -> dict[str, str]:
    """Plain column or field name to field of a deal."""
    return {**ALIASES, **{plain(crm): ours for crm, ours in view.fields.items()}}


def deal_id(text: str) -> str:
    """A deal's id in its long form; ids that are not Salesforce's are taken as they are."""
    return salesforce_id(text) or text


def read_cell(row: Row, cells: Cells, column: str, ours: str) -> Any:
    """A cell's written value. Raises ValueError that begins with the column's name."""
    try:
        return cells.value(ours, row.get(column))
    except ValueError as error:
        raise ValueError(f"{column}: {error}") from None


class Story:
    """Turns saves, given in order of time, into changes. One for all deals of an export."""

    def __init__(self, source: str, view: SourceView, described: Mapping[str, dict[str, Any]]) -> None:
        self._source = source
        self._view = view
        self._described = described
        """Fields of deals that have no history, such as the name, from another file."""
        self._now: dict[str, dict[str, Any]] = {}

    def tell(self, save: Save) -> Iterator[ChangeEvent | Ignored]:
        """What this save changed."""
        if save.deleted:
            yield self._event(save, DELETED, {}, ":deleted")
            return
        now = self._now.get(save.deal)
        begins = now is None
        if now is None:
            now = self._now[save.deal] = dict(self._described.get(save.deal, {}))
            if save.begins:
                now.update(save.values)
                yield self._event(save, CREATED, _filled(now))
                return
            now.update({**save.values, **save.before})
            yield self._event(save, SNAPSHOT, _filled(now), ":before")
        values = {name: value for name, value in save.values.items() if now.get(name) != value}
        if values:
            now.update(values)
            yield self._event(save, CHANGED, values)
        elif not begins:
            yield Ignored("no_difference")

    def created(self, save: Save, values: dict[str, Any]) -> ChangeEvent:
        """The deal's creation, where the export says it apart from what was written then."""
        now = self._now[save.deal] = {**self._described.get(save.deal, {}), **values}
        return self._event(save, CREATED, _filled(now), ":created")

    def _event(self, save: Save, kind: str, values: dict[str, Any], suffix: str = "") -> ChangeEvent:
        # A snapshot is nobody's behaviour, and who deleted a deal is in no history.
        known = kind in (CREATED, CHANGED)
        return change_event(
            id=save.id + suffix,
            deal=save.deal,
            source=self._source,
            at=save.at,
            kind=kind,
            writer=save.user if known else "",
            writer_kind=self._view.writers.kind(save.user) if known else "system",
            # Rows of one user and second are one save and what automation made of it.
            transaction=f"{save.deal}:{save.at}:{save.user}" if known else save.id + suffix,
            values=values,
        )


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
