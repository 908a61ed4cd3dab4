"""The kinds of input that ``wellwon ingest`` and ``wellwon replay`` read, by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from wellwon.sources.change import Ignored, Outcome, Rejected
from wellwon.sources.debezium import Debezium
from wellwon.sources.field_history import FieldHistory
from wellwon.sources.generic import read_change
from wellwon.sources.history import Format, Options
from wellwon.sources.hubspot import HubSpotWebhooks
from wellwon.sources.hubspot_history import HubSpotHistory, is_deals
from wellwon.sources.mapping import SourceView
from wellwon.sources.salesforce import SalesforceCdc
from wellwon.sources.stage_history import StageHistory, found, is_description, no_history
from wellwon.sources.table import NotATable, content_of, shown, stream
from wellwon.sources.warehouse import Airbyte, Fivetran
from wellwon.sources.whole import open_table, read_tables

RecordReader = Callable[[bytes], Iterator[Outcome]]

CHANGES: Final = "changes"
LINE_MAX: Final = 16 * 2**20
"""A line longer than this is rejected in pieces rather than held in memory."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of input: records one at a time (a line of a file, a message of a raw topic), or whole tables."""

    name: str
    summary: str
    records: Callable[[SourceView], RecordReader] | None = None
    tables: Format | None = None
    columns: str = ""
    """Of a table: the columns that it cannot be without."""

    @property
    def is_history(self) -> bool:
        """Whether files of it can be read deal by deal; the others are events as they come."""
        return self.tables is not None or self.name == CHANGES


KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(CHANGES, "opportunity-change.v1, one JSON object a line", records=lambda _: read_change),
        Kind(
            "salesforce-cdc",
            "Salesforce Change Data Capture events (CometD, Pub/Sub, Kafka Connect), one JSON object a line",
            records=lambda view: SalesforceCdc(view).read,
        ),
        Kind(
            "hubspot-webhooks",
            "HubSpot webhook events (one, or a posted body of them), one JSON value a line",
            records=lambda view: HubSpotWebhooks(view).read,
        ),
        Kind("debezium", "Debezium's events of a table of deals, one a line", records=lambda view: Debezium(view).read),
        Kind("airbyte", "Airbyte's records of a stream of deals, one a line", records=lambda view: Airbyte(view).read),
        Kind("fivetran", "Fivetran's rows of a table of deals, one a line", records=lambda view: Fivetran(view).read),
        Kind(
            "salesforce-history",
            "OpportunityHistory (CSV, Parquet), with Opportunity if at hand",
            tables=StageHistory(),
            columns="OpportunityId, CreatedDate, StageName; or a warehouse's id, stage_name, _fivetran_start",
        ),
        Kind(
            "salesforce-field-history",
            "OpportunityFieldHistory (CSV, Parquet)",
            tables=FieldHistory(),
            columns="OpportunityId, CreatedDate, Field, NewValue",
        ),
        Kind(
            "hubspot-history",
            "HubSpot's deal_property_history (CSV, Parquet)",
            tables=HubSpotHistory(),
            columns="deal_id, timestamp, name, value",
        ),
    )
}


_COLUMNS: Final = "; ".join(f"{kind.name}: {kind.columns}" for kind in KINDS.values() if kind.columns)


def kind_named(name: str) -> Kind:
    """The kind with this name. Raises ValueError with the names there are."""
    if name in KINDS:
        return KINDS[name]
    near = difflib.get_close_matches(name, KINDS, 1)
    hint = f": did you mean {near[0]}?" if near else f"; there are {', '.join(KINDS)}"
    raise ValueError(f"no kind of input is called {name!r}{hint}")


def read_files(kind: Kind, files: Sequence[str], view: SourceView, options: Options) -> Iterator[Outcome]:
    """What the files (``-``: standard input) hold, in the order in which it is to be processed.

    Raises `NotATable` for a file that is none, OSError for one that cannot be read.
    """
    if kind.tables is not None:
        yield from read_tables(kind.tables, [open_table(name) for name in files], view, options)
        return
    assert kind.records is not None
    read = kind.records(view)
    for name in files:
        for number, line in _lines(name):
            if number == 1 and (looks := _table_kind(name, line)):
                raise NotATable(f"{shown(name)}:1: this looks like {looks}, not {kind.name}")
            if not line.strip():
                yield Ignored("empty")
                continue
            for outcome in read(line):
                if isinstance(outcome, Rejected):
                    outcome = replace(outcome, where=f"{shown(name)}:{number}")
                yield outcome


def guess_kind(files: Sequence[str]) -> Kind:
    """The kind that the files are by their headers. Raises `NotATable` where that is not plain, and OSError."""
    kinds = {kind.name for name in files if (kind := _kind_of(name)) is not None}
    if len(kinds) == 1:
        return KINDS[kinds.pop()]
    if kinds:
        said = f"they look like {' and '.join(sorted(kinds))}"
        raise NotATable(f"{', '.join(map(shown, files))}: {said}: say which kind it is, one of {', '.join(KINDS)}")
    tables = [open_table(name) for name in files]
    if all(is_description(table) or is_deals(table) for table in tables):
        raise NotATable(no_history(tables, f"a history of them ({_COLUMNS})"))
    raise NotATable(f"{tables[0].file}:1: not the header of a history ({_COLUMNS}); {found(tables[0])}")


def _kind_of(name: str) -> Kind | None:
    with stream(content_of(name)) as file:
        first = file.readline(LINE_MAX)
    if first.lstrip().startswith((b"{", b"[")):
        if b'"subscriptionType"' in first:
            return KINDS["hubspot-webhooks"]
        return KINDS["salesforce-cdc" if b"ChangeEventHeader" in first else CHANGES]
    table = open_table(name)
    return next((kind for kind in KINDS.values() if kind.tables and kind.tables.recognises(table)), None)


def _table_kind(name: str, line: bytes) -> str | None:
    """The kind of table of which this would be the header."""
    if b"{" in line or not line.strip():
        return None
    try:
        table = open_table(name, line)
    except NotATable:
        return None
    return next((kind.name for kind in KINDS.values() if kind.tables and kind.tables.recognises(table)), None)


def _lines(name: str) -> Iterator[tuple[int, bytes]]:
    with stream(content_of(name)) as file:
        number = 0
        while line := file.readline(LINE_MAX):
            number += 1
            yield number, line.rstrip(b"\r\n")
