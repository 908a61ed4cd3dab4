"""A part of a history on disk: some deals, whole, few enough for memory."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from wellwon.core.items import DealItem
from wellwon.core.travels import Travels
from wellwon.sources.bulk_by_deal import Bulk, Edit, Item, edits_of, key_of_row, marked
from wellwon.sources.history import Entry, Format, Layout
from wellwon.sources.line_pieces import Line
from wellwon.sources.mapping import SourceView
from wellwon.sources.story import item_of
from wellwon.sources.told import Told

_rows = msgspec.msgpack.Decoder(list[Entry])
_lines = msgspec.msgpack.Decoder(list[Line])
_encode: Final = msgspec.msgpack.Encoder().encode


def part_of(deal: str, parts: int) -> int:
    """The part that a deal is in."""
    return zlib.crc32(deal.encode()) % parts


class Block(NamedTuple):
    """Rows on disk, by part."""

    file: str
    offsets: tuple[int, ...]
    """Where each part begins, and the end."""

    def size(self, part: int) -> int:
        """Bytes of a part."""
        return self.offsets[part + 1] - self.offsets[part]


def lay_down(rows: Sequence[list[Any]], file: str) -> Block:
    """Put rows on disk; ``rows``: by part."""
    offsets = [0]
    with Path(file).open("wb") as out:
        for some in rows:
            offsets.append(offsets[-1] + (out.write(_encode(some)) if some else 0))
    return Block(file, tuple(offsets))


class Stretch(NamedTuple):
    """The rows of one part in one block."""

    number: int
    """Of the block: those of a lower one stood before these."""
    file: str
    start: int
    end: int
    clock: int
    """For files of changes: the latest time told before the block."""


@dataclass(frozen=True, slots=True)
class Part(Travels):
    """Where the rows of some deals are, and how they are read. It travels between processes."""

    format: Format | None
    """None: lines of changes."""
    layouts: tuple[Layout, ...]
    view: SourceView
    stretches: tuple[Stretch, ...]
    bulk: Bulk | None = None
    """What of it was edited in bulk."""

    def deals(self, left_out: Counter[str]) -> Iterator[tuple[str, list[tuple[int, DealItem]]]]:
        """The deals with their changes, each with the time that the log had told when it came.

        ``left_out`` counts the rows that say nothing beside the others of their deal, by reason.
        """
        for deal, items in self._told(None, left_out):
            if self.bulk is not None:
                items = marked(deal, items, self.bulk)
            yield deal, [item[1:] for item in items]

    def edits(self, keys: frozenset[int]) -> Iterator[Edit]:
        """The changes that may be part of a bulk edit."""
        for deal, items in self._told(keys, Counter()):
            yield from edits_of(deal, items, keys)

    def _told(self, keys: frozenset[int] | None, left_out: Counter[str]) -> Iterator[tuple[str, list[Item]]]:
        if self.format is None:
            yield from self._lines()
            return
        deals: dict[str, list[Entry]] = {}
        for _, content in self._stored():
            for entry in _rows.decode(content):
                if (entries := deals.get(entry.deal)) is None:
                    deals[entry.deal] = [entry]
                else:
                    entries.append(entry)
        labelled = any(ours.startswith("labels.") for ours in self.view.fields.values())
        hashed = keys is not None or self.bulk is not None  # bulk edits are known by the ids of their changes
        tell, layouts, view = self.format.tell, self.layouts, self.view
        for deal, entries in deals.items():
            if keys is not None and not any(key_of_row(entry.user, entry.at) in keys for entry in entries):
                continue
            items: list[Item] = []
            for told in tell(deal, entries, layouts, view):
                if isinstance(told, Told):
                    items.append(
                        ((told.at, deal, len(items)), told.at, item_of(told, labelled=labelled, hashed=hashed))
                    )
                else:
                    left_out[told.reason] += 1
            yield deal, items

    def _lines(self) -> Iterator[tuple[str, list[Item]]]:
        deals: dict[str, list[Item]] = {}
        for stretch, content in self._stored():
            for one in _lines.decode(content):
                clock = max(stretch.clock, one.clock)
                deals.setdefault(one.deal, []).append(((stretch.number, one.line, 0), clock, one.item))
        yield from deals.items()

    def _stored(self) -> Iterator[tuple[Stretch, bytes]]:
        for stretch in self.stretches:
            with Path(stretch.file).open("rb", buffering=0) as file:
                file.seek(stretch.start)
                yield stretch, file.read(stretch.end - stretch.start)
