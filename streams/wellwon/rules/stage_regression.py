"""Moved back to an earlier stage.

## What it looks for
A person moved the deal from an open stage to an earlier open stage, and it has not come back to where it was.

## Why it matters
Going back is honest: it says that something was taken for done that is not. From a late stage it is news for the
forecast, because the number still has the deal where it was.

## Example
```timeline
2026-07-06 10:00  created stage="Value Proposition" close_date=2026-11-30 by=anna   .
2026-08-03 10:00  stage="Negotiation/Review" by=anna     .
2026-08-24 10:00  stage="Needs Analysis" by=anna         ! stage-regression warning
2026-09-14 10:00  stage="Proposal/Price Quote" by=anna   .
2026-09-28 10:00  stage="Negotiation/Review" by=anna     resolved stage-regression cleared
```

## When it is fine
It is fine to go back, and better than a stage that is not true. A slip of the hand that is put right within minutes, an
integration or a bulk edit does not count.

## What to do
Say what turned out to be missing, and look at date and forecast category: they were set for the stage that the deal has
left.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.model import OPEN
from wellwon.core.moves import COUNTS, StageMove
from wellwon.core.rule import INFO, IS_OPEN, STAGE, STATUS, WARNING, Finding, View, rule
from wellwon.rules import reading


@dataclass(frozen=True, slots=True)
class Params:
    """stage-regression has no thresholds."""


@rule(
    "stage-regression",
    family="stage",
    severity=INFO,
    reads=STAGE | STATUS,
    premise=IS_OPEN | STAGE,
    params=Params,
    doc=__doc__,
)
def RULE(view: View, params: Params) -> Finding | None:
    """The moves back after which the deal has not been where it was before."""
    deal = view.deal
    if len(deal.stages) < 2 or deal.status != OPEN:
        return None
    for move in deal.stages:
        if move.steps < 0 and move.why == COUNTS:
            break
    else:
        return None
    back = _not_regained(view)
    if not back:
        return None
    last, late = back[0], any(_is_late(view, move) for move in back)
    return Finding(
        WARNING if late else INFO,
        str(last.at),
        last.commit,
        f"moved back {reading.counted(-last.steps, 'stage')}{' from a late stage' if late else ''}",
        reading.evidence(
            view,
            at=last.at,
            before=last.old,
            after=last.new,
            threshold="moved to an earlier open stage, a warning from a late one",
            clears="the stage is regained, or the deal is closed",
            stage=deal.stage,
        ),
    )


def _not_regained(view: View) -> list[StageMove]:
    """The moves back by a person, latest first, whose stage the deal has not come to again since."""
    found, reached = [], -1
    for move in reversed(view.deal.stages):
        reached = max(reached, _position(view, move.new))
        if move.steps < 0 and move.why == COUNTS and _position(view, move.old) > reached:
            found.append(move)
    return found


def _position(view: View, name: str) -> int:
    stage = view.stage(name)
    return -1 if stage is None else stage.position


def _is_late(view: View, move: StageMove) -> bool:
    stage = view.stage(move.old)
    return stage is not None and stage.late
