"""What is written down of a deal: its saves, and the lines of its quote."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Save:
    """One record of the change topic: what was written, by whom, when, and when it is delivered."""

    at: int
    kind: str
    values: dict[str, Any]
    writer: str
    writer_kind: str = "user"
    bulk: int = 1
    transaction: int = 0
    """Number of the save within the deal: records of one save share it."""
    line_item_id: str = ""
    direction: str = ""
    """For activity: outbound or inbound."""
    answer: str = ""
    """For answer: what somebody said to an alert."""
    changes: tuple[int, ...] = ()
    """For reclassified: numbers of the records that were part of a bulk edit."""
    deliveries: tuple[int, ...] = (0,)
    """Milliseconds between the commit and each delivery."""


@dataclass(slots=True)
class Line:
    """A line item's fixed part; list price in hundredths."""

    id: str
    quantity: int
    list_price: int
