"""A source's stream before it is split by deal: repeats leave it, bulk edits are marked.

Bulk edits cannot be seen behind this point, for no partition holds all deals of a writer. The normaliser holds no
durable state: after a restart it reads the raw topic from before the bulk window again with ``emit=False``. What it
writes depends only on what it read, and its ids derive from the source's, so a repeat is recognised by the deal.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from wellwon.core.items import ACTIVITY, ANSWER, GAP, RECLASSIFIED, SNAPSHOT, USER
from wellwon.core.units import HOUR, parse_instant
from wellwon.sources.bulk import BulkEdits
from wellwon.sources.change import SCHEMA, ChangeEvent, Ignored, Outcome, Rejected, Reread, encode
from wellwon.sources.kinds import RecordReader
from wellwon.sources.mapping import SourceView

CHANGES: Final = "opportunity-changes"
REREADS: Final = "rereads"

REMEMBERED_MS: Final = 72 * HOUR
"""Salesforce keeps events for 72 hours: no honest repeat comes later."""
REMEMBERED: Final = 500_000

_NO_EDIT: Final = frozenset((SNAPSHOT, GAP, ANSWER, ACTIVITY, RECLASSIFIED))


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record to be written."""

    topic: Literal["opportunity-changes", "rereads"]
    key: bytes
    """The deal's id; for requests that are for no single deal, the entity."""
    value: bytes
    at: int
    """Event time, epoch milliseconds."""


class Normaliser:
    """One per source stream. ``counts``: records left out, by reason."""

    def __init__(self, view: SourceView, read: RecordReader, *, remembered: int = REMEMBERED) -> None:
        self._read = read
        self._bulk = BulkEdits(view.bulk_records)
        self._limit = remembered
        self._seen: OrderedDict[bytes, int] = OrderedDict()
        self.counts: Counter[str] = Counter()

    def feed(self, value: bytes, at_ms: int, *, emit: bool = True) -> list[Outgoing | Rejected]:
        """What becomes of one raw record that was written at ``at_ms``; with ``emit`` false only the memory is fed."""
        try:
            outcomes = list(self._read(value))
        except Exception as error:  # a mapper's mistake must not stop the stream nor lose the record
            outcomes = [Rejected("mapper_failed", f"{type(error).__name__}: {error}", value)]
        counts = self.counts
        if not emit:
            self.counts = Counter()  # they were counted when they were emitted
        found = [out for outcome in outcomes for out in self.take(outcome, at_ms)]
        self.counts = counts
        return found if emit else []

    def take(self, outcome: Outcome, at_ms: int | None = None) -> Iterable[Outgoing | Rejected]:
        """What becomes of something a mapper said. ``at_ms``: when it arrived, by default when it happened."""
        match outcome:
            case Rejected():
                return [outcome]
            case Ignored():
                self.counts[outcome.reason] += 1
                return []
            case Reread():
                if self._repeats(outcome.id, outcome.at):
                    return []
                return [_out(REREADS, (outcome.deal or outcome.entity).encode(), outcome.event(), outcome.at)]
        try:
            at = parse_instant(outcome["occurred_at"])
        except (KeyError, ValueError, TypeError) as error:
            return [Rejected("bad_value", f"occurred_at: {error}", encode(outcome))]
        if self._repeats(outcome.get("id", ""), at if at_ms is None else at_ms):
            return []
        return [_out(CHANGES, event["opportunity_id"].encode(), event, at) for event in self._marked(outcome, at)]

    def _marked(self, event: ChangeEvent, at: int) -> list[ChangeEvent]:
        """The event, said to be bulk where it is, behind what makes earlier ones bulk."""
        writer = event.get("writer") or {}
        if event["kind"] in _NO_EDIT or writer.get("kind", USER) != USER:
            return [event]  # what no person wrote never counts as behaviour, in bulk or not
        found = self._bulk.add(
            at=at,
            deal=event["opportunity_id"],
            id=event["id"],
            writer=writer.get("id") or "",
            transaction=event.get("transaction") or "",
            touched=event.get("bulk", 1),
        )
        if found is None:
            return [event]
        earlier = [
            {
                "schema": SCHEMA,
                "id": f"bulk:{event['id']}:{deal}",
                "opportunity_id": deal,
                "source": event.get("source", "unknown"),
                "occurred_at": event["occurred_at"],
                "kind": RECLASSIFIED,
                "changes": ids,
            }
            for deal, ids in found.earlier.items()
        ]
        return [*earlier, {**event, "bulk": found.touched}]

    def _repeats(self, identity: str, at: int) -> bool:
        """The source said this before."""
        if not identity:
            return False
        key = hashlib.blake2b(identity.encode(), digest_size=8).digest()
        if key in self._seen:
            self.counts["duplicate"] += 1
            return True
        self._seen[key] = at
        while len(self._seen) > self._limit or self._oldest() < at - REMEMBERED_MS:
            self._seen.popitem(last=False)
        return False

    def _oldest(self) -> int:
        return next(iter(self._seen.values()))


def _out(topic: Literal["opportunity-changes", "rereads"], key: bytes, event: dict[str, Any], at: int) -> Outgoing:
    return Outgoing(topic, key, encode(event), at)
