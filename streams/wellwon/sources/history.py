"""What the readers of history exports share: files as rows, and rows as entries of deals.

A history says what a deal's fields were after each save. A reader gives each row as an `Entry` of its deal; where all
entries of a deal are together, `story.Story` emits how the deal begins and what each save changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import partial
from typing import Any, Final, Protocol, TypeVar, runtime_checkable

import msgspec

from wellwon.core.wire import TEXT_KEPT, is_identifier
from wellwon.sources.change import Ignored, Rejected
from wellwon.sources.dates import DateReader
from wellwon.sources.mapping import READ, SourceView, read, salesforce_id
from wellwon.sources.numbers import number
from wellwon.sources.table import Cells, Table, joined, plain
from wellwon.sources.told import Told

DATES: Final = frozenset(("close_date", "buyer_confirmed_date"))
TEXTS_AS_THEY_ARE: Final = frozenset(("forecast_category", "is_closed", "is_won"))

ALIASES: Final[dict[str, str]] = {
    "stage": "stage",
    "forecastcategory": "forecast_category",
    "opportunityname": "name",
    "accountname": "account",
    "owner": "owner_id",
    "recordtype": "pipeline",
}
"""Plain column and field names that reports and histories use besides the API's."""

_CACHED: Final = 100_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Options:
    """What an export's dialect cannot tell by itself."""

    zone: tzinfo = UTC
    """Zone of times without an offset; Salesforce's own exports are in UTC, spreadsheets in the user's zone."""
    dayfirst: bool = False


class Entry(msgspec.Struct, array_like=True, gc=False):
    """A row of an export, read: what it says of its deal, in the units of the core."""

    deal: str
    at: int
    """Epoch milliseconds; 0 for a row that is of no time."""
    user: str
    id: str
    """The row's own id, empty if it has none."""
    line: int
    layout: int
    """Which of the export's files it is from; that file's `Layout` knows what the values are."""
    values: list[Any]
    before: list[Any] | None = None
    later: bool = False
    """It says that another row of the deal came before."""
    ended: int = 0
    """The deal was deleted at this instant at the latest; 0 if it was not."""
    created: int = 0
    """When the deal was created, where the row says so."""


class Layout(Protocol):
    """One file of an export: what its columns are."""

    @property
    def table(self) -> Table:
        """The file."""

    def read(self, line: int, cells: Cells) -> Entry | Ignored | Rejected:
        """What a row says."""


@runtime_checkable
class Columnar(Protocol):
    """A layout that reads many rows at once, column by column, which costs a third."""

    def read_columns(self, lines: Sequence[int], columns: Sequence[Sequence[str]]) -> list[Entry]:
        """What some rows say. Raises ValueError if any of them says something else than that: ask `Layout.read`."""


class Format(Protocol):
    """A kind of export: its files, and what all rows of one deal tell together."""

    def recognises(self, table: Table) -> bool:
        """The file is a history of this kind, by its header alone."""

    def layouts(self, tables: Sequence[Table], view: SourceView, options: Options) -> list[Layout]:
        """The files, in the order in which they are to be read. Raises `NotATable`."""

    def tell(
        self, deal: str, entries: list[Entry], layouts: Sequence[Layout], view: SourceView
    ) -> Iterator[Told | Ignored]:
        """What a deal's rows say that happened, in order of time; nothing for a deal without a history."""


class Remembered(dict[str, T]):
    """What a function makes of texts that come again and again; a column of texts is read by `read`."""

    __slots__ = ("_make",)

    def __init__(self, make: Callable[[str], T]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, text: str) -> T:
        if len(self) >= _CACHED:
            self.clear()
        made = self[text] = self._make(text)
        return made

    def read(self, texts: Iterable[str]) -> Iterator[T]:
        """What it makes of each. Raises what the function raises."""
        return map(self.__getitem__, texts)


class CellReader:
    """Reads the cells of one table. A deal's rows repeat most of its values, so what was read is remembered."""

    def __init__(self, table: Table, options: Options) -> None:
        self.dates = DateReader(options.zone, options.dayfirst)
        self._comma = table.decimal_comma
        self._known: dict[str, Remembered[Any]] = {}

    def __getstate__(self) -> tuple[DateReader, bool]:
        return self.dates, self._comma

    def __setstate__(self, state: tuple[DateReader, bool]) -> None:
        self.dates, self._comma = state
        self._known = {}

    def known(self, ours: str) -> Remembered[Any]:
        """Text to value of a field, None for an empty cell. Raises ValueError when it is asked for a wrong text."""
        if ours not in self._known:
            self._known[ours] = Remembered(partial(self._read, ours))
        return self._known[ours]

    def value(self, ours: str, text: str) -> Any:
        """A field's value in the core's units; None for an empty cell. Raises ValueError."""
        return self.known(ours)[text]

    def _read(self, ours: str, text: str) -> Any:
        text = text.strip()
        if not text:
            return None
        if ours in DATES:
            return self.dates.date(text)
        if ours == "created_at":
            return self.dates.instant(text)
        if ours not in READ:
            return text[:TEXT_KEPT]
        if ours in TEXTS_AS_THEY_ARE:
            value = read(ours, text)
            return value[:TEXT_KEPT] if isinstance(value, str) else value
        return read(ours, number(text, decimal_comma=self._comma))

    def flag(self, text: str) -> bool:
        """A yes or no; an empty cell is no. Raises ValueError."""
        return bool(self.value("is_closed", text))


class Columns:
    """Finds a row's cells by the plain names of their columns."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self._place = {name: place for place, name in enumerate(table.columns)}

    def place(self, *names: str) -> int:
        """Where the first of these columns is, -1 if the file has none of them."""
        return next((self._place[name] for name in names if name in self._place), -1)

    def rejected(self, line: int, cells: Cells, place: int, detail: str) -> Rejected:
        """A row that cannot be used, because of the cell in this place."""
        table = self.table
        return Rejected("bad_value", detail, joined(cells), f"{table.file}:{line}:{table.header[place]}")

    def named(self, line: int, cells: Cells, place: int) -> Rejected | None:
        """The row as rejected, if it names no deal."""
        text = cells[place].strip()
        if not text:
            return self.rejected(line, cells, place, "the row names no opportunity: fill it or remove the row")
        if not is_identifier(text):
            return self.rejected(line, cells, place, "this is not the id of an opportunity")
        return None


def fields_by_plain_name(view: SourceView) -> dict[str, str]:
    """Plain column or field name to field of a deal."""
    return {**ALIASES, **{plain(crm): ours for crm, ours in view.fields.items()}}


def long_id(text: str) -> str:
    """An id in its long form; ids that are not Salesforce's are taken as they are."""
    text = text.strip()
    return (salesforce_id(text) if len(text) == 15 else None) or text


def deal_id(text: str) -> str:
    """The deal that a cell names. Raises ValueError for a cell that names none: `Columns.named` says why."""
    if not is_identifier(text.strip()):
        raise ValueError(f"{text!r} is not the id of an opportunity")
    return long_id(text)


def user_id(text: str) -> str:
    """Who wrote, as the core keeps it."""
    return long_id(text)[:TEXT_KEPT]
