"""OpportunityHistory exports: a row for each save that changed stage, amount, close date or probability.

Read by header, never by position, in the dialects of the weekly export, of Data Loader and of spreadsheets. Every row
holds the values after the save. A warehouse's row versions (``_fivetran_start``) are read the same way. A file of
Opportunity itself, given with the history, adds what has no history: names, owners, pipelines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import repeat
from operator import attrgetter
from typing import Any, Final

from wellwon.sources.change import Ignored, Rejected
from wellwon.sources.history import (
    CellReader,
    Columns,
    Entry,
    Layout,
    Options,
    Remembered,
    deal_id,
    fields_by_plain_name,
    long_id,
    user_id,
)
from wellwon.sources.mapping import SourceView
from wellwon.sources.story import Story, filled
from wellwon.sources.table import Cells, NotATable, Table, has
from wellwon.sources.told import Save, Told

SOURCE: Final = "salesforce-history"

_BEFORE: Final = {
    "fromopportunitystagename": "stage",
    "fromforecastcategory": "forecast_category",
    "prevamount": "amount",
    "prevclosedate": "close_date",
}
_LATER: Final = ("prevforecastupdate", "prevopportunitystageupdate")
"""Columns besides those of `_BEFORE` that are filled only in rows that came after another one."""
NO_DESCRIPTION: Final = frozenset(("stage", "amount", "close_date", "forecast_category", "next_step"))
"""Fields whose history is told: what a file of Opportunity says of them is only how they ended."""
_FACTS: Final = {"isclosed": "is_closed", "iswon": "is_won"}
_TOLD: Final = frozenset(("stage", "amount", "close_date", "forecast_category"))
"""What a history of a deal tells; a table without any of these is another one."""
_A_DAY: Final = 86_400_000

_Made = tuple[int, Table, dict[str, str], Options]
"""What a layout is made of: where it is compiled, it travels between processes as that."""

_IN_ORDER: Final = attrgetter("at", "later", "id")


class StageHistory:
    """OpportunityHistory, with Opportunity if at hand."""

    def __reduce__(self) -> tuple[type[StageHistory], tuple[()]]:
        return StageHistory, ()

    def recognises(self, table: Table) -> bool:
        """See `history.Format`."""
        if has(table, "fivetranstart", "id", "stagename"):
            return True
        told = any(has(table, column) for column in ("stagename", "amount", "closedate"))
        return has(table, "opportunityid", "createddate") and told and not has(table, "newvalue")

    def layouts(self, tables: Sequence[Table], view: SourceView, options: Options) -> list[Layout]:
        """See `history.Format`: Opportunity first, because it describes the deals."""
        fields = fields_by_plain_name(view)
        deals = [table for table in tables if is_description(table)]
        histories = [table for table in tables if table not in deals]
        if not histories:
            raise NotATable(no_history(tables, "OpportunityHistory (OpportunityId, CreatedDate, StageName)"))
        return [
            *(Description(number, table, fields, options) for number, table in enumerate(deals)),
            *every(
                partial(_History, number, table, fields, options) for number, table in enumerate(histories, len(deals))
            ),
        ]

    def tell(
        self, deal: str, entries: list[Entry], layouts: Sequence[Layout], view: SourceView
    ) -> Iterator[Told | Ignored]:
        """See `history.Format`. Within an instant rows that came after others follow them, then by id."""
        rows: dict[str, Entry] = {}
        described: dict[str, Any] = {}
        created = deleted = 0
        for entry in entries:
            if entry.created:
                created = entry.created
            if not entry.at:
                layout = layouts[entry.layout]
                assert isinstance(layout, Description)
                described = dict(zip(layout.fields, entry.values, strict=True))
                continue
            if not entry.id:
                entry.id = f"{deal}@{entry.at}"
                if entry.id in rows:  # without ids two rows of an instant are two saves, in the file's order
                    entry.id = f"{entry.id}.{entry.line:09d}"
            elif entry.id in rows:
                yield Ignored("repeated_row")  # the last of them is taken
            rows[entry.id] = entry
            if entry.ended > deleted:
                deleted = entry.ended
        story = Story(SOURCE, deal, view, described)
        fields: tuple[str, ...] = ()
        number, values = -1, list[Any]()
        for entry in sorted(rows.values(), key=_IN_ORDER):
            layout = layouts[entry.layout]
            assert isinstance(layout, _History)
            if entry.layout == number:
                wrote = {name: new for name, new, old in zip(fields, entry.values, values, strict=True) if new != old}
            else:
                number, fields = entry.layout, layout.fields
                wrote = dict(zip(fields, entry.values, strict=True))
            values, before = entry.values, entry.before
            yield from story.tell(
                Save(
                    entry.at,
                    entry.user,
                    "sfh:" + entry.id,
                    wrote,
                    None if before is None else filled(dict(zip(layout.before, before, strict=True))),
                    not entry.later and (not created or created + _A_DAY >= entry.at),
                )
            )
        if deleted:
            # The export tells that the deal is in the recycle bin; the last touch of its rows is the best known time.
            yield story.deleted(max(deleted, *(entry.at for entry in rows.values())), f"sfh:{deal}")


def every(makers: Iterable[Callable[[], Layout]]) -> list[Layout]:
    """The layouts that are made. Raises `NotATable` with what is wrong with any of the files."""
    made, wrong = list[Layout](), list[str]()
    for make in makers:
        try:
            made.append(make())
        except NotATable as error:
            wrong.append(str(error))
    if wrong:
        raise NotATable("\n".join(wrong))
    return made


def is_description(table: Table) -> bool:
    """A file of the deals themselves, one row each."""
    return has(table, "id", "stagename") and not has(table, "opportunityid") and not has(table, "fivetranstart")


class Description:
    """A file of Opportunity: what it says of deals beyond their history."""

    def __init__(self, number: int, table: Table, fields: dict[str, str], options: Options) -> None:
        self._made = number, table, fields, options
        self.table = table
        self._number = number
        self._find = Columns(table)
        self._cells = CellReader(table, options)
        self._columns = [
            (place, ours)
            for place, name in enumerate(table.columns)
            if (ours := fields.get(name)) and ours not in NO_DESCRIPTION
        ]
        self.fields = tuple(ours for _, ours in self._columns)
        self._id = self._find.place("id")
        self._created = self._find.place("createddate")

    def __reduce__(self) -> tuple[type[Description], _Made]:
        return Description, self._made

    def read(self, line: int, cells: Cells) -> Entry | Ignored | Rejected:
        """What a row says of its deal."""
        if (unnamed := self._find.named(line, cells, self._id)) is not None:
            return unnamed
        created, place = 0, self._created
        try:
            if place >= 0 and cells[place].strip():
                created = self._cells.dates.instant(cells[place])
            values = []
            for place, ours in self._columns:
                values.append(self._cells.value(ours, cells[place]))
        except ValueError as error:
            return self._find.rejected(line, cells, place, str(error))
        return Entry(long_id(cells[self._id]), 0, "", "", line, self._number, values, created=created)


class _History:
    """A file of OpportunityHistory, or of row versions."""

    def __init__(self, number: int, table: Table, fields: dict[str, str], options: Options) -> None:
        self._versions = has(table, "fivetranstart", "id")
        deal, time = ("id", "fivetranstart") if self._versions else ("opportunityid", "createddate")
        if has(table, "field", "newvalue"):
            raise NotATable(f"{table.file}:1: this is OpportunityFieldHistory: use salesforce-field-history")
        if not has(table, deal, time):
            raise NotATable(f"{table.file}:1: no columns OpportunityId and CreatedDate: leave it out; {found(table)}")
        self._made = number, table, fields, options
        self.table = table
        self._number = number
        self._find = find = Columns(table)
        self._cells = CellReader(table, options)
        both = has(table, "forecastcategoryname", "forecastcategory")
        columns = [
            (place, fields[name])
            for place, name in enumerate(table.columns)
            if name in fields and not (both and name == "forecastcategory")
        ]
        if self._versions:  # who closed it says so himself, whatever the policy calls the stages
            columns += [(place, ours) for name, ours in _FACTS.items() if (place := find.place(name)) >= 0]
        if _TOLD.isdisjoint(ours for _, ours in columns):  # line items have an opportunity and a date as well
            raise NotATable(
                f"{table.file}:1: no column that a field is mapped to (StageName, Amount, CloseDate): leave it out; "
                f"{found(table)}"
            )
        self.fields = tuple(ours for _, ours in columns)
        self._columns = columns
        before = [(place, ours) for name, ours in _BEFORE.items() if (place := find.place(name)) >= 0]
        self.before = tuple(ours for _, ours in before)
        self._before = before
        self._later = [place for name in _LATER if (place := find.place(name)) >= 0]
        self._deal, self._time = find.place(deal), find.place(time)
        self._id = -1 if self._versions else find.place("id")
        self._user = find.place("createdbyid", "lastmodifiedbyid") if self._versions else find.place("createdbyid")
        self._deleted, self._stamp = find.place("isdeleted"), find.place("systemmodstamp")
        self._created = find.place("createddate") if self._versions else -1
        self._ids, self._users = Remembered(deal_id), Remembered(user_id)

    def __reduce__(self) -> tuple[type[_History], _Made]:
        return _History, self._made

    def read(self, line: int, cells: Cells) -> Entry | Ignored | Rejected:
        """The save that a row holds."""
        find, reader, place = self._find, self._cells, self._time
        if (unnamed := find.named(line, cells, self._deal)) is not None:
            return unnamed
        deal = self._ids[cells[self._deal]]
        before: list[Any] | None = None
        ended = created = 0
        try:
            at = reader.dates.instant(cells[place])
            values = []
            for place, ours in self._columns:
                values.append(reader.value(ours, cells[place]))
            later = False
            for place, _ in self._before:
                if cells[place]:
                    later = True
                    before = [None] * len(self._before)
                    break
            if before is not None:
                for number, (place, ours) in enumerate(self._before):
                    before[number] = reader.value(ours, cells[place])
            for place in self._later:
                later = later or bool(cells[place])
            place = self._deleted
            if place >= 0 and reader.flag(cells[place]):
                place, ended = self._stamp, at
                if place >= 0 and cells[place]:
                    ended = reader.dates.instant(cells[place])
            place = self._created
            if place >= 0 and cells[place]:
                created = reader.dates.instant(cells[place])
        except ValueError as error:
            return find.rejected(line, cells, place, str(error))
        own = long_id(cells[self._id]) if self._id >= 0 else ""
        identity = f"{deal}@{at}" if self._versions else own
        user = self._users[cells[self._user]] if self._user >= 0 else ""
        return Entry(deal, at, user, identity, line, self._number, values, before, later, ended, created)

    def read_columns(self, lines: Sequence[int], columns: Sequence[Sequence[str]]) -> list[Entry]:
        """See `history.Columnar`."""
        reader, dates = self._cells, self._cells.dates
        if self._deleted >= 0 and any(map(reader.flag, set(columns[self._deleted]))):
            raise ValueError("a deleted deal")
        deals = list(self._ids.read(columns[self._deal]))
        at = dates.instants(columns[self._time])
        values = zip(*(reader.known(ours).read(columns[place]) for place, ours in self._columns), strict=True)
        before: Iterable[list[Any] | None] = repeat(None)
        later: Iterable[bool] = repeat(False)
        told = [columns[place] for place, _ in self._before]
        if any(map(any, told)):
            read = zip(*(reader.known(ours).read(columns[place]) for place, ours in self._before), strict=True)
            filled_in = map(any, zip(*told, strict=True))
            before = [list(row) if some else None for row, some in zip(read, filled_in, strict=True)]
        told += [columns[place] for place in self._later]
        if any(map(any, told)):
            later = map(any, zip(*told, strict=True))
        ids: Iterable[str] = repeat("")
        if self._versions:
            ids = map("{}@{}".format, deals, at)
        elif self._id >= 0:
            ids = map(long_id, columns[self._id])
        users = self._users.read(columns[self._user]) if self._user >= 0 else repeat("")
        created: Iterable[int] = repeat(0)
        if self._created >= 0:
            created = [dates.instant(text) if text else 0 for text in columns[self._created]]
        number, never = repeat(self._number), repeat(0)
        return list(map(Entry, deals, at, users, ids, lines, number, map(list, values), before, later, never, created))


def no_history(tables: Sequence[Table], needed: str) -> str:
    """What to say of files that describe deals only."""
    if not tables:
        return f"no file: {needed} is needed"
    return (
        f"{tables[0].file}:1: these are deals as they stand, which tell no changes: {needed} is needed beside them; "
        f"{found(tables[0])}"
    )


def found(table: Table) -> str:
    """What a file's header is, for a message that says what it should be."""
    names = ", ".join(table.header)[:200]
    if len(table.columns) == 1:
        return f"found one column only ({names}): is the delimiter none of comma, semicolon, tab and | ?"
    return f"found: {names}"
