"""An open deal whose close date has passed.

## What it looks for
The deal is open, and its close date lies two days or more in the past. It speaks at midnight of the organisation's time
zone.

## Why it matters
Every report by close date is wrong about this deal: it counts in a period that it cannot close in any more, or in none.

## Example
```timeline
2026-08-03 10:00  created stage="Needs Analysis" close_date=2026-09-01 by=anna   .
2026-09-02        .
2026-09-03        ! past-due-close-date info
2026-09-16        ! past-due-close-date warning
2026-09-16 09:00  close_date=2026-10-30 by=anna    resolved past-due-close-date cleared
```

## When it is fine
It is no judgement of the deal, only of the record: one day late is nothing.

## What to do
Set the date to the one that the buyer named, or close the deal.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.model import OPEN
from wellwon.core.rule import ANY_BUSINESS, DATE, INFO, IS_OPEN, STATUS, TIME, WARNING, Finding, View, param, rule
from wellwon.core.units import format_date
from wellwon.rules import reading
from wellwon.rules.reading import counted


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of past-due-close-date."""

    days: int = param(2, ge=1, le=90, unit="days", doc="Days after the close date from which it is told.")
    warning_days: int = param(14, ge=1, le=365, unit="days", doc="Days above which it is a warning.")


@rule(
    "past-due-close-date",
    family="data",
    severity=INFO,
    reads=DATE | STATUS | TIME,
    premise=IS_OPEN,
    params=Params,
    doc=__doc__,
    deal_types=ANY_BUSINESS,
)
def RULE(view: View, params: Params) -> Finding | None:
    """Open, and the date has passed."""
    deal = view.deal
    date = deal.close_date
    if date is None or deal.status != OPEN or not deal.stage:
        return None  # of a deal whose stage was never seen nobody knows that it is open
    past = view.today - date
    if past < params.days:
        view.wakes_at(view.midnight(date + params.days))
        return None
    if past <= params.warning_days:
        view.wakes_at(view.midnight(date + params.warning_days + 1))
    due_at = view.midnight(date + params.days)
    return Finding(
        INFO if past <= params.warning_days else WARNING,
        format_date(date),
        0,
        f"close date passed {counted(past, 'day')} ago",
        reading.evidence(
            view,
            at=due_at,
            before=format_date(date),
            after=format_date(date),
            threshold=f"open {counted(params.days, 'day')} after the close date",
            clears="the close date is moved to a day to come, or the deal is closed",
            writer=None,
            days_past=past,
        ),
    )
