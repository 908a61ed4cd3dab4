"""New business that appears in the CRM when it is nearly done.

## What it looks for
Inside the window a person created a new-business deal in a late stage, or created it and it was won within a day.

## Why it matters
A deal that nobody saw coming was kept out of the pipeline, or was put together in a hurry. Either way its stages say
nothing, and the conversion rates that are made of them are wrong.

## Example
```timeline
2026-09-24 10:00  created stage="Negotiation/Review" close_date=2026-09-30 by=anna   ! late-stage-creation info
2026-09-30 10:00  stage="Closed Lost" by=anna                                        resolved late-stage-creation closed
```

## When it is fine
Renewals, co-terms, expansions and partners' deals come late by nature: it runs for new business. What an integration (a
shop, a lead conversion) or an import created is silent.

## What to do
Nothing about this one. If it happens often, ask what keeps deals out of the CRM until they are nearly done.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.deal import Deal
from wellwon.core.model import OPEN, WON
from wellwon.core.moves import FIRST
from wellwon.core.rule import INFO, STAGE, STATUS, TIME, Finding, View, param, rule
from wellwon.core.units import DAY, HOUR
from wellwon.rules import reading
from wellwon.rules.reading import counted


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of late-stage-creation; how long the window is, is the policy's ``window_days``."""

    days: int = param(30, ge=1, le=365, unit="days", doc="How long after the creation it is told.")
    won_hours: int = param(24, ge=1, le=240, unit="hours", doc="Won this soon after the creation counts, too.")


@rule(
    "late-stage-creation",
    family="data",
    severity=INFO,
    reads=STAGE | STATUS | TIME,
    params=Params,
    doc=__doc__,
    mode="shadow",
    deal_types=frozenset({"new"}),
)
def RULE(view: View, params: Params) -> Finding | None:
    """Created by a person in the last days of a period, and nearly done at once."""
    deal = view.deal
    ends_at = deal.created_at + params.days * DAY
    if view.at >= ends_at or not deal.created_by_person:
        return None
    if deal.status == WON and deal.won_at - deal.created_at <= params.won_hours * HOUR:
        how = "created and won at once"
    elif deal.status == OPEN and _began_late(view, deal):
        how = "created in a late stage"
    else:
        return None
    if view.window_of(deal.created_at) is None:
        return None
    view.wakes_at(ends_at)
    return Finding(
        INFO,
        how,
        deal.won_commit if deal.status == WON else deal.stages[0].commit,
        f"{how}, {reading.before_period_end(view, deal.created_at)}",
        reading.evidence(
            view,
            at=deal.created_at,
            before=None,
            after=deal.stages[0].new if deal.stages else deal.stage,
            threshold=f"created inside the window in a late stage, or won within {counted(params.won_hours, 'hour')}",
            clears=f"{counted(params.days, 'day')} pass after the creation, or the deal is closed",
        ),
    )


def _began_late(view: View, deal: Deal) -> bool:
    """The stage that the deal was created with is a late one; one that was told days later is not that."""
    first = deal.stages[0] if deal.stages else None
    if first is None or first.why != FIRST or first.old or first.at - deal.created_at > DAY:
        return False
    stage = view.stage(first.new)
    return stage is not None and stage.late
