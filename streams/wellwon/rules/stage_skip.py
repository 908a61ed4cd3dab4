"""Moved forward over stages that it was never in.

## What it looks for
One save moved the deal forward by two or more places among the open stages.

## Why it matters
Each stage stands for something that the customer has done. A jump may be a CRM that is brought up to date; in the last
days of a period it is often a forecast that is made to look ready.

## Example
```timeline
2026-08-03 10:00  created stage=Prospecting close_date=2026-11-30 by=anna   .
2026-08-24 10:00  stage="Value Proposition" by=anna      ! stage-skip info
2026-09-14 10:00  stage="Id. Decision Makers" by=anna    resolved stage-skip cleared
2026-09-28 10:00  stage="Proposal/Price Quote" by=anna   ! stage-skip warning
```

## When it is fine
Where the process lets small deals leave stages out, give those a pipeline of their own, or switch the rule off for
their segment. Integrations, bulk edits and slips that are put right do not count.

## What to do
Ask which of the stages between were really passed, and write down who on the customer's side confirmed it.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.model import OPEN, SHADOW
from wellwon.core.moves import CORRECTION, COUNTS, StageMove
from wellwon.core.rule import INFO, IS_OPEN, STAGE, STATUS, WARNING, Finding, View, param, rule
from wellwon.rules import reading
from wellwon.rules.reading import before_period_end, counted


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of stage-skip."""

    steps: int = param(2, ge=2, le=20, unit="stages", doc="Places moved forward at once that are a skip.")


@rule(
    "stage-skip",
    family="stage",
    severity=INFO,
    reads=STAGE | STATUS,
    premise=IS_OPEN | STAGE,
    params=Params,
    doc=__doc__,
    mode=SHADOW,
)
def RULE(view: View, params: Params) -> Finding | None:
    """The last move of the stage, if it was a jump; a slip and its correction are no moves."""
    deal = view.deal
    if len(deal.stages) < 2 or deal.status != OPEN:
        return None
    for move in reversed(deal.stages):
        if move.why != CORRECTION:
            return _finding(view, move, params) if move.steps >= params.steps and move.why == COUNTS else None
    return None


def _finding(view: View, move: StageMove, params: Params) -> Finding:
    in_window = view.window_of(move.at) is not None
    when = f", {before_period_end(view, move.at)}" if in_window else ""
    return Finding(
        WARNING if in_window else INFO,
        str(move.at),
        move.commit,
        f"{counted(move.steps, 'stage')} forward at once{when}",
        reading.evidence(
            view,
            at=move.at,
            before=move.old,
            after=move.new,
            threshold=f"{params.steps} places forward at once, a warning inside the window",
            clears="the stage makes an ordinary move again, or the deal is closed",
            steps=move.steps,
        ),
    )
