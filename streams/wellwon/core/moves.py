"""What happened to a deal: one kind of move for each field with a history, and why it counts as behaviour or not.

These are msgspec's structs, as they are stored: they live apart from the code that folds them, because that code may be
compiled (mypyc) and these classes may not. Positional on disk: append only, with defaults.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

# --- why a move counts as behaviour, or does not --------------------------------------------------------------

COUNTS: Final = 0
NOT_A_PERSON: Final = 1
BULK: Final = 2
CORRECTION: Final = 3
CLOSE_WRITE: Final = 4
DEFAULT_DATE: Final = 5
BUYERS_DATE: Final = 6
NOT_OPEN: Final = 7
BUYER_PROCESS: Final = 8
FIRST: Final = 9
LATE: Final = 10
RESTART: Final = 11
READ_AGAIN: Final = 12

WHY: Final = {
    COUNTS: "counts",
    NOT_A_PERSON: "not written by a person",
    BULK: "part of a bulk edit",
    CORRECTION: "corrected by the same person soon after",
    CLOSE_WRITE: "written with the close",
    DEFAULT_DATE: "the first change of the date the deal was created with",
    BUYERS_DATE: "the buyer gave this date",
    NOT_OPEN: "the deal was not open",
    BUYER_PROCESS: "moved within the period while the buyer's process runs",
    FIRST: "the first value",
    LATE: "arrived too late to be judged",
    RESTART: "not comparable with the value before",
    READ_AGAIN: "read from a snapshot, not seen as it happened",
}

# --- histories ------------------------------------------------------------------------------------------------


class DateMove(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The close date went from ``old`` to ``new`` (day numbers); ``crossed``: out of the period it was in."""

    at: int
    commit: int
    old: int | None
    new: int | None
    why: int
    crossed: bool = False
    own: bool = False
    """Written by the one who owned the deal."""

    @property
    def days(self) -> int:
        """Days moved, positive for later; 0 where a side is empty."""
        return 0 if self.old is None or self.new is None else self.new - self.old


class PriceMove(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The discount went from ``old`` to ``new`` (hundredths of a point)."""

    at: int
    commit: int
    old: int | None
    new: int | None
    why: int
    date: int | None
    """The close date after this save."""
    baseline: int | None
    """The baseline as it stood at this save, None while it was not settled."""
    amount: int | None
    """Annual amount before the save, hundredths."""
    traded: bool = False
    approved: bool = False

    @property
    def points(self) -> int:
        """Rise in hundredths of a point; 0 where a side is unknown."""
        return 0 if self.old is None or self.new is None else self.new - self.old


SCOPE_UNKNOWN: Final = 0
SCOPE_SAME: Final = 1
SCOPE_CHANGED: Final = 2


class AmountMove(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The annual amount went from ``old`` to ``new`` (hundredths of the deal's currency)."""

    at: int
    commit: int
    old: int | None
    new: int | None
    why: int
    date: int | None
    scope: int
    traded: bool = False
    approved: bool = False

    @property
    def cut_bp(self) -> int:
        """How much lower, in hundredths of a percent of the old amount; 0 if it did not fall."""
        if not self.old or self.old < 0 or self.new is None or self.new >= self.old:
            return 0
        return (self.old - self.new) * 10_000 // self.old


class StageMove(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The deal went from stage ``old`` to ``new``; ``progress``: later than any stage it held before."""

    at: int
    commit: int
    old: str
    new: str
    why: int
    progress: bool
    steps: int = 0
    """Places moved among the open stages, negative for back; 0 to or from a closed stage."""


class CategoryMove(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The forecast category went from ``old`` to ``new`` (`model.CATEGORIES`)."""

    at: int
    commit: int
    old: str
    new: str
    why: int
    date: int | None


class OwnerMove(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The deal went from owner ``old`` to ``new``."""

    at: int
    commit: int
    old: str
    new: str
    why: int


class Touch(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """A call, mail or meeting."""

    at: int
    inbound: bool


class Line(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """A line item: thousandths of units, and prices of a unit in hundredths."""

    quantity: int
    unit_price: int | None
    list_price: int | None


class Move(Protocol):
    """What every move of a history has."""

    @property
    def at(self) -> int: ...
    @property
    def commit(self) -> int: ...
    @property
    def why(self) -> int: ...
