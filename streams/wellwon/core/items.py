"""What a partition's log holds, decoded: everything that may happen to a deal, and time itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

USER: Final = "user"
SYSTEM: Final = "system"
WRITER_KINDS: Final = (USER, "admin", "integration", SYSTEM, "partner", "self")
"""Only ``user`` is a person; what the others write is recorded and never counts as behaviour."""

CREATED: Final = "created"
CHANGED: Final = "changed"
DELETED: Final = "deleted"
RESTORED: Final = "restored"
SNAPSHOT: Final = "snapshot"
LINE_ITEM: Final = "line_item"
GAP: Final = "gap"
RECLASSIFIED: Final = "reclassified"
ANSWER: Final = "answer"
ACTIVITY: Final = "activity"
CLOCK: Final = "clock"
POLICY: Final = "policy"

CHANGE_KINDS: Final = (CREATED, CHANGED, DELETED, RESTORED, SNAPSHOT, LINE_ITEM, GAP, ANSWER, ACTIVITY)

ANSWERS: Final = ("buyer_date", "traded", "approved", "legal", "not_right")
"""What people may say to an alert; ``buyer_date`` and ``traded`` change what the deal's moves mean."""


RECLASSIFIED_BULK: Final = 1_000_000
"""``bulk`` of a change that turned out to be part of a bulk edit of unknown size."""


@dataclass(slots=True, init=False)
class Change:
    """One save of one deal or of one of its line items, an answer to an alert, or a touch.

    ``values`` holds only what was written, parsed to the units of the core; ``None`` means set to empty.
    A deal keeps its latest changes in this form (see ``hindsight``), so the fields are positional: append only.
    """

    at: int
    """When the source committed it, epoch milliseconds."""
    kind: str
    source_id: bytes
    """The first 8 bytes of the BLAKE2 hash of the source's id: a repeat has the same."""
    commit: int
    """Short hash of the source's transaction: changes of one save share it."""
    writer: str
    """Id of who wrote, empty if unknown."""
    writer_kind: str
    bulk: int
    """How many deals the save touched; above the policy's ``bulk_records`` it is a bulk edit, never behaviour."""
    values: dict[str, Any]
    line_item_id: str
    corrected: tuple[str, ...]
    """Fields whose move by this change does not count because it is one half of a correction."""
    undoes: tuple[str, ...]
    """The corrected fields of which this change is the second half."""
    late: bool
    """It came too late to be judged: what it wrote is taken over, but is no behaviour."""

    # Written out, because one is made for every record: what dataclass writes is not compiled.
    def __init__(
        self,
        at: int,
        kind: str,
        source_id: bytes,
        commit: int,
        writer: str,
        writer_kind: str,
        bulk: int,
        values: dict[str, Any],
        line_item_id: str = "",
        corrected: tuple[str, ...] = (),
        undoes: tuple[str, ...] = (),
        late: bool = False,
    ) -> None:
        self.at = at
        self.kind = kind
        self.source_id = source_id
        self.commit = commit
        self.writer = writer
        self.writer_kind = writer_kind
        self.bulk = bulk
        self.values = values
        self.line_item_id = line_item_id
        self.corrected = corrected
        self.undoes = undoes
        self.late = late

    def row(self) -> tuple[Any, ...]:
        """Its fields in order: how it is stored."""
        return (
            self.at,
            self.kind,
            self.source_id,
            self.commit,
            self.writer,
            self.writer_kind,
            self.bulk,
            self.values,
            self.line_item_id,
            self.corrected,
            self.undoes,
            self.late,
        )


@dataclass(slots=True)
class Reclassified:
    """Earlier changes of a deal turned out to be part of a bulk edit."""

    at: int
    source_ids: tuple[bytes, ...]


@dataclass(slots=True)
class Clock:
    """Time passed."""

    at: int


@dataclass(slots=True)
class PolicyRecord:
    """From here on this policy holds in this partition."""

    at: int
    policy: str
    """The policy file's text."""


DealItem = Change | Reclassified
Item = DealItem | Clock | PolicyRecord
