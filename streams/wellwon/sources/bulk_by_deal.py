"""Bulk edits of histories that are read by deal: what `Normaliser` sees on its way, found in two steps.

Who touched how many deals within a minute cannot be seen deal by deal. So reading counts the rows by writer and minute.
Where there were more than a bulk edit needs, and only there, the changes are then looked at in the order of time, all
deals together, by the same `BulkEdits` that judges a live stream.
"""

from __future__ import annotations

import zlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from wellwon.core.items import ACTIVITY, ANSWER, GAP, SNAPSHOT, USER, Change, DealItem, Reclassified
from wellwon.sources.bulk import BulkEdits
from wellwon.sources.mapping import BULK_WINDOW_MS

_NO_EDIT: Final = frozenset((SNAPSHOT, GAP, ANSWER, ACTIVITY))
_TRANSACTION: Final = (1 << 32) - 1

Order = tuple[int, str | int, int]
"""The place of a change among those of all deals: what comes first is smaller."""
Item = tuple[Order, int, DealItem]
"""Its place, the log's time when it came, and the change."""


class Edit(NamedTuple):
    """A change that may be part of a bulk edit."""

    order: Order
    deal: str
    at: int
    id: bytes
    writer: str
    commit: int
    touched: int


@dataclass(slots=True)
class Bulk:
    """What was found."""

    touched: dict[bytes, int] = field(default_factory=dict)
    """Hash of a change's id to the number of deals that were touched together."""
    earlier: dict[str, list[tuple[Order, Reclassified]]] = field(default_factory=dict)
    """By deal, what turned out to be part of a bulk edit after it was told."""


def key_of_row(user: str, at: int) -> int:
    """What rows that may be one bulk edit have in common: writer and minute."""
    return zlib.crc32(user.encode()) << 32 | at // BULK_WINDOW_MS


def keys_of_change(change: DealItem) -> tuple[int, ...]:
    """The same of a change, and its transaction; nothing for what is no edit by a person."""
    if isinstance(change, Reclassified) or change.writer_kind != USER or change.kind in _NO_EDIT:
        return ()
    together = change.commit << 32 | _TRANSACTION
    return (key_of_row(change.writer, change.at), together) if change.writer else (together,)


def crowded(keys: Iterable[array[int]], limit: int) -> frozenset[int]:
    """The keys of which there are more than ``limit``, with those of the minutes beside them."""
    found: set[int] = set()
    for some in keys:
        counts = Counter(some)
        for key, count in counts.items():
            if key & _TRANSACTION == _TRANSACTION:
                if count > limit:
                    found.add(key)
            elif count + counts.get(key + 1, 0) > limit:
                found.update((key, key + 1))
    return frozenset(found)


def edits_of(deal: str, items: list[Item], keys: frozenset[int]) -> Iterable[Edit]:
    """The changes of a deal that are among these."""
    for order, _, item in items:
        if isinstance(item, Change) and not keys.isdisjoint(keys_of_change(item)):
            yield Edit(order, deal, item.at, item.source_id, item.writer, item.commit, item.bulk)


def bulk_of(edits: Iterable[Edit], limit: int, part_of: Callable[[str], int]) -> dict[int, Bulk]:
    """Judge the edits of all deals; what was found, by the part that a deal is in."""
    found, watch, seen = dict[int, Bulk](), BulkEdits(limit), set[bytes]()
    for edit in sorted(edits):
        if edit.id in seen:
            continue
        seen.add(edit.id)
        bulk = watch.add(
            at=edit.at,
            deal=edit.deal,
            id=edit.id.hex(),
            writer=edit.writer,
            transaction=str(edit.commit),
            touched=edit.touched,
        )
        if bulk is None:
            continue
        found.setdefault(part_of(edit.deal), Bulk()).touched[edit.id] = bulk.touched
        for deal, ids in bulk.earlier.items():
            item = Reclassified(edit.at, tuple(bytes.fromhex(one) for one in ids))
            found.setdefault(part_of(deal), Bulk()).earlier.setdefault(deal, []).append((edit.order, item))
    return found


def marked(deal: str, items: list[Item], bulk: Bulk) -> list[Item]:
    """A deal's changes, said to be bulk where they are, behind what makes earlier ones bulk."""
    for _, _, item in items:
        if isinstance(item, Change) and item.source_id in bulk.touched:
            item.bulk = bulk.touched[item.source_id]
    for order, item in bulk.earlier.get(deal, ()):
        place = sum(1 for other in items if other[0] < order)
        clock = items[place - 1][1] if place else item.at
        items.insert(place, (order, max(clock, item.at), item))
    return items
