"""Exports read whole, in order of time: what a live topic would have brought, for ``ingest`` and ``replay``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from wellwon.sources.change import Ignored, Outcome, Rejected
from wellwon.sources.history import Entry, Format, Options
from wellwon.sources.mapping import SourceView
from wellwon.sources.parquet import SUFFIXES, open_parquet
from wellwon.sources.table import Table, content_of, open_csv, shown
from wellwon.sources.told import Told


def open_table(name: str, content: Path | bytes | None = None) -> Table:
    """The table in a file, by default the one of this name. Raises `NotATable` and OSError."""
    content = content_of(name) if content is None else content
    if isinstance(content, Path) and content.suffix.lower() in SUFFIXES:
        return open_parquet(content, shown(name))
    return open_csv(content, shown(name))


def read_tables(format_: Format, tables: Sequence[Table], view: SourceView, options: Options) -> Iterator[Outcome]:
    """The changes that the tables tell, in order of time; rows that cannot be read first.

    Raises `NotATable` for a file that is none of this format.
    """
    layouts = format_.layouts(tables, view, options)
    deals: dict[str, list[Entry]] = {}
    for layout in layouts:
        for piece in layout.table.pieces():
            for row in layout.table.rows(piece):
                outcome = row if isinstance(row, Rejected) else layout.read(*row)
                if isinstance(outcome, Entry):
                    deals.setdefault(outcome.deal, []).append(outcome)
                else:
                    yield outcome
    told: list[Told] = []
    for deal in sorted(deals):
        for one in format_.tell(deal, deals.pop(deal), layouts, view):
            if isinstance(one, Ignored):
                yield one
            else:
                told.append(one)
    told.sort(key=lambda one: one.at)  # stable: a deal's changes stay in their order
    for one in told:
        yield one.event()
