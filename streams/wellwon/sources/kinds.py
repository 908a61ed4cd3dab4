"""The kinds of input that ``wellwon ingest`` and ``wellwon replay`` read, by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from wellwon.sources.change import Ignored, Outcome, Rejected
from wellwon.sources.field_history import FieldHistory
from wellwon.sources.generic import read_change
from wellwon.sources.history import Format, Options
from wellwon.sources.mapping import SourceView
from wellwon.sources.salesforce import SalesforceCdc
from wellwon.sources.stage_history import StageHistory
from wellwon.sources.table import NotATable, content_of, shown, stream
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


KINDS: Final[dict[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(CHANGES, "opportunity-change.v1, one JSON object a line", records=lambda _: read_change),
        Kind(
            "salesforce-cdc",
            "Salesforce Change Data Capture events (CometD, Pub/Sub, Kafka Connect), one JSON object a line",
            records=lambda view: SalesforceCdc(view).read,
        ),
        Kind("salesforce-history", "OpportunityHistory as CSV, with Opportunity if at hand", tables=StageHistory()),
        Kind("salesforce-field-history", "OpportunityFieldHistory as CSV", tables=FieldHistory()),
    )
}


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
            if number == 1 and (looks := _table_kind(line)):
                raise NotATable(f"{shown(name)}:1: this looks like {looks}, not {kind.name}")
            if not line.strip():
                yield Ignored("empty")
                continue
            for outcome in read(line):
                if isinstance(outcome, Rejected):
                    outcome = replace(outcome, where=f"{shown(name)}:{number}")
                yield outcome


def _table_kind(line: bytes) -> str | None:
    """The kind of export of which this would be the header."""
    if b"{" in line:
        return None
    text = line.decode(errors="replace").lower()
    if "opportunityid" not in text.replace(" ", "").replace("_", ""):
        return None
    return "salesforce-field-history" if "newvalue" in text else "salesforce-history"


def _lines(name: str) -> Iterator[tuple[int, bytes]]:
    with stream(content_of(name)) as file:
        number = 0
        while line := file.readline(LINE_MAX):
            number += 1
            yield number, line.rstrip(b"\r\n")
