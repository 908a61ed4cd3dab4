"""What is known of one deal: its current fields, and a typed, bounded history of those that matter.

`Deal` is the projection that rules read. It is folded from changes (`fold`), and nobody else changes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from wellwon.core.model import OPEN
from wellwon.core.moves import (
    COUNTS,
    AmountMove,
    CategoryMove,
    DateMove,
    Line,
    Move,
    OwnerMove,
    PriceMove,
    StageMove,
    Touch,
)

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


@dataclass(slots=True, init=False)
class Deal:
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
    labels: dict[str, str] = field(default_factory=dict)

    close_date: int | None = None
    buyer_date: int | None = None
    amount: int | None = None
    list_field: int | None = None
    """List amount from a mapped field; see `list_amount`."""
    discount_field: int | None = None
    lines: dict[str, Line] = field(default_factory=dict)
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
    not_right: dict[str, int] = field(default_factory=dict)
    """Rules of which somebody answered that they are not right, and when; ``""`` for all of them."""

    # Written out, because one is made for every deal: what dataclass writes is not compiled.
    def __init__(
        self,
        first_at: int = 0,
        created_at: int = 0,
        last_at: int = 0,
        status: int = OPEN,
        closed_at: int = 0,
        gap_at: int = 0,
        name: str = "",
        account: str = "",
        owner: str = "",
        currency: str = "",
        pipeline: str = "",
        deal_type: str = "",
        stage: str = "",
        category: str = "",
        labels: dict[str, str] | None = None,
        close_date: int | None = None,
        buyer_date: int | None = None,
        amount: int | None = None,
        list_field: int | None = None,
        discount_field: int | None = None,
        lines: dict[str, Line] | None = None,
        discount: int | None = None,
        method: int = 0,
        term_months: int | None = None,
        prepaid_months: int | None = None,
        next_step_at: int = 0,
        next_step: int = 0,
        top: int = -1,
        stage_at: int = 0,
        progress_at: int = 0,
        date_changed: bool = False,
        priced_at: int = 0,
        baseline: int | None = None,
        baseline_list: int | None = None,
        rose_at: int = 0,
        rose_commit: int = 0,
        won_at: int = 0,
        won_commit: int = 0,
        late: int = 0,
        snapshots: int = 0,
        dates: tuple[DateMove, ...] = (),
        prices: tuple[PriceMove, ...] = (),
        amounts: tuple[AmountMove, ...] = (),
        stages: tuple[StageMove, ...] = (),
        categories: tuple[CategoryMove, ...] = (),
        owners: tuple[OwnerMove, ...] = (),
        touches: tuple[Touch, ...] = (),
        creation_seen: bool = False,
        deleted_as: int = OPEN,
        opened_commit: int = 0,
        currency_commit: int = 0,
        unlisted: bool = False,
        acted_at: int = 0,
        created_by_person: bool = False,
        amount_told: bool = False,
        moved: int = 0,
        slipped: tuple[int, ...] = (),
        inbound_at: int = 0,
        legal_at: int = 0,
        not_right: dict[str, int] | None = None,
    ) -> None:
        self.first_at = first_at
        self.created_at = created_at
        self.last_at = last_at
        self.status = status
        self.closed_at = closed_at
        self.gap_at = gap_at
        self.name = name
        self.account = account
        self.owner = owner
        self.currency = currency
        self.pipeline = pipeline
        self.deal_type = deal_type
        self.stage = stage
        self.category = category
        self.labels = {} if labels is None else labels
        self.close_date = close_date
        self.buyer_date = buyer_date
        self.amount = amount
        self.list_field = list_field
        self.discount_field = discount_field
        self.lines = {} if lines is None else lines
        self.discount = discount
        self.method = method
        self.term_months = term_months
        self.prepaid_months = prepaid_months
        self.next_step_at = next_step_at
        self.next_step = next_step
        self.top = top
        self.stage_at = stage_at
        self.progress_at = progress_at
        self.date_changed = date_changed
        self.priced_at = priced_at
        self.baseline = baseline
        self.baseline_list = baseline_list
        self.rose_at = rose_at
        self.rose_commit = rose_commit
        self.won_at = won_at
        self.won_commit = won_commit
        self.late = late
        self.snapshots = snapshots
        self.dates = dates
        self.prices = prices
        self.amounts = amounts
        self.stages = stages
        self.categories = categories
        self.owners = owners
        self.touches = touches
        self.creation_seen = creation_seen
        self.deleted_as = deleted_as
        self.opened_commit = opened_commit
        self.currency_commit = currency_commit
        self.unlisted = unlisted
        self.acted_at = acted_at
        self.created_by_person = created_by_person
        self.amount_told = amount_told
        self.moved = moved
        self.slipped = slipped
        self.inbound_at = inbound_at
        self.legal_at = legal_at
        self.not_right = {} if not_right is None else not_right

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
