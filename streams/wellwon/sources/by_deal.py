"""Files of any size as histories of deals: every row is read once and put on disk with the others of its deal.

Reading and putting together are cut into jobs that know nothing of each other, so that several processes share them:
a piece of a file is read, and its rows are laid down by *part*, a hash of the deal's id; then a part, which fits into
memory, gives its deals one after the other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from wellwon.sources.bulk_by_deal import Bulk, Edit, bulk_of, crowded
from wellwon.sources.change import Rejected
from wellwon.sources.history import Format, Layout, Options
from wellwon.sources.kinds import Kind
from wellwon.sources.line_pieces import open_lines
from wellwon.sources.mapping import SourceView
from wellwon.sources.part import Block, Part, Stretch, part_of
from wellwon.sources.piece import KEY_GROUPS, SHOWN, Reading, Source, keys_of, read_piece
from wellwon.sources.whole import open_table

PART_BYTES: Final = 1 << 20
"""Bytes of input per part: as objects in memory some ten times as much, and a second of work, for it is run to its end
when somebody wants to stop."""

Spread = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Any]]
"""Calls a function with each of some jobs, in whatever process, and gives the results in the order of the jobs."""


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
            Reading(number, source, piece, by_deal.parts, self.view, folder)
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
        keys = crowded((keys_of(folder, group) for group in range(KEY_GROUPS)), limit)
        if not keys:
            return {}
        jobs = [(by_deal.part(part), keys) for part in range(by_deal.parts)]
        found = (edit for edits in spread(edits_of_part, jobs) for edit in edits)
        return bulk_of(found, limit, partial(part_of, parts=by_deal.parts))
