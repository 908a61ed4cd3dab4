"""A team gives more discount in the period's last days than before them.

## What it looks for
Within one period, the mean discount of a team's wins inside the window is 5 points or more above the mean of its wins
outside. From 10 wins with a known discount on each side.

## Why it matters
Buyers learn fast: who waits until the last days gets the better price. Every one of these discounts is next year's
starting point.

## Example
```timeline
2026-07-06 10:00  created deal=a1..a20 stage=Prospecting close_date=2026-09-28 amount=900 discount=10 owner=anna by=anna
2026-08-12 10:00  deal=a1..a10 stage="Closed Won" by=anna
2026-09-23 10:00  deal=a11..a20 discount=15 by=anna
2026-09-24 10:00  deal=a11..a19 stage="Closed Won" by=anna
2026-09-24 12:00  .
2026-09-25 10:00  deal=a20 stage="Closed Won" by=anna
2026-09-25 12:00  ! discount-concentration warning
2026-10-31 00:00  resolved discount-concentration expired
```

## When it is fine
Larger customers, who get more discount anyway, close at the end: compare them by segment. Few wins say nothing.

## What to do
Compare the same segment on both sides. Agree on who may give what in the last days, and on what is asked in return.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from wellwon.core.facts import Fact
from wellwon.core.group import GroupView, PeriodView, group_rule
from wellwon.core.rule import PRICE, TEAM_SUBJECT, WARNING, Finding, param
from wellwon.core.units import DAY
from wellwon.rules.reading import POINT, counted, percent


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of discount-concentration."""

    points: int = param(5, ge=1, le=50, unit="percentage points", doc="Difference of the means that is much.")
    wins: int = param(10, ge=2, le=1000, unit="wins", doc="Fewer wins on either side say nothing.")
    days: int = param(30, ge=1, le=60, unit="days", doc="How long after the period it is still told.")


class _Win(NamedTuple):
    late: bool
    """Won inside the window."""
    discount: int


def _counts(view: PeriodView, fact: Fact) -> _Win | None:
    """Wins of the period with a known discount."""
    if fact.discount is None or not view.has_win(fact):
        return None
    return _Win(view.in_window(fact, fact.won_at), fact.discount)


@group_rule(
    "discount-concentration",
    subject=TEAM_SUBJECT,
    severity=WARNING,
    params=Params,
    doc=__doc__,
    rests_on=PRICE,
    counts=_counts,
)
def RULE(view: GroupView, params: Params) -> Finding | None:
    """The means of both sides."""
    ends_at = view.period.end_at + params.days * DAY
    if ends_at <= view.at:
        return None
    view.wakes_at(ends_at)
    inside = [win.discount for win in view.counted if win.late]
    outside = [win.discount for win in view.counted if not win.late]
    if min(len(inside), len(outside)) < params.wins:
        return None
    late, before = _mean(inside), _mean(outside)
    if late - before < params.points * POINT:
        return None
    title = f"discount {percent(before)} before the last days of {view.period.label}, {percent(late)} in them"
    evidence = {
        "before": percent(before),
        "after": percent(late),
        "wins_before": len(outside),
        "wins_after": len(inside),
        "threshold": f"{counted(params.points, 'point')} more, {params.wins} wins on each side",
        "clears": f"{counted(params.days, 'day')} pass after the period",
    }
    return Finding(WARNING, view.period.label, 0, title, evidence)


def _mean(discounts: list[int]) -> int:
    """Mean discount, hundredths of a point, halves up."""
    return (2 * sum(discounts) + len(discounts)) // (2 * len(discounts))
