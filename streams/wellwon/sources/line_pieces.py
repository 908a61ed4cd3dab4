"""Files of `opportunity-change.v1` lines, in pieces, decoded once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from wellwon.core.items import Change, Clock, DealItem, PolicyRecord, Reclassified
from wellwon.core.wire import DecodeError, decode
from wellwon.sources.change import Ignored, Rejected
from wellwon.sources.table import PIECE, NotATable, Piece, content_of, shown, stream

LINE_MAX: Final = 16 << 20
"""A line longer than this is rejected in pieces rather than held in memory."""


class Line(msgspec.Struct, array_like=True, gc=False):
    """A change of a file of changes."""

    deal: str
    clock: int
    """The latest time that this piece of the file had told when the line came."""
    line: int
    change: Change | None
    reclassified: Reclassified | None = None

    @property
    def item(self) -> DealItem:
        """What it says: one or the other."""
        item = self.change or self.reclassified
        assert item is not None
        return item


@dataclass(frozen=True, slots=True)
class LineFile:
    """A file of changes."""

    file: str
    _content: Path | bytes

    def pieces(self) -> list[Piece]:
        """Cut at ends of lines; standard input stays whole."""
        with stream(self._content) as file:
            size = file.seek(0, io.SEEK_END)
            if size <= PIECE or isinstance(self._content, bytes):
                return [Piece(size)]
            file.seek(0)
            pieces, start, line = [], 0, 1
            while block := file.read(PIECE):
                block += file.readline()
                count = block.count(b"\n")
                pieces.append(Piece(len(block), start, count, line))
                start, line = start + len(block), line + count
            # The last line may have no end.
            pieces[-1] = Piece(pieces[-1].size, pieces[-1].start, None, pieces[-1].line)
            return pieces

    def read(self, piece: Piece) -> Iterator[Line | Ignored | Rejected]:
        """What the lines say, after the same check that detect makes."""
        clock = 0
        with stream(self._content) as file:
            file.seek(piece.start)
            lines = iter(lambda: file.readline(LINE_MAX), b"")
            for number, line in enumerate(islice(lines, piece.count), piece.line):
                try:
                    decoded = decode(line)
                except DecodeError as error:
                    line = line.rstrip(b"\r\n")
                    if line.strip():
                        yield Rejected(error.reason, error.detail, line, f"{self.file}:{number}")
                    else:
                        yield Ignored("empty")
                    continue
                item = decoded.item
                if isinstance(item, Clock | PolicyRecord):
                    yield Ignored(decoded.kind)
                    continue
                if item.at > clock:
                    clock = item.at
                if isinstance(item, Reclassified):
                    yield Line(decoded.opportunity_id, clock, number, None, item)
                else:
                    yield Line(decoded.opportunity_id, clock, number, item)


def open_lines(name: str) -> LineFile:
    """The file of changes. Raises `NotATable` for one that is empty, OSError for one that cannot be opened."""
    content = content_of(name)
    with stream(content) as file:
        if not file.read(1):
            raise NotATable(f"{shown(name)}: the file is empty: was it written to the end?")
    return LineFile(shown(name), content)
