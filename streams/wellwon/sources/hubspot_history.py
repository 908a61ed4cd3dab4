"""HubSpot deals with the history of their properties, as a warehouse holds them (Fivetran) or a script wrote them.

``deal_property_history`` has a row for each value that a property ever had; rows of one deal, instant and source are
one save. ``deal_stage`` has the same of the stage alone. ``deal`` adds what has no history, ``deal_pipeline_stage``
which stages are closed, and won.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from wellwon.core.units import FIRST_DAY, LAST_DAY, day_of
from wellwon.sources.change import Ignored, Rejected
from wellwon.sources.history import (
    CellReader,
    Columns,
    Entry,
    Layout,
    Options,
    fields_by_plain_name,
    user_id,
)
from wellwon.sources.mapping import SourceView
from wellwon.sources.stage_history import NO_DESCRIPTION, found
from wellwon.sources.story import Story
from wellwon.sources.table import Cells, NotATable, Table, has, plain
from wellwon.sources.told import Save, Told

SOURCE: Final = "hubspot-history"

_DEAL: Final = ("dealid", "hsobjectid", "recordid")
_NAME: Final = ("name", "propertyname", "property")
_TIME: Final = ("timestamp", "occurredat")
_STAGE_TIME: Final = ("dateentered", "fivetranstart")
_STAGE: Final = "dealstage"
_DESCRIBED: Final = {"ownerid": "owner_id", "dealpipelineid": "pipeline"}
"""Columns of the table of deals that are not named after a property."""
_PREFIX: Final = "property"

_BY_HAND: Final = frozenset(("crmui", "mobileios", "mobileandroid", "sales", "extension", "contacts", "deals"))
_IN_BULK: Final = frozenset(("crmuibulkaction", "import", "batchupdate", "migration"))
_A_DAY: Final = 86_400_000


class HubSpotHistory:
    """deal_property_history or deal_stage, with deal and deal_pipeline_stage if at hand."""

    def recognises(self, table: Table) -> bool:
        """See `history.Format`."""
        return _is_properties(table) or _is_stages(table)

    def layouts(self, tables: Sequence[Table], view: SourceView, options: Options) -> list[Layout]:
        """See `history.Format`: what describes deals and stages first."""
        fields = fields_by_plain_name(view)
        order = sorted(tables, key=self.recognises)
        if not order or not self.recognises(order[-1]):
            raise NotATable(
                f"{tables[0].file if tables else 'no file'}:1: a table deal_property_history is needed (deal_id, "
                f"timestamp, name, value), or deal_stage; {found(tables[0]) if tables else ''}"
            )
        layouts: list[Layout] = []
        unknown: list[str] = []
        for number, table in enumerate(order):
            if self.recognises(table):
                layouts.append(_History(number, table, fields, options))
            elif has(table, "stageid", "closedwon"):
                layouts.append(_Stages(number, table, options))
            elif is_deals(table):
                layouts.append(_Deals(number, table, fields, options))
            else:
                unknown.append(f"{table.file}:1: no table that is read here: leave it out; {found(table)}")
        if unknown:
            raise NotATable("\n".join(unknown))
        return layouts

    def tell(
        self, deal: str, entries: list[Entry], layouts: Sequence[Layout], view: SourceView
    ) -> Iterator[Told | Ignored]:
        """See `history.Format`."""
        closed = {stage: facts for one in layouts if isinstance(one, _Stages) for stage, facts in one.facts.items()}
        described: dict[str, Any] = {}
        saves: dict[tuple[int, str], Save] = {}
        created = last = 0
        deleted = False
        for entry in entries:
            layout = layouts[entry.layout]
            if isinstance(layout, _Deals):
                described = dict(zip(layout.fields, entry.values, strict=True))
                created, deleted = entry.created, bool(entry.ended)
                continue
            ours, value, kind = entry.values
            identity = f"{deal}:{entry.at}:{kind}:{entry.user}"
            save = saves.setdefault((entry.at, identity), Save(entry.at, entry.user, f"hsp:{identity}", {}, kind=kind))
            if save.values.get(ours, value) != value:
                yield Ignored("repeated_row")
            save.values[ours] = value
            if ours == "stage" and value in closed:
                save.values.update(closed[value])
            last = max(last, entry.at)
        ordered = [saves[place] for place in sorted(saves)]
        historic = {name for save in ordered for name in save.values}
        story = Story(SOURCE, deal, view, {ours: value for ours, value in described.items() if ours not in historic})
        for save in ordered:
            save.begins = not created or created + _A_DAY >= save.at
            yield from story.tell(save)
        if deleted and ordered:
            # When it was deleted is not told: the last touch is the best known time.
            yield story.deleted(last, f"hsp:{deal}")


def is_deals(table: Table) -> bool:
    """A file of the deals themselves, one row each."""
    return has(table, "dealid") and not has(table, "mergeddealid") and not has(table, "value")


def _is_properties(table: Table) -> bool:
    find = Columns(table)
    return min(find.place(*_DEAL), find.place(*_TIME), find.place(*_NAME), find.place("value")) >= 0


def _is_stages(table: Table) -> bool:
    find = Columns(table)
    return min(find.place("dealid"), find.place(*_STAGE_TIME), find.place("value")) >= 0


class _History:
    """A file of values of properties."""

    def __init__(self, number: int, table: Table, fields: dict[str, str], options: Options) -> None:
        self.table = table
        self._number = number
        self._find = find = Columns(table)
        self._cells = CellReader(table, options)
        self._zone = options.zone
        self._fields = fields
        self._deal, self._value = find.place(*_DEAL), find.place("value")
        self._name = find.place(*_NAME)
        self._time = find.place(*(_TIME if self._name >= 0 else _STAGE_TIME))
        self._kind = find.place("source", "sourcetype", "changesource")
        self._user = find.place("updatedbyuserid", "sourceid")

    def read(self, line: int, cells: Cells) -> Entry | Ignored | Rejected:
        """The value that a row tells."""
        find, place = self._find, self._time
        if (unnamed := find.named(line, cells, self._deal)) is not None:
            return unnamed
        ours = self._fields.get(plain(cells[self._name]) if self._name >= 0 else _STAGE)
        if ours is None:
            return Ignored("field_not_mapped")
        try:
            at = self._cells.dates.instant(cells[place])
            place = self._value
            value = self._read(ours, cells[place].strip())
        except ValueError as error:
            return find.rejected(line, cells, place, str(error))
        user = user_id(cells[self._user]).removeprefix("userId:") if self._user >= 0 else ""
        kind = writer_kind(cells[self._kind]) if self._kind >= 0 else ""
        return Entry(cells[self._deal].strip(), at, user, "", line, self._number, [ours, value, kind])

    def _read(self, ours: str, text: str) -> Any:
        if ours == "close_date" and text.isdecimal() and len(text) > 8:
            # Epoch milliseconds, of which the day in the organisation's zone is meant.
            day = day_of(datetime.fromtimestamp(int(text) / 1000, self._zone).date())
            if not FIRST_DAY <= day <= LAST_DAY:
                raise ValueError(f"{text!r} is outside 1990..2100")
            return day
        return self._cells.value(ours, text)


def writer_kind(source: str) -> str:
    """The writer's kind, empty where the policy decides."""
    name = plain(source)
    if name in _IN_BULK:
        return "admin"
    return "" if not name or name in _BY_HAND else "integration"


class _Deals:
    """A file of the deals themselves."""

    def __init__(self, number: int, table: Table, fields: dict[str, str], options: Options) -> None:
        self.table = table
        self._number = number
        self._find = find = Columns(table)
        self._cells = CellReader(table, options)
        columns = []
        for place, name in enumerate(table.columns):
            ours = _DESCRIBED.get(name) or fields.get(name.removeprefix(_PREFIX))
            if ours and ours not in NO_DESCRIPTION:
                columns.append((place, ours))
        self._columns = columns
        self.fields = tuple(ours for _, ours in columns)
        self._deal, self._created = find.place(*_DEAL), find.place("propertycreatedate", "createdate")
        self._deleted = find.place("isdeleted", "fivetrandeleted")

    def read(self, line: int, cells: Cells) -> Entry | Ignored | Rejected:
        """What a row says of its deal."""
        find, reader, place = self._find, self._cells, self._created
        if (unnamed := find.named(line, cells, self._deal)) is not None:
            return unnamed
        created = 0
        try:
            if place >= 0 and cells[place].strip():
                created = reader.dates.instant(cells[place])
            values = []
            for place, ours in self._columns:
                values.append(reader.value(ours, cells[place]))
            place = self._deleted
            ended = int(place >= 0 and reader.flag(cells[place]))
        except ValueError as error:
            return find.rejected(line, cells, place, str(error))
        deal = cells[self._deal].strip()
        return Entry(deal, 0, "", "", line, self._number, values, ended=ended, created=created)


class _Stages:
    """A file of the pipelines' stages: small, and needed by every deal, so it is read at once."""

    def __init__(self, number: int, table: Table, options: Options) -> None:
        self.table = table
        self._find = find = Columns(table)
        reader = CellReader(table, options)
        self.facts: dict[str, dict[str, bool]] = {}
        """Stage to whether it is closed, and won."""
        stage, won, closed = find.place("stageid"), find.place("closedwon"), find.place("isclosed")
        for piece in table.pieces():
            for row in table.rows(piece):
                if isinstance(row, Rejected):
                    raise NotATable(str(row))
                line, cells = row
                try:
                    is_won = reader.flag(cells[won])
                    is_closed = is_won or (closed >= 0 and reader.flag(cells[closed]))
                except ValueError as error:
                    raise NotATable(f"{table.file}:{line}: {error}") from None
                self.facts[cells[stage].strip()] = {"is_closed": is_closed, "is_won": is_won}

    def read(self, line: int, cells: Cells) -> Entry | Ignored | Rejected:
        """Nothing of a deal."""
        return Ignored("stage_of_a_pipeline")
