"""OpportunityFieldHistory exports: a row for each tracked field of each save, with its value before and after.

Rows of one deal, instant and user are one save. What a field held before its first row is known: it belongs to the
snapshot (or, where the history has a row ``created``, to the creation) with which the deal begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from wellwon.sources.change import Ignored, Rejected
from wellwon.sources.history import (
    CellReader,
    Columns,
    Entry,
    Layout,
    Options,
    fields_by_plain_name,
    long_id,
    user_id,
)
from wellwon.sources.mapping import SourceView
from wellwon.sources.stage_history import Description, every, found, is_description, no_history
from wellwon.sources.story import Story
from wellwon.sources.table import Cells, NotATable, Table, has, plain
from wellwon.sources.told import Save, Told

SOURCE: Final = "salesforce-field-history"

_CREATED: Final = frozenset(("created", "opportunitycreatedfromlead"))
_REFERENCES: Final = {"owner_id": True, "pipeline": True, "account": False}
"""Fields that the history writes twice, as id and as name; True: the id is taken."""

_ID_PREFIXES: Final = ("005", "00G", "001", "012")  # of users, queues, accounts and record types


class FieldHistory:
    """OpportunityFieldHistory, with Opportunity if at hand."""

    def recognises(self, table: Table) -> bool:
        """See `history.Format`."""
        return has(table, "opportunityid", "createddate", "field", "newvalue")

    def layouts(self, tables: Sequence[Table], view: SourceView, options: Options) -> list[Layout]:
        """See `history.Format`: Opportunity first, because it describes the deals."""
        fields = fields_by_plain_name(view)
        deals = [table for table in tables if is_description(table)]
        histories = [table for table in tables if table not in deals]
        if not histories:
            needed = "OpportunityFieldHistory (OpportunityId, CreatedDate, Field, NewValue)"
            raise NotATable(no_history(tables, needed))
        return [
            *(Description(number, table, fields, options) for number, table in enumerate(deals)),
            *every(
                partial(_History, number, table, fields, options) for number, table in enumerate(histories, len(deals))
            ),
        ]

    def tell(
        self, deal: str, entries: list[Entry], layouts: Sequence[Layout], view: SourceView
    ) -> Iterator[Told | Ignored]:
        """See `history.Format`. A deal in the recycle bin ends with its deletion, at the last time known of it."""
        described: dict[str, Any] = {}
        groups: dict[tuple[int, str], _Group] = {}
        seen: set[str] = set()
        deleted = last = 0
        for entry in entries:
            layout = layouts[entry.layout]
            if isinstance(layout, Description):
                described = dict(zip(layout.fields, entry.values, strict=True))
                continue
            if entry.id:
                if entry.id in seen:
                    yield Ignored("repeated_row")
                    continue
                seen.add(entry.id)
            group = groups.setdefault((entry.at, entry.user), _Group(entry.at, entry.user))
            ours, old, new, is_id = entry.values
            if ours is None:
                group.created = True
            else:
                group.rows.append(_Row(entry.id or f"{entry.line:09d}", ours, old, new, is_id))
            last = max(last, entry.at)
            deleted = max(deleted, entry.ended)
        ordered = sorted(groups.values(), key=lambda group: (group.at, not group.created, group.user))
        first: dict[str, Any] = {}
        for group in ordered:
            group.settle()
            for row in group.rows:
                first.setdefault(row.ours, row.old)
        story = Story(SOURCE, deal, view, {name: value for name, value in described.items() if name not in first})
        for group in ordered:
            save = Save(group.at, group.user, f"sff:{deal}:{group.at}:{group.user}", {}, dict(first), begins=False)
            if group.created:
                yield story.created(save, first)
            for row in group.rows:
                save.values[row.ours] = row.new
            if save.values or not group.created:
                yield from story.tell(save)
        if deleted:
            yield story.deleted(max(deleted, last), f"sff:{deal}:{last}:~")


@dataclass(slots=True)
class _Row:
    id: str
    ours: str
    old: Any
    new: Any
    is_id: bool


@dataclass(slots=True)
class _Group:
    """The rows of one save."""

    at: int
    user: str
    created: bool = False
    rows: list[_Row] = field(default_factory=list)

    def settle(self) -> None:
        """Put the rows in order, without the name of what is also given by id (or the other way round)."""
        self.rows.sort(key=lambda row: row.id)
        for ours, by_id in _REFERENCES.items():
            if any(row.ours == ours and row.is_id is by_id for row in self.rows):
                self.rows = [row for row in self.rows if row.ours != ours or row.is_id is by_id]


class _History:
    """A file of OpportunityFieldHistory."""

    def __init__(self, number: int, table: Table, fields: dict[str, str], options: Options) -> None:
        if not has(table, "opportunityid", "createddate", "field", "newvalue"):
            wrong = has(table, "opportunityid", "stagename")
            advice = "this looks like salesforce-history" if wrong else found(table)
            raise NotATable(f"{table.file}:1: no columns OpportunityId, CreatedDate, Field, NewValue; {advice}")
        self.table = table
        self._number = number
        self._find = find = Columns(table)
        self._cells = CellReader(table, options)
        self._fields = fields
        self._deal, self._time = find.place("opportunityid"), find.place("createddate")
        self._field, self._old, self._new = find.place("field"), find.place("oldvalue"), find.place("newvalue")
        self._id, self._user, self._deleted = find.place("id"), find.place("createdbyid"), find.place("isdeleted")

    def read(self, line: int, cells: Cells) -> Entry | Ignored | Rejected:
        """What a row says of one field."""
        find, reader, place = self._find, self._cells, self._time
        if (unnamed := find.named(line, cells, self._deal)) is not None:
            return unnamed
        name = plain(cells[self._field])
        ours = self._fields.get(name) or self._fields.get(name + "id")
        if ours is None and name not in _CREATED:
            return Ignored("field_not_mapped")
        old = new = None
        ended = 0
        try:
            at = reader.dates.instant(cells[place])
            if ours is not None:
                if (place := self._old) >= 0:
                    old = reader.value(ours, cells[place])
                place = self._new
                new = reader.value(ours, cells[place])
            place = self._deleted
            if place >= 0 and reader.flag(cells[place]):
                ended = at
        except ValueError as error:
            return find.rejected(line, cells, place, str(error))
        identity = cells[self._id].strip() if self._id >= 0 else ""
        user = user_id(cells[self._user]) if self._user >= 0 else ""
        text = cells[self._new] or (cells[self._old] if self._old >= 0 else "")
        values = [ours, old, new, text.startswith(_ID_PREFIXES)]
        return Entry(long_id(cells[self._deal]), at, user, identity, line, self._number, values, ended=ended)
