"""Discount raised again and again, a little each time.

## What it looks for
Three or more raises of the discount within 30 days that together lead 10 points or more above the baseline, the
discount that stood a day after the deal was first priced.

## Why it matters
Each step is too small to ask for an approval; together they are a discount that nobody agreed to. The customer has
learned that asking again works.

## Example
```timeline
2026-08-03 10:00  created stage="Needs Analysis" close_date=2026-09-30 discount=10 list=100000 by=anna   .
2026-08-10 10:00  discount=14 by=anna      .
2026-08-17 10:00  discount=17 by=anna      .
2026-08-24 10:00  discount=21 by=anna      ! discount-creep warning
2026-08-31 10:00  discount=18 by=anna      resolved discount-creep cleared
```

## When it is fine
The discount is at or below the segment's norm, or each raise was traded for something or approved: then it is
information. A discount that an integration recalculates is silent.

## What to do
Agree on one price and what it depends on, and say so to the customer. Record what was given in return.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.model import OPEN
from wellwon.core.moves import PriceMove
from wellwon.core.rule import INFO, IS_OPEN, PRICE, STATUS, WARNING, Finding, View, param, rule
from wellwon.core.units import DAY, format_date, format_percent
from wellwon.rules import reading
from wellwon.rules.reading import POINT, percent


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of discount-creep."""

    raises: int = param(3, ge=2, le=10, unit="raises", doc="Raises that count as creep.")
    days: int = param(30, ge=1, le=365, unit="days", doc="Within which they were made.")
    points: int = param(10, ge=1, le=100, unit="percentage points", doc="How far above the baseline they lead.")


@rule(
    "discount-creep",
    family="price",
    severity=WARNING,
    reads=PRICE | STATUS,
    premise=PRICE | IS_OPEN,
    params=Params,
    doc=__doc__,
)
def RULE(view: View, params: Params) -> Finding | None:
    """The latest series of raises that is long, quick and high enough, while the discount stands."""
    deal = view.deal
    if len(deal.prices) < params.raises or deal.status != OPEN:
        return None
    standing = reading.points_over_baseline(view)
    if standing < params.points * POINT:
        return None
    series = _series([move for move in deal.prices if reading.raised_above_baseline(move, 1)], params)
    if not series:
        return None
    norm, last = view.norms.discount, series[-1]
    given_for = all(move.traded or move.approved for move in series)
    low = norm is not None and (deal.discount or 0) <= norm
    return Finding(
        INFO if low or given_for else WARNING,
        str(len(series)),
        last.commit,
        f"discount raised {len(series)} times, {percent(series[0].old or 0)} to {percent(last.new or 0)}",
        _evidence(view, series, params),
    )


def _series(raises: list[PriceMove], params: Params) -> list[PriceMove]:
    """The raises within the days up to one of them, the latest possible, that are enough of them and high enough."""
    for end in range(len(raises), params.raises - 1, -1):
        last = raises[end - 1]
        series = [move for move in raises[:end] if last.at - move.at <= params.days * DAY]
        if len(series) >= params.raises and sum(map(_above_baseline, series)) >= params.points * POINT:
            return series
    return []


def _above_baseline(move: PriceMove) -> int:
    """The part of a raise that lies above the baseline."""
    return (move.new or 0) - max(move.old or 0, move.baseline or 0)


def _evidence(view: View, series: list[PriceMove], params: Params) -> dict[str, object]:
    base, norm, last = series[-1].baseline or 0, view.norms.discount, series[-1]
    return reading.evidence(
        view,
        at=last.at,
        before=percent(series[0].old or 0),
        after=percent(last.new or 0),
        threshold=f"{params.raises} raises in {params.days} days, together {params.points} points over the baseline",
        clears=f"the discount is back under {format_percent(base + params.points * POINT)} %, or the deal is closed",
        raises=[
            {
                "on": format_date(view.calendar.local_day(move.at)),
                "before": percent(move.old or 0),
                "after": percent(move.new or 0),
            }
            for move in series
        ],
        baseline=percent(base),
        norm="insufficient_history" if norm is None else percent(norm),
    )
