"""A deal in Commit or a late stage without a fresh next step.

## What it looks for
The deal is open, in Commit or in a late stage, and its next step is empty, or has been the same for 30 days.

## Why it matters
A late deal moves by what is agreed with the buyer. Where no next step is written down, or an old one still stands, the
date in the forecast hangs in the air.

## Example
```timeline
policy: {fields: {Next_Step__c: next_step}}
2026-08-03 10:00  created stage="Needs Analysis" next_step= close_date=2026-09-25 by=anna   .
2026-08-20 10:00  stage="Negotiation/Review" by=anna              ! next-step-missing info
2026-08-21 10:00  next_step="Contract to Kim, 24 Aug" by=anna     resolved next-step-missing cleared
2026-09-20 10:00  ! next-step-missing info
```

## When it is fine
Organisations that keep their next steps elsewhere: it runs only where the policy maps a field to it. Early in a deal it
is silent.

## What to do
Write down what is agreed with the buyer next, and by when. If nothing is agreed, that is the thing to talk about.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.rule import CATEGORY, INFO, NEXT_STEP, PROMISED, STAGE, STATUS, TIME, Finding, View, param, rule
from wellwon.core.units import DAY
from wellwon.rules import reading
from wellwon.rules.reading import counted


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of next-step-missing."""

    days: int = param(30, ge=1, le=365, unit="days", doc="Days after which an unchanged next step is an old one.")


@rule(
    "next-step-missing",
    family="data",
    severity=INFO,
    reads=NEXT_STEP | CATEGORY | STAGE | STATUS | TIME,
    rests_on=NEXT_STEP,
    premise=PROMISED,
    params=Params,
    doc=__doc__,
    needs="next_step",
)
def RULE(view: View, params: Params) -> Finding | None:
    """The next step is known to be empty or old, on a deal that should have one."""
    deal = view.deal
    if not deal.next_step_at or not reading.is_promised(view):
        return None
    move = None
    if deal.next_step:
        at = deal.next_step_at + params.days * DAY
        if view.at < at:
            view.wakes_at(at)
            return None
        title = f"next step unchanged for {counted(params.days, 'day')}, in Commit or a late stage"
    else:
        move = reading.latest(deal.stages, deal.categories)
        at = deal.next_step_at if move is None else max(move.at, deal.next_step_at)
        title = "no next step, in Commit or a late stage"
    return Finding(
        INFO,
        "old" if deal.next_step else "empty",
        move.commit if move is not None and move.at == at else 0,
        title,
        reading.evidence(
            view,
            at=at,
            before=None,
            after="unchanged" if deal.next_step else "empty",
            threshold=f"empty, or unchanged for {counted(params.days, 'day')}, in Commit or a late stage",
            clears="the next step is written anew",
            writer=None,
        ),
    )
