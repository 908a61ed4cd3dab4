"""A deal that changes hands shortly before its close date.

## What it looks for
Within 14 days before the close date a person gave an open deal to another owner.

## Why it matters
What the customer was promised is known to the one who promised it. A change of hands in the last days costs time, and
now and then a promise gets lost.

## Example
```timeline
2026-08-03 10:00  created stage="Proposal/Price Quote" owner=anna close_date=2026-09-25 by=anna   .
2026-09-16 10:00  owner=ben by=carla   ! late-owner-change info
2026-09-30 10:00  resolved late-owner-change expired
```

## When it is fine
Territories are redrawn in bulk edits, by administrators or by integrations: those are silent. An owner set back to the
one before is no change.

## What to do
Hand over in a call with the customer, with the open promises written down.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.deal import Deal, standing
from wellwon.core.model import OPEN
from wellwon.core.moves import COUNTS, OwnerMove
from wellwon.core.rule import DATE, INFO, IS_OPEN, OWNER, STATUS, TIME, Finding, View, param, rule
from wellwon.core.units import DAY
from wellwon.rules import reading
from wellwon.rules.reading import counted


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of late-owner-change."""

    close_days: int = param(14, ge=0, le=180, unit="days", doc="Days before the close date in which it counts.")
    days: int = param(14, ge=1, le=180, unit="days", doc="How long after the change it is told.")


@rule(
    "late-owner-change",
    family="team",
    severity=INFO,
    reads=OWNER | DATE | STATUS | TIME,
    premise=OWNER | IS_OPEN,
    params=Params,
    doc=__doc__,
    mode="shadow",
)
def RULE(view: View, params: Params) -> Finding | None:
    """The last change of hands by a person, if it was late and not long ago."""
    deal = view.deal
    span = params.days * DAY
    if len(deal.owners) < 2 or view.at >= deal.owners[-1].at + span or deal.status != OPEN:
        return None
    for move in reversed(deal.owners):
        if view.at >= move.at + span:
            return None
        if move.why != COUNTS or _is_there_and_back(deal, move, span):
            continue
        date = standing(deal.dates, move.at + 1, deal.close_date)
        left = None if date is None else date - view.calendar.local_day(move.at)
        if left is None or not 0 <= left <= params.close_days:
            continue
        view.wakes_at(move.at + span)
        return Finding(
            INFO,
            str(move.at),
            move.commit,
            f"owner changed {counted(left, 'day')} before the close date",
            reading.evidence(
                view,
                at=move.at,
                before=move.old,
                after=move.new,
                threshold=f"within {counted(params.close_days, 'day')} before the close date",
                clears=f"{counted(params.days, 'day')} pass after the change, or the deal is closed",
                close_date=reading.written_date(date),
            ),
        )
    return None


def _is_there_and_back(deal: Deal, move: OwnerMove, span: int) -> bool:
    """It took the deal from an owner who got it back soon, or gave it back to one who had it not long before."""
    return any(
        abs(other.at - move.at) < span and (other.new == move.old if other.at >= move.at else other.old == move.new)
        for other in deal.owners
        if other is not move
    )
