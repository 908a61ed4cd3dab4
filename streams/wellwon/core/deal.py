"""What is known of one deal: its current fields, and a typed, bounded history of those that matter.

`Deal` is the projection that rules read. It is folded from changes (`fold`), and nobody else changes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol, TypeVar

import msgspec

from wellwon.core.model import OPEN

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


M = TypeVar("M", bound=Move)
V = TypeVar("V")

# Bounds per class, so that a field that an integration rewrites hourly cannot push out what people did.
MOVES_KEPT: Final = 12
STAGES_KEPT: Final = 16
OWNERS_KEPT: Final = 4
TOUCHES_KEPT: Final = 24
LABELS_KEPT: Final = 32
LINES_KEPT: Final = 200

MONEY_MAX: Final = 10**15
"""Ten trillion: sums beyond it are rubbish, and would not fit the stored form."""

BY_LINES: Final = 1
BY_FIELD: Final = 2
BY_AMOUNT: Final = 3


class Deal(msgspec.Struct, array_like=True, gc=False):
    """One opportunity, folded. Positional on disk: append only, with defaults."""

    first_at: int = 0
    """When the first change was seen."""
    created_at: int = 0
    """When the deal was created, as the CRM says; 0 if that is not known."""
    last_at: int = 0
    status: int = OPEN
    closed_at: int = 0
    gap_at: int = 0
    """A change without its fields was announced at this instant and not re-read yet; 0 if none."""

    name: str = ""
    account: str = ""
    owner: str = ""
    currency: str = ""
    pipeline: str = ""
    deal_type: str = ""
    stage: str = ""
    category: str = ""
    labels: dict[str, str] = {}

    close_date: int | None = None
    buyer_date: int | None = None
    amount: int | None = None
    list_field: int | None = None
    """List amount from a mapped field; see `list_amount`."""
    discount_field: int | None = None
    lines: dict[str, Line] = {}
    discount: int | None = None
    method: int = 0
    """How the discount is known: `BY_LINES`, `BY_FIELD`, `BY_AMOUNT`; 0 unknown."""
    term_months: int | None = None
    prepaid_months: int | None = None
    next_step_at: int = 0
    """When the next step got other words than before; 0 while nothing was ever said of it."""
    next_step: int = 0
    """CRC of the next step's text, 0 when empty: its age matters, its words stay in the CRM."""

    top: int = -1
    """Highest position among the open stages ever held."""
    stage_at: int = 0
    progress_at: int = 0
    date_changed: bool = False
    """The date that the deal was created with has had its first change."""
    priced_at: int = 0
    baseline: int | None = None
    baseline_list: int | None = None
    rose_at: int = 0
    """Last time that term, prepayment or quantity rose (something given in return)."""
    rose_commit: int = 0
    won_at: int = 0
    won_commit: int = 0
    late: int = 0
    """Changes that came too late to be judged."""
    snapshots: int = 0

    dates: tuple[DateMove, ...] = ()
    prices: tuple[PriceMove, ...] = ()
    amounts: tuple[AmountMove, ...] = ()
    stages: tuple[StageMove, ...] = ()
    categories: tuple[CategoryMove, ...] = ()
    owners: tuple[OwnerMove, ...] = ()
    touches: tuple[Touch, ...] = ()

    creation_seen: bool = False
    """Everything since the creation is known: a snapshot may say when that was, but not what was before."""
    deleted_as: int = OPEN
    """The status that a deletion ended, for the restoration."""
    opened_commit: int = 0
    """The save that opened it again: what else it wrote was not written on an open deal."""
    currency_commit: int = 0
    """The save that changed the currency."""
    unlisted: bool = False
    """More line items than are kept: the discount is known by other fields, or not at all."""
    acted_at: int = 0
    """Last time that a person saved something, or answered; bulk edits and machines apart."""
    created_by_person: bool = False
    """The creation was seen, and was a person's own: no import, no integration, no bulk edit."""
    amount_told: bool = False
    """The amount was written at least once, be it empty: without that an empty one is just not known."""
    moved: int = 0
    """The parts (masks of `rule`) in which a move ever counted, even if it was taken back since."""
    slipped: tuple[int, ...] = ()
    """The dates that pushes took the deal from, out of their periods, of moves that are no longer kept."""
    inbound_at: int = 0
    """The last inbound touch, which many outbound ones since may have put out of ``touches``."""
    legal_at: int = 0
    """When somebody answered that the buyer's legal process is what moves the deal; see `is_legal`."""
    not_right: dict[str, int] = {}
    """Rules of which somebody answered that they are not right, and when; ``""`` for all of them."""

    @property
    def annual_amount(self) -> int | None:
        """Amount per year where a term is mapped, else the amount."""
        return annual(self.amount, self.term_months)

    @property
    def is_legal(self) -> bool:
        """The buyer's legal process is what moves it, as somebody answered since it came to its stage."""
        return 0 < self.legal_at >= self.stage_at

    @property
    def list_amount(self) -> int | None:
        """What the deal would cost without a discount: from line items where these say so, else the mapped field."""
        return (lines_list_amount(self.lines) if self.lines else None) or self.list_field


encode_deal: Final = msgspec.msgpack.Encoder().encode
decode_deal: Final = msgspec.msgpack.Decoder(Deal).decode
"""A deal as it is stored, and back."""


def annual(amount: int | None, term_months: int | None) -> int | None:
    """An amount per year; terms of up to a year are taken as they are."""
    if amount is None or not term_months or term_months <= 12:
        return amount
    return amount * 12 // term_months


def lines_list_amount(lines: dict[str, Line]) -> int | None:
    """Sum of list price x quantity in hundredths, None where no line has a list price or the sum is absurd."""
    total = sum(line.list_price * line.quantity for line in lines.values() if line.list_price) // 1_000
    return total if 0 < total <= MONEY_MAX else None


def remember(history: tuple[M, ...], move: M, kept: int) -> tuple[M, ...]:
    """History with the move at its end; when full, the oldest that is not behaviour goes first."""
    grown = (*history, move)
    if len(history) < kept:
        return grown
    for i, old in enumerate(grown[:-1]):
        if old.why != COUNTS:
            return grown[:i] + grown[i + 1 :]
    return grown[1:]


def standing(history: Sequence[Any], at: int, current: V) -> V:
    """The value of a field as it stood just before instant ``at``, from its history and its current value."""
    value = current
    for move in reversed(history):
        if move.at < at:
            break
        value = move.old
    return value
