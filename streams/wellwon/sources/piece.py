"""A piece of a file, read and laid down by part: the work of one process while a history is read."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

from wellwon.core.items import USER, DealItem
from wellwon.core.travels import Travels
from wellwon.sources.bulk_by_deal import key_of_row, keys_of_change
from wellwon.sources.change import Ignored, Rejected
from wellwon.sources.history import Columnar, Entry, Layout
from wellwon.sources.line_pieces import Line, LineFile
from wellwon.sources.mapping import BULK_WINDOW_MS, SourceView
from wellwon.sources.part import Block, lay_down, part_of
from wellwon.sources.table import Cells, CsvTable, Piece, foreign_bytes

TOGETHER: Final = 2_000
"""Rows that are read at once."""
BLOCK: Final = 60_000
"""Rows held in memory while a piece is read."""
KEY_GROUPS: Final = 16
SHOWN: Final = 10
"""Rejected rows that are told with their reason; all are in the file of rejects."""


@dataclass(frozen=True, slots=True)
class Source(Travels):
    """Where rows come from: one file."""

    layout: Layout | None
    lines: LineFile | None

    def pieces(self) -> list[Piece]:
        """The pieces to read."""
        return self.layout.table.pieces() if self.layout is not None else self._lines.pieces()

    @property
    def _lines(self) -> LineFile:
        assert self.lines is not None
        return self.lines

    def read(self, piece: Piece) -> Iterator[Sequence[Entry | Line | Ignored | Rejected]]:
        """What a piece says, many rows at a time."""
        if self.layout is None:
            lines = self._lines.read(piece)
            while some := list(islice(lines, TOGETHER)):
                yield some
            return
        rows = self.layout.table.rows(piece)
        while together := list(islice(rows, TOGETHER)):
            yield _read(self.layout, together)


def _read(layout: Layout, rows: list[tuple[int, Cells] | Rejected]) -> Sequence[Entry | Ignored | Rejected]:
    if isinstance(layout, Columnar) and not any(isinstance(row, Rejected) for row in rows):
        lines, cells = zip(*rows, strict=True)
        try:
            return layout.read_columns(lines, list(zip(*cells, strict=True)))
        except ValueError:
            pass  # some row has to be looked at by itself
    return [row if isinstance(row, Rejected) else layout.read(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Reading(Travels):
    """A job: read a piece."""

    number: int
    source: Source
    piece: Piece
    parts: int
    view: SourceView
    folder: Path


@dataclass(slots=True)
class Read(Travels):
    """What a piece held."""

    size: int
    blocks: list[Block] = field(default_factory=list)
    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    rejections: Counter[str] = field(default_factory=Counter)
    rejected: list[Rejected] = field(default_factory=list)
    """The first ones."""
    rejects: Path | None = None
    first_at: int = 0
    last_at: int = 0
    foreign: int = 0
    """Bytes that are not UTF-8."""
    foreign_at: str = ""
    """Where the first of them are."""


def read_piece(job: Reading) -> Read:
    """Read a piece and lay its rows down by part."""
    found, parts, place = Read(job.piece.size), job.parts, job.folder / f"{job.number:06d}"
    edits = _Edits(job.view)
    rows: list[list[Entry | Line]] = [[] for _ in range(parts)]
    homes: dict[str, list[Entry | Line]] = {}
    first, last, held = 1 << 62, 0, 0
    foreign_bytes()  # what was read before is another piece's
    for together in job.source.read(job.piece):
        found.rows += len(together)
        for row in together:
            if isinstance(row, Entry):
                at = row.at
                if at and row.user:
                    edits.row(row.user, at)
            elif isinstance(row, Line):
                at = row.item.at
                edits.change(row.item)
            elif isinstance(row, Ignored):
                found.left_out[row.reason] += 1
                continue
            else:
                _refuse(found, row, place)
                continue
            deal = row.deal
            if deal in homes:
                homes[deal].append(row)
            else:
                home = homes[deal] = rows[part_of(deal, parts)]
                home.append(row)
            if at:
                held += 1
                if at < first:
                    first = at
                if at > last:
                    last = at
        if held >= BLOCK:
            found.blocks.append(lay_down(rows, f"{place}-{len(found.blocks)}"))
            rows, held = [[] for _ in range(parts)], 0
            homes.clear()
    found.blocks.append(lay_down(rows, f"{place}-{len(found.blocks)}"))
    edits.keep(job.folder)
    found.first_at, found.last_at = first if last else 0, last
    found.foreign = foreign_bytes()
    layout = job.source.layout
    if found.foreign and layout is not None and isinstance(layout.table, CsvTable):
        found.foreign_at = layout.table.first_foreign(job.piece)
    return found


class _Edits:
    """What the edits of persons have in common with those that may be part of the same bulk edit."""

    def __init__(self, view: SourceView) -> None:
        self._kind_of = view.writers.kind
        self._keys = [array("Q") for _ in range(KEY_GROUPS)]
        self._people: dict[str, tuple[array[int], int] | None] = {}
        """By user: the group of their keys, and what is the same in all of these; None for no person."""

    def row(self, user: str, at: int) -> None:
        """Somebody saved something."""
        if user not in self._people:
            key = key_of_row(user, 0)
            self._people[user] = (self._group(key), key) if self._kind_of(user) == USER else None
        if (person := self._people[user]) is not None:
            keys, key = person
            keys.append(key | at // BULK_WINDOW_MS)

    def change(self, change: DealItem) -> None:
        """A change that a file of changes tells."""
        for key in keys_of_change(change):
            self._group(key).append(key)

    def _group(self, key: int) -> array[int]:
        return self._keys[(key >> 32) % KEY_GROUPS]

    def keep(self, folder: Path) -> None:
        """Put the keys on disk, those of a group together."""
        for group, keys in enumerate(self._keys):
            if keys:
                with (folder / f"keys-{group}-{os.getpid()}").open("ab") as out:
                    keys.tofile(out)


def _refuse(found: Read, row: Rejected, place: Path) -> None:
    found.rejections[row.reason] += 1
    if len(found.rejected) < SHOWN:
        found.rejected.append(row)
    found.rejects = place.with_suffix(".rejects")
    with found.rejects.open("ab") as out:
        out.write(row.record() + b"\n")


def keys_of(folder: Path, group: int) -> array[int]:
    """The keys of a group, of every piece."""
    keys = array("Q")
    for file in folder.glob(f"keys-{group}-*"):
        keys.frombytes(file.read_bytes())
    return keys
