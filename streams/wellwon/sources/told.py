"""What a save of a history is, and what it tells, in the units of the core.

It goes to the wire as an event, or to the core as a `Change` (`story.item_of`). Both ends say the same: `wire.decode`
of the event is the change (a test holds it).
"""

from __future__ import annotations

from typing import Any

import msgspec

from wellwon.sources.change import ChangeEvent, change_event
from wellwon.sources.mapping import written_form


class Save(msgspec.Struct, gc=False):
    """The fields of a deal after one save."""

    at: int
    user: str
    id: str
    values: dict[str, Any]
    before: dict[str, Any] | None = None
    """What the row says of the time before it."""
    begins: bool = True
    """If this is the deal's first save, it created the deal."""
    kind: str = ""
    """The writer's kind where the source says it; empty: the policy knows."""


class Told(msgspec.Struct, gc=False):
    """One change of one deal. ``values``: field to value in the core's units, None for set to empty."""

    id: str
    deal: str
    source: str
    at: int
    """Epoch milliseconds."""
    kind: str
    writer: str
    writer_kind: str
    transaction: str
    values: dict[str, Any]

    def event(self) -> ChangeEvent:
        """The `opportunity-change.v1` event."""
        return change_event(
            id=self.id,
            deal=self.deal,
            source=self.source,
            at=self.at,
            kind=self.kind,
            writer=self.writer,
            writer_kind=self.writer_kind,
            transaction=self.transaction,
            values={name: written_form(name, value) for name, value in self.values.items()},
        )
