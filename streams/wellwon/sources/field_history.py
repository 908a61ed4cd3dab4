"""OpportunityFieldHistory exports: a row for each tracked field of each save, with its value before and after.

Rows of one deal, instant and user are one save. What a field held before its first row is known: it belongs to the
snapshot (or, where the history has a row ``created``, to the creation) with which the deal begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from wellwon.core.wire import is_identifier
from wellwon.sources.change import Ignored, Outcome, Rejected
from wellwon.sources.history import Cells, Options, Save, Story, deal_id, fields_by_plain_name
from wellwon.sources.mapping import SourceView, salesforce_id
from wellwon.sources.table import NotATable, Row, Table, plain, read_table

SOURCE: Final = "salesforce-field-history"

_CREATED: Final = frozenset(("created", "opportunitycreatedfromlead"))
_REFERENCES: Final = {"owner_id": True, "pipeline": True, "account": False}
"""Fields that the history writes twice, as id and as name; True: the id is taken."""

_ID_PREFIXES: Final = ("005", "00G", "001", "012")  # of users, queues, accounts and record types


def read_field_history(files: Sequence[tuple[str, bytes]], view: SourceView, options: Options) -> Iterator[Outcome]:
    """The changes that the files (name, content) tell, in order of time; rows that cannot be read first.

    Raises `NotATable` for a file that is no field history.
    """
    reading = _Reading(view, options)
    if not files:
        raise NotATable("no file: an export of OpportunityFieldHistory is needed")
    for name, data in files:
        yield from reading.read(read_table(data, name))
    story, first = Story(SOURCE, view, {}), reading.first()
    for group in reading.saves():
        yield from _tell(group, first.get(group.deal, {}), story)


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

    deal: str
    at: int
    user: str
    created: bool = False
    deleted: bool = False
    rows: list[_Row] = field(default_factory=list)

    def settled(self) -> list[_Row]:
        """The rows in order, without the name of what is also given by id (or the other way round)."""
        rows = sorted(self.rows, key=lambda row: row.id)
        for ours, by_id in _REFERENCES.items():
            if any(row.ours == ours and row.is_id is by_id for row in rows):
                rows = [row for row in rows if row.ours != ours or row.is_id is by_id]
        return rows


def _tell(group: _Group, first: dict[str, Any], story: Story) -> Iterator[Outcome]:
    identity = f"sff:{group.deal}:{group.at}:{group.user}"
    save = Save(group.at, (), group.deal, group.user, identity, {}, dict(first), begins=False, deleted=group.deleted)
    if group.created:
        yield story.created(save, first)
    for row in group.settled():
        save.values[row.ours] = row.new
    if save.values or not group.created:
        yield from story.tell(save)


class _Reading:
    """Collects the rows of all files into saves."""

    def __init__(self, view: SourceView, options: Options) -> None:
        self._options = options
        self._fields = fields_by_plain_name(view)
        self._seen: set[str] = set()
        self._deleted: dict[str, int] = {}
        self._groups: dict[tuple[str, int, str], _Group] = {}

    def read(self, table: Table) -> Iterator[Rejected | Ignored]:
        """Read the rows of a file."""
        if not table.has("opportunityid", "createddate", "field", "newvalue"):
            wrong = table.has("opportunityid", "stagename")
            advice = "this looks like salesforce-history" if wrong else f"found: {', '.join(table.header)[:200]}"
            raise NotATable(f"{table.file}:1: no columns OpportunityId, CreatedDate, Field, NewValue; {advice}")
        cells = Cells(table, self._options)
        for row in table.rows():
            outcome = row if isinstance(row, Rejected) else self._row(row, cells)
            if outcome is not None:
                yield outcome

    def _row(self, row: Row, cells: Cells) -> Rejected | Ignored | None:
        if not row.get("opportunityid"):
            return row.rejected("bad_value", "the row names no opportunity: fill it or remove the row", "opportunityid")
        if not is_identifier(row.get("opportunityid")):
            return row.rejected("bad_value", "this is not the id of an opportunity", "opportunityid")
        identity = row.get("id")
        if identity and identity in self._seen:
            return Ignored("repeated_row")
        name = plain(row.get("field"))
        ours = self._fields.get(name) or self._fields.get(name + "id")
        if ours is None and name not in _CREATED:
            return Ignored("field_not_mapped")
        column = "createddate"
        try:
            at = cells.dates.instant(row.get(column))
            old = new = None
            if ours is not None:
                column = "oldvalue"
                old = cells.value(ours, row.get(column))
                column = "newvalue"
                new = cells.value(ours, row.get(column))
            column = "isdeleted"
            deleted = cells.flag(row.get(column))
        except ValueError as error:
            return row.rejected("bad_value", str(error), column)
        if identity:
            self._seen.add(identity)
        deal = deal_id(row.get("opportunityid"))
        user = salesforce_id(row.get("createdbyid")) or row.get("createdbyid")
        group = self._groups.setdefault((deal, at, user), _Group(deal, at, user))
        if ours is None:
            group.created = True
        else:
            is_id = (row.get("newvalue") or row.get("oldvalue")).startswith(_ID_PREFIXES)
            group.rows.append(_Row(identity or f"{row.line:09d}", ours, old, new, is_id))
        if deleted:
            self._deleted[deal] = max(at, self._deleted.get(deal, at))
        return None

    def saves(self) -> list[_Group]:
        """All saves by time; a deal in the recycle bin ends with its deletion, at the last time known of it."""
        last: dict[str, int] = {}
        for group in self._groups.values():
            last[group.deal] = max(group.at, last.get(group.deal, group.at))
        ends = [_Group(deal, last[deal], "~", deleted=True) for deal in self._deleted]
        return sorted((*self._groups.values(), *ends), key=lambda g: (g.at, g.deal, g.deleted, not g.created, g.user))

    def first(self) -> dict[str, dict[str, Any]]:
        """What each deal's fields held before their first row."""
        found: dict[str, dict[str, Any]] = {}
        for group in sorted(self._groups.values(), key=lambda g: (g.at, not g.created, g.user)):
            known = found.setdefault(group.deal, {})
            for row in group.settled():
                known.setdefault(row.ours, row.old)
        return found
