"""What a source yields: `opportunity-change.v1` events as plain dicts, and what became of everything else.

A mapper never raises on input and never drops it: each record becomes changes, a `Rejected` with a reason and what to
do, an `Ignored` with a reason, or a `Reread` where the CRM itself must be asked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import orjson

from wellwon.core.units import format_instant

ChangeEvent = dict[str, Any]
"""One `opportunity-change.v1` event, as it is on the wire."""

SCHEMA: Final = "opportunity-change.v1"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record, or a row of a file, that could not be read. It goes to the dead letters or the rejects file."""

    reason: str
    """A slug from a small set, fit for a metric label."""
    detail: str
    """What is wrong, with which value, and what to do about it."""
    original: bytes
    """The record as it came."""
    where: str = ""
    """``file:line`` or ``file:line:column name``; empty for records from Kafka."""

    def __str__(self) -> str:
        return f"{self.where}: {self.detail}" if self.where else self.detail

    def record(self) -> bytes:
        """A line of a file of rejects: nothing is lost, and the original can be mended and fed again."""
        return orjson.dumps(
            {
                "where": self.where,
                "reason": self.reason,
                "detail": self.detail,
                "original": self.original.decode(errors="backslashreplace"),
            }
        )


@dataclass(frozen=True, slots=True)
class Ignored:
    """A record that says nothing about a deal; counted by reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reread:
    """The source lost changes of more deals than it names, or a deal has a past that only the CRM can tell.

    For a single deal that was known before, the change kind ``gap`` says it, and detect asks for the re-read.
    """

    entity: str
    """The kind of object of which everything is to be read; empty where ``deal`` is named."""
    source: str
    at: int
    """Epoch milliseconds of the loss."""
    why: str
    id: str
    deal: str = ""
    since: int | None = None
    """Nothing that was saved before this (epoch milliseconds) is lost; None: that is not known."""

    def event(self) -> dict[str, Any]:
        """The request as it is on the topic ``rereads``."""
        event: dict[str, Any] = {
            "schema": "reread.v1",
            "source": self.source,
            "reason": self.why,
            "at": format_instant(self.at),
        }
        event |= {"opportunity_id": self.deal} if self.deal else {"entity": self.entity}
        return event if self.since is None else event | {"since": format_instant(self.since)}


Outcome = ChangeEvent | Rejected | Ignored | Reread


class Unreadable(ValueError):
    """Why a record cannot be mapped: a reason's slug and the detail. Mappers turn it into `Rejected`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def change_event(
    *,
    id: str,
    deal: str,
    source: str,
    at: int,
    kind: str,
    writer: str = "",
    writer_kind: str = "user",
    transaction: str = "",
    bulk: int = 1,
    values: dict[str, Any] | None = None,
    line_item: str | None = None,
) -> ChangeEvent:
    """An `opportunity-change.v1` event. ``at``: epoch milliseconds; ``values``: in their written forms."""
    event: ChangeEvent = {
        "schema": SCHEMA,
        "id": id,
        "opportunity_id": deal,
        "source": source,
        "occurred_at": format_instant(at),
        "kind": kind,
        "writer": {"id": writer, "kind": writer_kind},
        "transaction": transaction,
        "bulk": bulk,
        "values": values or {},
    }
    if line_item is not None:
        event["line_item_id"] = line_item
    return event


def encode(event: dict[str, Any]) -> bytes:
    """JSON bytes of an event; the same event always gives the same bytes."""
    return orjson.dumps(event)
