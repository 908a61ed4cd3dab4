"""A late deal parked on the last day of a period.

## What it looks for
The deal is open, in Commit or in a late stage, and dated on a period's last day; and for more than 30 days no person
has changed anything on it.

## Why it matters
Customers seldom choose the 30th of September; calendars and defaults do. A date that nobody has touched for a month is
most likely a placeholder, and the forecast takes it for a promise.

## Example
```timeline
2026-07-06 10:00  created stage="Negotiation/Review" close_date=2026-09-30 by=anna   .
2026-08-05 10:01  ! last-day-parking info
2026-08-20 10:00  close_date=2026-09-18 by=anna    resolved last-day-parking cleared
```

## When it is fine
The buyer's own budget year ends that day: write the buyer's date down, which is a change, and it is silent again. What
machines write to other fields does not make a date fresh.

## What to do
Ask the customer for the day on which they mean to sign, and set it.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.rule import ACTED, CATEGORY, DATE, INFO, PROMISED, STAGE, STATUS, TIME, Finding, View, param, rule
from wellwon.core.units import DAY, format_date, format_instant
from wellwon.rules import reading
from wellwon.rules.reading import counted


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of last-day-parking."""

    days: int = param(30, ge=1, le=365, unit="days", doc="Days without a change by a person after which it is told.")


@rule(
    "last-day-parking",
    family="data",
    severity=INFO,
    reads=DATE | CATEGORY | STAGE | STATUS | ACTED | TIME,
    rests_on=0,
    premise=PROMISED,
    params=Params,
    doc=__doc__,
    mode="shadow",
)
def RULE(view: View, params: Params) -> Finding | None:
    """Dated on a last day that nobody has touched for long."""
    deal = view.deal
    date = deal.close_date
    if date is None or not reading.is_promised(view):
        return None
    period = view.calendar.period_of_day(date)
    if date != period.end_day:
        return None
    dated_at = deal.dates[-1].at if deal.dates else deal.first_at
    since = max(deal.acted_at, dated_at, deal.first_at)
    parked_at = since + params.days * DAY
    if view.at <= parked_at:
        view.wakes_at(parked_at + 1)  # longer than that, not as long as that
        return None
    if not since:
        return None
    return Finding(
        INFO,
        format_date(date),
        0,
        f"parked on the {view.calendar.kind}'s last day, untouched for {counted((view.at - since) // DAY, 'day')}",
        reading.evidence(
            view,
            at=parked_at,
            before=format_date(date),
            after=format_date(date),
            threshold=f"dated on a {view.calendar.kind}'s last day, without a change by a person for"
            f" {counted(params.days, 'day')}",
            clears="a person changes anything on the deal",
            writer=None,
            unchanged_since=format_instant(since),
        ),
    )
