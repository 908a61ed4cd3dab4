"""What one deal did from its first row to the end of its history: the unit that a backtest counts."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from wellwon.core.win import Win


class Flag(msgspec.Struct, gc=False):
    """One alert of a deal, from its opening to its end; opened again it is another flag."""

    rule: str
    family: str
    mode: str
    period: str
    severity: str
    """The highest that it reached."""
    opened_at: int
    """Epoch milliseconds."""
    closed_at: int
    """Epoch milliseconds; 0: open at the end."""
    ended: str
    """Why it resolved (the ``reason`` of the alert record); empty while it is open."""
    covered: bool
    """Another rule led the message when it opened."""
    close_date: int | None
    """The deal's close date when it opened, a day number."""
    amount: int | None
    """The deal's yearly amount when it opened, hundredths."""


class DateMoved(msgspec.Struct, frozen=True, gc=False):
    """A move of the close date. A run keeps all of them, where the deal's state keeps the last ones."""

    at: int
    """Epoch milliseconds."""
    old: int | None
    new: int | None
    """Day numbers."""
    why: int
    """How the core reads it: ``core.moves.COUNTS`` or one of the reasons that it is none."""
    crossed: bool
    """Moved out, over the end of the period it was dated into."""


class DealRun(msgspec.Struct, frozen=True, gc=False):
    """What the core saw of one deal, from its first row to the end of the history or ``--as-of``.

    Instants are epoch milliseconds, dates day numbers, money and percent hundredths.
    """

    deal_id: str
    owner: str
    segment: str
    deal_type: str
    pipeline: str
    currency: str
    name: str
    first_at: int
    created_at: int
    """0: unknown, so that its age counts from ``first_at``."""
    last_at: int
    ended_at: int
    """The end of the history, or ``--as-of``: the same for every deal of a run."""
    status: int
    """``core.model``: OPEN, WON, LOST or DELETED, at the end."""
    closed_at: int
    """0 while open."""
    amount: int | None
    list_amount: int | None
    discount: int | None
    """At the end."""
    close_date: int | None
    forecast: tuple[str, ...]
    """Every forecast category that it held, in order."""
    changes: int
    """Changes that were applied; repeats are not counted."""
    flags: tuple[Flag, ...]
    """By the instant of opening."""
    dates: tuple[DateMoved, ...]
    win: Win | None
    """None unless it is won at the end."""
    win_period: str
    days_to_period_end: int | None
    """Of the win, from its day to the last day of its period."""
    known: frozenset[str]
    """Fields that ever had a value, by the names of ``opportunity-change.v1``."""
    owners: frozenset[str] = frozenset()
    """Everyone who ever owned it, empty text included."""
    records: tuple[bytes, ...] = ()
    """The alert records, as they would be published, where these were asked for."""


@dataclass(frozen=True, slots=True)
class HistoryInfo:
    """What was read: the part of a report that says what its figures stand on."""

    files: tuple[str, ...]
    rows: int
    """Rows (or lines) read, those that were rejected included."""
    changes: int
    rejected: int
    first_rejected: tuple[str, ...]
    """The first of these, each with its place and what to do."""
    rejected_file: str
    """Where the rejected rows are, each with its reason; empty if there are none or nobody asked for the file."""
    first_at: int
    last_at: int
    as_of: int
    """Epoch milliseconds; 0 where nothing was read."""
    deals: int
    partial: bool
    """Stopped before the end: only some of the deals were run."""
    fields: dict[str, int]
    """Field to the number of deals in which it ever had a value."""
    currencies: dict[str, int]
    """Currency to the number of deals; the empty text stands for deals that name none."""
    notes: tuple[str, ...]
    """What the data cannot show, as the reader found it."""
