"""Bulk edits: more deals than ``bulk_records`` by one writer in one transaction, or within a minute."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Final

from wellwon.sources.mapping import BULK_WINDOW_MS

GROUPS_KEPT: Final = 20_000
EDITS_KEPT: Final = 10_000


@dataclass(slots=True)
class _Edit:
    at: int
    deal: str
    id: str
    bulk: bool = False


@dataclass(slots=True)
class _Group:
    """Edits that count together, by time."""

    edits: list[_Edit] = field(default_factory=list)
    deals: Counter[str] = field(default_factory=Counter)

    def add(self, edit: _Edit) -> None:
        insort(self.edits, edit, key=_at)
        self.deals[edit.deal] += 1

    def forget_before(self, at: int) -> None:
        keep = max(bisect_left(self.edits, at, key=_at), len(self.edits) - EDITS_KEPT)
        for edit in self.edits[:keep]:
            self.deals[edit.deal] -= 1
            if not self.deals[edit.deal]:
                del self.deals[edit.deal]
        del self.edits[:keep]


def _at(edit: _Edit) -> int:
    return edit.at


@dataclass(frozen=True, slots=True)
class Bulk:
    """What an edit that is bulk brings to light."""

    touched: int
    """Number of deals known to be touched together."""
    earlier: dict[str, list[str]]
    """Ids of earlier edits, by deal, that turn out to be bulk with it."""


class BulkEdits:
    """Watches who touches how many deals. Bounded: writers that were quiet longest are forgotten first."""

    def __init__(self, limit: int, *, window_ms: int = BULK_WINDOW_MS) -> None:
        self._limit = limit
        self._window = window_ms
        self._groups: OrderedDict[tuple[str, str], _Group] = OrderedDict()

    def add(self, *, at: int, deal: str, id: str, writer: str, transaction: str, touched: int) -> Bulk | None:
        """None where this edit is not bulk. ``touched``: number of deals that the source says were saved together."""
        edit = _Edit(at, deal, id)
        earlier: dict[str, list[str]] = {}
        keys = [("writer", writer)] if writer else []
        if transaction:
            keys.append(("transaction", transaction))
        for key in keys:
            group = self._group(key)
            newest = max(at, group.edits[-1].at) if group.edits else at
            if key[0] == "writer":
                if at < newest - self._window:
                    continue  # its minute has passed already
                group.forget_before(newest - self._window)
            else:
                group.forget_before(0)
            group.add(edit)
            touched = max(touched, len(group.deals))
            if len(group.deals) > self._limit:
                for other in group.edits:
                    if not other.bulk and other is not edit:
                        other.bulk = True
                        earlier.setdefault(other.deal, []).append(other.id)
        edit.bulk = touched > self._limit
        return Bulk(touched, earlier) if edit.bulk else None

    def _group(self, key: tuple[str, str]) -> _Group:
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = _Group()
        self._groups.move_to_end(key)
        while len(self._groups) > GROUPS_KEPT:
            self._groups.popitem(last=False)
        return group
