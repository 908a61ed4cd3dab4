"""OpportunityHistory exports: a row for each save that changed stage, amount, close date or probability.

Read by header, never by position, in the dialects of the weekly export, of Data Loader and of spreadsheets. Every row
holds the values after the save. A warehouse's row versions (``_fivetran_start``) are read the same way. A file of
Opportunity itself, given with the history, adds what has no history: names, owners, pipelines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from wellwon.core.wire import is_identifier
from wellwon.sources.change import Ignored, Outcome, Rejected
from wellwon.sources.history import Cells, Options, Save, Story, deal_id, fields_by_plain_name, read_cell
from wellwon.sources.mapping import SourceView, salesforce_id
from wellwon.sources.table import NotATable, Row, Table, read_table

SOURCE: Final = "salesforce-history"

_BEFORE: Final = {
    "fromopportunitystagename": "stage",
    "fromforecastcategory": "forecast_category",
    "prevamount": "amount",
    "prevclosedate": "close_date",
}
_LATER: Final = (*_BEFORE, "prevforecastupdate", "prevopportunitystageupdate")
"""Columns that are filled only in rows that came after another one."""
_A_DAY: Final = 86_400_000


def read_stage_history(files: Sequence[tuple[str, bytes]], view: SourceView, options: Options) -> Iterator[Outcome]:
    """The changes that the files (name, content) tell, in order of time; rows that cannot be read first.

    Raises `NotATable` for a file that is no history.
    """
    tables = [read_table(data, name) for name, data in files]
    deals = [table for table in tables if _is_deals(table)]
    histories = [table for table in tables if table not in deals]
    if not histories:
        raise NotATable(f"{tables[0].file if tables else 'no file'}: an export of OpportunityHistory is needed")
    reading = _Reading(view, options)
    for table in deals:
        yield from reading.describe(table)
    for table in histories:
        yield from reading.read(table)
    yield from reading.deduplicated()
    story = Story(SOURCE, view, reading.described)
    for save in reading.in_order():
        yield from story.tell(save)


def _is_deals(table: Table) -> bool:
    return table.has("id", "stagename") and not table.has("opportunityid") and not table.has("fivetranstart")


class _Reading:
    """Collects the saves of all files."""

    def __init__(self, view: SourceView, options: Options) -> None:
        self._options = options
        self._fields = fields_by_plain_name(view)
        self._saves: dict[str, Save] = {}
        self._repeated = 0
        self._deleted: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._created: dict[str, int] = {}
        self.described: dict[str, dict[str, Any]] = {}

    def describe(self, table: Table) -> Iterator[Rejected]:
        """Learn what a file of Opportunity says of deals beyond their history."""
        cells = Cells(table, self._options)
        history = ("stage", "amount", "close_date", "forecast_category", "next_step")
        columns = [(c, f) for c in table.columns if (f := self._fields.get(c)) and f not in history]
        for row in table.rows():
            if isinstance(row, Rejected):
                yield row
                continue
            try:
                deal = deal_id(row.get("id"))
                self.described[deal] = {ours: read_cell(row, cells, column, ours) for column, ours in columns}
                if row.get("createddate"):
                    self._created[deal] = cells.dates.instant(row.get("createddate"))
            except ValueError as error:
                yield row.rejected("bad_value", str(error))

    def read(self, table: Table) -> Iterator[Rejected]:
        """Read the rows of a history."""
        versions = table.has("fivetranstart", "id")
        deal_column, time_column = ("id", "fivetranstart") if versions else ("opportunityid", "createddate")
        if not table.has(deal_column, time_column):
            wrong = "salesforce-field-history" if table.has("field", "newvalue") else None
            advice = f"this looks like {wrong}" if wrong else f"found: {', '.join(table.header)[:200]}"
            raise NotATable(f"{table.file}:1: no columns OpportunityId and CreatedDate; {advice}")
        if table.has("field", "newvalue"):
            raise NotATable(f"{table.file}:1: this is OpportunityFieldHistory: use salesforce-field-history")
        columns = [(column, self._fields[column]) for column in table.columns if column in self._fields]
        if table.has("forecastcategoryname", "forecastcategory"):
            columns = [(c, f) for c, f in columns if c != "forecastcategory"]
        if not columns:
            raise NotATable(f"{table.file}:1: no column that a field is mapped to (StageName, CloseDate)")
        cells = Cells(table, self._options)
        for row in table.rows():
            if isinstance(row, Rejected):
                yield row
            else:
                rejected = self._row(row, cells, columns, deal_column, time_column, versions=versions)
                if rejected:
                    yield rejected

    def _row(
        self,
        row: Row,
        cells: Cells,
        columns: Sequence[tuple[str, str]],
        deal_column: str,
        time_column: str,
        *,
        versions: bool,
    ) -> Rejected | None:
        if not row.get(deal_column):
            return row.rejected("bad_value", "the row names no opportunity: fill it or remove the row", deal_column)
        if not is_identifier(row.get(deal_column)):
            return row.rejected("bad_value", "this is not the id of an opportunity", deal_column)
        deal = deal_id(row.get(deal_column))
        column = time_column
        try:
            at = cells.dates.instant(row.get(column))
            values = {}
            for column, ours in columns:
                values[ours] = cells.value(ours, row.get(column))
            before = {}
            for column, ours in _BEFORE.items():
                if row.get(column):
                    before[ours] = cells.value(ours, row.get(column))
            column = "isdeleted"
            deleted = cells.flag(row.get(column))
            column = "systemmodstamp"
            stamp = cells.dates.instant(row.get(column)) if deleted and row.get(column) else at
            column = "createddate"
            created = cells.dates.instant(row.get(column)) if versions and row.get(column) else None
        except ValueError as error:
            return row.rejected("bad_value", str(error), column)
        if created is not None:
            self._created[deal] = created
        later = any(row.get(name) for name in _LATER)
        user = row.get("createdbyid") or (row.get("lastmodifiedbyid") if versions else "")
        text = row.get("id")
        identity = f"{deal}@{at}" if versions or not text else salesforce_id(text) or text
        if identity in self._saves:
            if text or versions:
                self._repeated += 1
            else:  # without ids two rows of an instant are two saves, in the file's order
                identity = f"{identity}.{row.line}"
        self._last[deal] = max(at, self._last.get(deal, at))
        if deleted:
            self._deleted[deal] = max(stamp, self._deleted.get(deal, stamp))
        self._saves[identity] = Save(
            at=at,
            order=(later, identity),
            deal=deal,
            user=salesforce_id(user) or user,
            id=f"sfh:{identity}",
            values=values,
            before=before,
            begins=not later,
        )
        return None

    def deduplicated(self) -> Iterator[Ignored]:
        """One for each row whose id another row has as well; the last of them was taken."""
        for _ in range(self._repeated):
            yield Ignored("repeated_row")

    def in_order(self) -> list[Save]:
        """All saves by time; within an instant rows that came after others follow them, then by id."""
        saves = list(self._saves.values())
        for save in saves:
            created = self._created.get(save.deal)
            if created is not None and created + _A_DAY < save.at:
                save.begins = False
        for deal, at in self._deleted.items():
            # The export tells that the deal is in the recycle bin; the last touch of its rows is the best known time.
            at = max(at, self._last[deal])
            saves.append(Save(at, (True, "~"), deal, "", f"sfh:{deal}", {}, deleted=True))
        saves.sort(key=lambda save: (save.at, save.order))
        return saves
