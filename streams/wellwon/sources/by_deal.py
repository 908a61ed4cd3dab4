"""Files of any size as histories of deals: every row is read once and put on disk with the others of its deal.

Reading and putting together are cut into jobs that know nothing of each other, so that several processes share them:
a piece of a file is read, and its rows are laid down by *part*, a hash of the deal's id; then a part, which fits into
memory, gives its deals one after the other.
"""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Final

from wellwon.core.items import USER, DealItem
from wellwon.sources.bulk_by_deal import Bulk, Edit, bulk_of, crowded, key_of_row, keys_of_change
from wellwon.sources.change import Ignored, Rejected
from wellwon.sources.history import Columnar, Entry, Format, Layout, Options
from wellwon.sources.kinds import Kind
from wellwon.sources.line_pieces import Line, LineFile, open_lines
from wellwon.sources.mapping import BULK_WINDOW_MS, SourceView
from wellwon.sources.part import Block, Part, Stretch, lay_down, part_of
from wellwon.sources.table import Cells, CsvTable, Piece, foreign_bytes
from wellwon.sources.whole import open_table

TOGETHER: Final = 2_000
"""Rows that are read at once."""
BLOCK: Final = 60_000
"""Rows held in memory while a piece is read."""
PART_BYTES: Final = 1 << 20
"""Bytes of input per part: as objects in memory some ten times as much, and a second of work, for it is run to its end
when somebody wants to stop."""
KEY_GROUPS: Final = 16
SHOWN: Final = 10

Spread = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]
"""Calls a function with each of some jobs, in whatever process, and gives the results in the order of the jobs."""


@dataclass(frozen=True, slots=True)
class Source:
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
class _Reading:
    """A job: read a piece."""

    number: int
    source: Source
    piece: Piece
    parts: int
    view: SourceView
    folder: Path


@dataclass(slots=True)
class Read:
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


def read_piece(job: _Reading) -> Read:
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


@dataclass(slots=True)
class ByDeal:
    """What the files held, by deal."""

    format: Format | None
    layouts: tuple[Layout, ...]
    view: SourceView
    parts: int
    files: tuple[str, ...]
    blocks: tuple[Block, ...] = ()
    clocks: tuple[int, ...] = ()
    """For files of changes: the latest time told before each block."""
    rows: int = 0
    first_at: int = 0
    last_at: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    rejections: Counter[str] = field(default_factory=Counter)
    rejected: list[Rejected] = field(default_factory=list)
    rejected_file: str = ""
    remarks: tuple[str, ...] = ()
    complete: bool = True
    """False: reading was stopped, and no deal is whole."""
    bulk: dict[int, Bulk] = field(default_factory=dict)
    """Bulk edits, by part."""

    def size(self, part: int) -> int:
        """How much there is in a part, in bytes on disk."""
        return sum(block.size(part) for block in self.blocks)

    def part(self, part: int) -> Part:
        """A part by itself."""
        stretches = tuple(
            Stretch(number, block.file, block.offsets[part], block.offsets[part + 1], clock)
            for number, (block, clock) in enumerate(zip(self.blocks, self.clocks, strict=True))
            if block.size(part)
        )
        return Part(self.format, self.layouts, self.view, stretches, self.bulk.get(part))


def edits_of_part(job: tuple[Part, frozenset[int]]) -> list[Edit]:
    """A job: what of a part may belong to a bulk edit."""
    part, keys = job
    return list(part.edits(keys))


@dataclass(frozen=True, slots=True)
class Exports:
    """Some files of one kind, to be read by deal."""

    kind: Kind
    files: Sequence[str]
    view: SourceView
    options: Options
    rejects: Path | None = None
    """Where rows that cannot be used go, each with its reason."""

    def gather(
        self, folder: Path, spread: Spread, progress: Callable[[str, int, int], None], stop: Callable[[], bool]
    ) -> ByDeal:
        """Read everything. ``folder``: an empty directory with room for about as much as the files have.

        ``progress`` hears what is done: ``reading``, bytes done, bytes in all. Raises `NotATable` and OSError for a
        file that cannot be used at all, ValueError for a kind without a history.
        """
        sources, by_deal = self._open()
        pieces = [(source, piece) for source in sources for piece in source.pieces()]
        total = sum(piece.size for _, piece in pieces)
        by_deal.parts = max(1, total // PART_BYTES)
        jobs = [
            _Reading(number, source, piece, by_deal.parts, self.view, folder)
            for number, (source, piece) in enumerate(pieces)
        ]
        done, blocks, clocks, rejects = 0, list[Block](), list[int](), list[Path]()
        foreign, foreign_at = 0, ""
        for found in spread(read_piece, jobs):
            done += found.size
            progress("reading", done, total)
            blocks += found.blocks
            clocks += [by_deal.last_at] * len(found.blocks)
            by_deal.rows += found.rows
            by_deal.left_out.update(found.left_out)
            by_deal.rejections.update(found.rejections)
            by_deal.rejected += found.rejected[: SHOWN - len(by_deal.rejected)]
            rejects += [found.rejects] if found.rejects else []
            foreign, foreign_at = foreign + found.foreign, foreign_at or found.foreign_at
            if found.last_at:
                by_deal.first_at = min(by_deal.first_at or found.first_at, found.first_at)
                by_deal.last_at = max(by_deal.last_at, found.last_at)
        by_deal.blocks, by_deal.clocks = tuple(blocks), tuple(clocks)
        by_deal.rejected_file = self._keep(rejects)
        if foreign:
            by_deal.remarks = (
                f"bytes that are not UTF-8, and are read as Windows-1252: {foreign:,}, the first at {foreign_at}; "
                "where a text looks wrong, export the file as UTF-8",
            )
        by_deal.complete = not stop()
        if by_deal.complete:
            by_deal.bulk = self._bulk(by_deal, folder, spread)
        return by_deal

    def _open(self) -> tuple[list[Source], ByDeal]:
        if not self.kind.is_history:
            raise ValueError(f"{self.kind.name} is no history that can be put together by deal")
        if self.kind.tables is None:
            lines = [open_lines(name) for name in self.files]
            files = tuple(one.file for one in lines)
            return [Source(None, one) for one in lines], ByDeal(None, (), self.view, 1, files)
        tables = [open_table(name) for name in self.files]
        layouts = tuple(self.kind.tables.layouts(tables, self.view, self.options))
        files = tuple(table.file for table in tables)
        return [Source(layout, None) for layout in layouts], ByDeal(self.kind.tables, layouts, self.view, 1, files)

    def _keep(self, rejects: list[Path]) -> str:
        if self.rejects is None or not rejects:
            return ""
        with self.rejects.open("wb") as out:
            for file in rejects:
                out.write(file.read_bytes())
        return str(self.rejects)

    def _bulk(self, by_deal: ByDeal, folder: Path, spread: Spread) -> dict[int, Bulk]:
        limit = self.view.bulk_records
        keys = crowded((_keys(folder, group) for group in range(KEY_GROUPS)), limit)
        if not keys:
            return {}
        jobs = [(by_deal.part(part), keys) for part in range(by_deal.parts)]
        found = (edit for edits in spread(edits_of_part, jobs) for edit in edits)
        return bulk_of(found, limit, partial(part_of, parts=by_deal.parts))


def _keys(folder: Path, group: int) -> array[int]:
    keys = array("Q")
    for file in folder.glob(f"keys-{group}-*"):
        keys.frombytes(file.read_bytes())
    return keys
