"""A forecast category that the stage does not bear out.

## What it looks for
The deal is in Commit though it has not reached the late stage, or Omitted though it has.

## Why it matters
One of the two is wrong. A Commit on an early deal is a hope in the number; a late deal that is left out of the forecast
is a surprise kept for later.

## Example
```timeline
2026-08-03 10:00  created stage="Needs Analysis" category=Pipeline close_date=2026-09-25 by=anna   .
2026-08-20 10:00  category=Commit by=anna                ! category-stage-mismatch info
2026-09-02 10:00  stage="Negotiation/Review" by=anna     resolved category-stage-mismatch cleared
```

## When it is fine
Small repeat orders need no proposal stage: give them a pipeline of their own. Where the late stage is drawn is the
policy's ``late_stage``.

## What to do
Ask which one is true, and set the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.model import COMMIT, OMITTED, OPEN
from wellwon.core.rule import CATEGORY, INFO, IS_OPEN, STAGE, STATUS, Finding, View, rule
from wellwon.rules import reading


@dataclass(frozen=True, slots=True)
class Params:
    """category-stage-mismatch has no thresholds; the late stage is the pipeline's ``late_stage``."""


@rule(
    "category-stage-mismatch",
    family="forecast",
    severity=INFO,
    reads=CATEGORY | STAGE | STATUS,
    premise=IS_OPEN,
    params=Params,
    doc=__doc__,
    mode="shadow",
)
def RULE(view: View, params: Params) -> Finding | None:
    """Commit before the late stage, or Omitted in it."""
    deal = view.deal
    committed = deal.category == COMMIT
    if not (committed or deal.category == OMITTED) or deal.status != OPEN:
        return None
    stage = view.stage()
    if stage is None or stage.status != OPEN or stage.late == committed:
        return None
    move = reading.latest(deal.categories, deal.stages)
    return Finding(
        INFO,
        deal.category,
        0 if move is None else move.commit,
        "in Commit before the late stage" if committed else "Omitted, though in a late stage",
        reading.evidence(
            view,
            at=view.at if move is None else move.at,
            before=None,
            after=deal.category,
            threshold="Commit before the late stage, or Omitted in it",
            clears="the stage or the forecast category changes so that both say the same",
            writer=reading.writer_of(move),
            stage=deal.stage,
        ),
    )
