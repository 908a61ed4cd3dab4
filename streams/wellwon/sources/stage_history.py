"""OpportunityHistory exports: a row for each save that changed stage, amount, close date or probability.

Read by header, never by position, in the dialects of the weekly export, of Data Loader and of spreadsheets. Every row
holds the values after the save. A warehouse's row versions (``_fivetran_start``) are read the same way. A file of
Opportunity itself, given with the history, adds what has no history: names, owners, pipelines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from wellwon.sources.change import Ignored, Rejected
from wellwon.sources.history import (
    CellReader,
    Columns,
    Entry,
    Layout,
    Options,
    Save,
    Story,
    fields_by_plain_name,
    filled,
    long_id,
    remembered,
    user_id,
)
from wellwon.sources.mapping import SourceView
from wellwon.sources.table import Cells, NotATable, Table, has
from wellwon.sources.told import Told

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
_A_DAY: Final = 86_400_000


class StageHistory:
    """OpportunityHistory, with Opportunity if at hand."""

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
            raise NotATable(f"{tables[0].file if tables else 'no file'}: an export of OpportunityHistory is needed")
        return [
            *(Description(number, table, fields, options) for number, table in enumerate(deals)),
            *(_History(number, table, fields, options) for number, table in enumerate(histories, len(deals))),
        ]

    def tell(
        self, deal: str, entries: list[Entry], layouts: Sequence[Layout], view: SourceView
    ) -> Iterator[Told | Ignored]:
        """See `history.Format`. Within an instant rows that came after others follow them, then by id."""
        rows: dict[str, Entry] = {}
        described: dict[str, Any] = {}
        created = deleted = last = 0
        for entry in entries:
            layout = layouts[entry.layout]
            created = entry.created or created
            if isinstance(layout, Description):
                described = dict(zip(layout.fields, entry.values, strict=True))
                continue
            identity = entry.id
            if not identity:
                identity = f"{deal}@{entry.at}"
                if identity in rows:  # without ids two rows of an instant are two saves, in the file's order
                    identity = f"{identity}.{entry.line:09d}"
            elif identity in rows:
                yield Ignored("repeated_row")  # the last of them is taken
            rows[identity] = entry
            last = max(last, entry.at)
            deleted = max(deleted, entry.ended)
        story = Story(SOURCE, deal, view, described)
        for at, later, identity in sorted([(entry.at, entry.later, identity) for identity, entry in rows.items()]):
            entry = rows[identity]
            layout = layouts[entry.layout]
            assert isinstance(layout, _History)
            yield from story.tell(
                Save(
                    at,
                    entry.user,
                    f"sfh:{identity}",
                    dict(zip(layout.fields, entry.values, strict=True)),
                    None if entry.before is None else filled(dict(zip(layout.before, entry.before, strict=True))),
                    not later and (not created or created + _A_DAY >= at),
                )
            )
        if deleted:
            # The export tells that the deal is in the recycle bin; the last touch of its rows is the best known time.
            yield story.deleted(max(deleted, last), f"sfh:{deal}")


def is_description(table: Table) -> bool:
    """A file of the deals themselves, one row each."""
    return has(table, "id", "stagename") and not has(table, "opportunityid") and not has(table, "fivetranstart")


class Description:
    """A file of Opportunity: what it says of deals beyond their history."""

    def __init__(self, number: int, table: Table, fields: dict[str, str], options: Options) -> None:
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
        if not columns:
            raise NotATable(f"{table.file}:1: no column that a field is mapped to (StageName, CloseDate)")
        self.fields = tuple(ours for _, ours in columns)
        self._columns = [(place, ours, self._cells.known(ours)) for place, ours in columns]
        before = [(place, ours) for name, ours in _BEFORE.items() if (place := find.place(name)) >= 0]
        self.before = tuple(ours for _, ours in before)
        self._before = before
        self._later = [place for name in _LATER if (place := find.place(name)) >= 0]
        self._deal, self._time = find.place(deal), find.place(time)
        self._id = -1 if self._versions else find.place("id")
        self._user = find.place("createdbyid", "lastmodifiedbyid") if self._versions else find.place("createdbyid")
        self._deleted, self._stamp = find.place("isdeleted"), find.place("systemmodstamp")
        self._created = find.place("createddate") if self._versions else -1
        self._ids: dict[str, str] = {}
        self._users: dict[str, str] = {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._ids, self._users = {}, {}
        self._columns = [(place, ours, self._cells.known(ours)) for place, ours, _ in self._columns]

    def read(self, line: int, cells: Cells) -> Entry | Ignored | Rejected:
        """The save that a row holds."""
        find, reader, place, deal = self._find, self._cells, self._time, self._ids.get(cells[self._deal])
        if deal is None:
            if (unnamed := find.named(line, cells, self._deal)) is not None:
                return unnamed
            deal = remembered(self._ids, cells[self._deal], long_id)
        before: list[Any] | None = None
        ended = created = 0
        try:
            at = reader.dates.instant(cells[place])
            values = []
            for place, ours, known in self._columns:
                text = cells[place]
                values.append(known[text] if text in known else reader.value(ours, text))
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
        user = ""
        if self._user >= 0:
            text = cells[self._user]
            user = self._users[text] if text in self._users else remembered(self._users, text, user_id)
        return Entry(deal, at, user, identity, line, self._number, values, before, later, ended, created)


def found(table: Table) -> str:
    """What a file's header is, for a message that says what it should be."""
    names = ", ".join(table.header)[:200]
    if len(table.columns) == 1:
        return f"found one column only ({names}): is the delimiter none of comma, semicolon, tab and | ?"
    return f"found: {names}"
