"""Close date moved day after day in the last days, always within the period.

## What it looks for
Inside the window the close date was moved on three or more different days, and it is still in this period.

## Why it matters
A date that follows the calendar from day to day is not the customer's: it says that the deal is still wanted in this
number. Each move looks small, and none of them is news about the buyer.

## Example
```timeline
2026-07-06 10:00  created stage="Negotiation/Review" close_date=2026-09-18 by=anna   .
2026-09-21 10:00  close_date=2026-09-24 by=anna    .
2026-09-24 10:00  close_date=2026-09-28 by=anna    .
2026-09-28 10:00  close_date=2026-09-30 by=anna    ! re-dated-in-window warning
2026-10-01        resolved re-dated-in-window expired
```

## When it is fine
A date that the buyer gave, or a later date while the buyer's own process (legal, security, procurement) runs, does not
count; nor do integrations, bulk edits, corrections and the date that the CRM writes with the close. Several moves on
one day are one.

## What to do
Ask the customer for *their* day and what has to happen before it. If it lies in the next period, set it: an honest date
clears this.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.model import OPEN
from wellwon.core.moves import COUNTS, DateMove
from wellwon.core.rule import DATE, IN_WINDOW, IS_OPEN, STATUS, TIME, WARNING, Finding, View, param, rule
from wellwon.core.units import format_date
from wellwon.rules import reading
from wellwon.rules.reading import before_period_end, written_date


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of re-dated-in-window; how long the window is, is the policy's ``window_days``."""

    days: int = param(3, ge=2, le=12, unit="days", doc="Different days on which the date was moved.")


@rule(
    "re-dated-in-window",
    family="timing",
    severity=WARNING,
    reads=DATE | STATUS | TIME,
    premise=IS_OPEN | IN_WINDOW | DATE,
    params=Params,
    doc=__doc__,
)
def RULE(view: View, params: Params) -> Finding | None:
    """The moves within this period, inside its window, by the days on which they were made."""
    deal = view.deal
    if len(deal.dates) < params.days or deal.status != OPEN:
        return None
    period = view.period
    first_day = view.window_start(period)
    if view.today < first_day or not reading.dated_in(period, deal.close_date):
        return None
    began = view.midnight(first_day)
    if deal.dates[-params.days].at < began:
        return None
    moves = [
        move
        for move in deal.dates
        if move.at >= began and move.why == COUNTS and not move.crossed and reading.dated_in(period, move.new)
    ]
    days = len({view.calendar.local_day(move.at) for move in moves})
    if days < params.days:
        return None
    view.wakes_at(period.end_at)
    return Finding(
        WARNING,
        str(days),
        moves[-1].commit,
        f"close date moved on {days} days of the last {view.segment.window_days}, {before_period_end(view, view.at)}",
        _evidence(view, moves, params),
    )


def _evidence(view: View, moves: list[DateMove], params: Params) -> dict[str, object]:
    last = moves[-1]
    return reading.evidence(
        view,
        at=last.at,
        before=written_date(moves[0].old),
        after=written_date(last.new),
        threshold=f"moved on {params.days} different days inside the window, the date staying in this period",
        clears=f"the buyer gave the date, it leaves the {view.calendar.kind}, the deal is closed,"
        f" or the {view.calendar.kind} is over",
        moves=[
            {
                "on": format_date(view.calendar.local_day(move.at)),
                "before": written_date(move.old),
                "after": written_date(move.new),
            }
            for move in moves
        ],
    )
