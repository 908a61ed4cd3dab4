"""A closed deal that is open again.

## What it looks for
The deal was lost or won, and then somebody moved it back to an open stage.

## Why it matters
A win that is reopened was counted and perhaps paid for. A lost deal that comes back in the last weeks of a period is
often there to fill a pipeline that is too thin; where the customer really came back, it is news that the team should
hear.

## Example
```timeline
2026-07-06 10:00  created stage="Proposal/Price Quote" close_date=2026-09-15 by=anna   .
2026-09-01 10:00  stage="Closed Lost" by=anna              .
2026-09-10 10:00  stage="Needs Analysis" by=anna           ! reopened-deal warning
2026-09-28 10:00  stage="Closed Lost" by=anna              resolved reopened-deal closed
```

## When it is fine
Closed by a slip of the hand and put right within minutes; reopened by an integration or in a bulk edit.

## What to do
Say why it is open again: who called whom, and what changed since. A new project deserves a new opportunity.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.model import LOST, OPEN, WON
from wellwon.core.moves import COUNTS, StageMove
from wellwon.core.rule import IS_OPEN, STAGE, STATUS, WARNING, Finding, View, rule
from wellwon.core.units import format_instant
from wellwon.rules import reading

WORDS = {WON: "won", LOST: "lost"}


@dataclass(frozen=True, slots=True)
class Params:
    """reopened-deal has no thresholds."""


@rule(
    "reopened-deal",
    family="stage",
    severity=WARNING,
    reads=STAGE | STATUS,
    premise=STAGE | IS_OPEN,
    params=Params,
    doc=__doc__,
)
def RULE(view: View, params: Params) -> Finding | None:
    """Open now, and its last move out of a closed stage was a person's."""
    deal = view.deal
    if len(deal.stages) < 2 or deal.status != OPEN:
        return None
    for i in range(len(deal.stages) - 1, 0, -1):
        move = deal.stages[i]
        was = _closed_as(view, move)
        if was is not None:
            return _finding(view, move, was) if move.why == COUNTS else None
    return None


def _closed_as(view: View, move: StageMove) -> int | None:
    """WON or LOST if the move led out of such a stage."""
    if move.steps or not move.old:
        return None  # places moved: from an open stage to an open stage
    stage = view.stage(move.old)
    return stage.status if stage is not None and stage.status in WORDS else None


def _finding(view: View, move: StageMove, was: int) -> Finding:
    closed = next((one.at for one in reversed(view.deal.stages) if one.at <= move.at and one.new == move.old), None)
    days = None if closed is None else view.calendar.local_day(move.at) - view.calendar.local_day(closed)
    ago = "" if days is None else f", {reading.counted(days, 'day')} after the close"
    return Finding(
        WARNING,
        f"{WORDS[was]}:{move.at}",
        move.commit,
        f"open again after it was {WORDS[was]}{ago}",
        reading.evidence(
            view,
            at=move.at,
            before=move.old,
            after=move.new,
            threshold="closed, then open again",
            clears="the deal is closed again",
            closed_as=WORDS[was],
            closed_when=None if closed is None else format_instant(closed),
        ),
    )
