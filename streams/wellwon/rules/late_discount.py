"""Discount raised in the last days of the period.

## What it looks for
Inside the window, on a deal dated in this period, one save raised the discount by 5 points or more, above the
discount that stood a day after the deal was first priced (the baseline). It holds until the price is back.

## Why it matters
A price that gives way to the calendar is given away: the customer learns to wait for the end of the quarter, and the
next renewal starts from the lower price. At an enterprise software vendor, prices that followed the sellers' quarter
ends cost 6 to 8 % of revenue (Larkin, Journal of Labor Economics 32(2), 2014).

## Example
```timeline
2026-09-01 10:00  created stage="Needs Analysis" close_date=2026-09-30 discount=12 list=100000 by=anna   .
2026-09-28 16:40  discount=22 by=anna      ! late-discount warning
2026-09-29 09:00  discount=14 by=anna      resolved late-discount cleared
```

## When it is fine
Something was given in return (a longer term, prepayment, more volume), or the discount was approved: it stays as
information. At or below the segment's norm it is information, too. Bulk edits, integrations and corrections are silent.

## What to do
Ask what the customer gives for it, and record the trade; or record the approval; or take it back to the earlier price.
If every quarter ends like this, look at the offer before the window begins.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.model import LOST
from wellwon.core.moves import COUNTS, PriceMove
from wellwon.core.rule import DATE, HIGH, INFO, PRICE, SEVERITIES, STATUS, WARNING, Finding, View, param, rule
from wellwon.core.units import format_money, format_percent
from wellwon.rules import reading
from wellwon.rules.reading import POINT, percent


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of late-discount."""

    points: int = param(5, ge=1, le=100, unit="percentage points", doc="Smallest raise in one save that counts.")
    warning_points: int = param(
        10, ge=1, le=100, unit="percentage points", doc="Raise from which it is a warning where there is no norm."
    )
    high_points: int = param(15, ge=1, le=100, unit="percentage points", doc="Raise from which it is high.")
    high_discount: int = param(
        30, ge=1, le=100, unit="percent", doc="Discount from which it is high where there is no norm."
    )
    high_over_norm: int = param(
        30, ge=0, le=1000, unit="percent", doc="How far above the norm, as a share of it, a discount is high."
    )


@rule(
    "late-discount",
    family="price",
    severity=WARNING,
    reads=PRICE | DATE | STATUS,
    premise=PRICE,
    params=Params,
    doc=__doc__,
)
def RULE(view: View, params: Params) -> Finding | None:
    """The strongest raise inside a window, while it stands."""
    deal = view.deal
    least = params.points * POINT
    if not deal.prices or deal.status == LOST:
        return None
    candidates = [move for move in deal.prices if move.why == COUNTS and reading.raised_above_baseline(move, least)]
    if not candidates:
        return None
    standing = reading.points_over_baseline(view)
    if standing < least:
        return None
    raises = [move for move in candidates if reading.window_of_concession(view, move)]
    if not raises:
        return None
    graded = [(_severity(view, move, min(move.points, standing), params), move) for move in raises]
    severity, move = max(graded, key=lambda one: (SEVERITIES.index(one[0]), one[1].points, one[1].at))
    together = min(sum(one.points for one in raises), standing)
    return Finding(severity, str(together // POINT), move.commit, _title(view, move), _evidence(view, move, params))


def _severity(view: View, move: PriceMove, points: int, params: Params) -> str:
    discount = min(move.new or 0, view.deal.discount or 0)
    norm = view.norms.discount
    if move.traded or move.approved or (norm is not None and discount <= norm):
        return INFO
    if norm is None:
        high = discount >= params.high_discount * POINT
    else:
        high = discount * 100 >= norm * (100 + params.high_over_norm)
    if high or points >= params.high_points * POINT:
        return HIGH
    return INFO if norm is None and points < params.warning_points * POINT else WARNING


def _title(view: View, move: PriceMove) -> str:
    change = f"discount {percent(move.old or 0)} to {percent(move.new or 0)}"
    return f"{change}, {reading.before_period_end(view, move.at)}"


def _evidence(view: View, move: PriceMove, params: Params) -> dict[str, object]:
    base, norm, listed = move.baseline or 0, view.norms.discount, view.deal.list_amount
    back = format_percent(base + params.points * POINT)
    return reading.evidence(
        view,
        at=move.at,
        before=percent(move.old or 0),
        after=percent(move.new or 0),
        threshold=f"raised by {params.points} points or more in one save inside the window",
        clears=f"the discount is back under {back} %; record the trade or the approval and it is information only",
        points=format_percent(move.points),
        baseline=percent(base),
        norm="insufficient_history" if norm is None else percent(norm),
        off_list=None if listed is None else format_money(listed * move.points // 10_000),
        traded=move.traded,
        approved=move.approved,
    )
