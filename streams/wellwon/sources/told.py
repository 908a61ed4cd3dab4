"""What a row of a history says, in the units of the core: for the wire as an event, for the core as a `Change`.

Both ends say the same: `wire.decode` of the event is the change (a test holds it).
"""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from wellwon.core.items import Change
from wellwon.core.wire import source_hash
from wellwon.sources.change import ChangeEvent, change_event
from wellwon.sources.mapping import written_form

_LABEL = "labels."


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

    def change(self, *, labelled: bool) -> Change:
        """The item of the core. ``labelled``: some field of a deal is mapped to a label."""
        return Change(
            at=self.at,
            kind=self.kind,
            source_id=source_hash(self.id),
            commit=zlib.crc32((self.transaction or self.id).encode()) or 1,
            writer=self.writer,
            writer_kind=self.writer_kind,
            bulk=1,
            values=_gathered(self.values) if labelled else self.values,
        )


def _gathered(values: dict[str, Any]) -> dict[str, Any]:
    """The values with the labels in a dict of their own, as the core has them."""
    labels = {name[len(_LABEL) :]: text or "" for name, text in values.items() if name.startswith(_LABEL)}
    if not labels:
        return values
    return {**{name: value for name, value in values.items() if not name.startswith(_LABEL)}, "labels": labels}
