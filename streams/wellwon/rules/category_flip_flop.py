"""A deal whose forecast category goes up and down.

## What it looks for
Within 30 days people moved the forecast category at least four times, and at least three of these moves went back on
the one before.

## Why it matters
A deal that is in the forecast on Monday, out on Wednesday and in again on Friday says nothing about the customer. The
total swings with it, and whoever has to answer for the total learns to ignore it.

## Example
```timeline
2026-08-03 10:00  created stage="Proposal/Price Quote" category="Best Case" close_date=2026-09-25 by=anna   .
2026-08-10 10:00  category=Commit by=anna        .
2026-08-14 10:00  category="Best Case" by=anna   .
2026-08-20 10:00  category=Commit by=anna        .
2026-08-26 10:00  category=Pipeline by=anna      ! category-flip-flop warning
2026-09-25 10:00  resolved category-flip-flop expired
```

## When it is fine
Moves that a stage change makes by itself still count as its author's. What an integration, a bulk edit or a correction
wrote does not.

## What to do
Agree on what Commit takes: which of the customer's steps must be done. Then leave the category until that changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from wellwon.core.model import BEST_CASE, COMMIT, OMITTED, OPEN, PIPELINE
from wellwon.core.moves import COUNTS, CategoryMove
from wellwon.core.rule import CATEGORY, IS_OPEN, STATUS, TIME, WARNING, Finding, View, param, rule
from wellwon.core.units import DAY, format_instant
from wellwon.rules import reading
from wellwon.rules.reading import counted

UP: Final = {OMITTED: 0, PIPELINE: 1, BEST_CASE: 2, COMMIT: 3}
"""How much each category promises; of others nobody can say."""


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of category-flip-flop."""

    reversals: int = param(3, ge=1, le=10, unit="reversals", doc="Moves that went back on the move before.")
    days: int = param(30, ge=1, le=365, unit="days", doc="Within which they were made, and how long it is told.")


@rule(
    "category-flip-flop",
    family="forecast",
    severity=WARNING,
    reads=CATEGORY | STATUS | TIME,
    premise=CATEGORY | IS_OPEN,
    params=Params,
    doc=__doc__,
    mode="shadow",
)
def RULE(view: View, params: Params) -> Finding | None:
    """Enough reversals in a stretch that has not gone quiet since."""
    deal = view.deal
    if len(deal.categories) <= params.reversals or deal.status != OPEN:
        return None
    moves = [
        move for move in deal.categories if move.why == COUNTS and move.old in UP and move.new in UP
    ]  # fmt: skip
    span = params.days * DAY
    if len(moves) <= params.reversals or view.at >= moves[-1].at + span:
        return None
    restless = _since_quiet(moves, span)
    back = [i for i in range(1, len(restless)) if _rises(restless[i]) != _rises(restless[i - 1])]
    last = params.reversals - 1
    if not any(
        restless[back[i + last]].at - restless[back[i] - 1].at <= span for i in range(len(back) - last)
    ):  # fmt: skip
        return None
    move = restless[-1]
    view.wakes_at(move.at + span)
    return Finding(
        WARNING,
        str(len(back)),
        move.commit,
        f"forecast category went back and forth {counted(len(back), 'time')}",
        reading.evidence(
            view,
            at=move.at,
            before=move.old,
            after=move.new,
            threshold=f"{counted(params.reversals, 'reversal')} within {counted(params.days, 'day')}",
            clears=f"the category stays as it is for {counted(params.days, 'day')}, or the deal is closed",
            moves=[{"when": format_instant(one.at), "before": one.old, "after": one.new} for one in restless],
        ),
    )


def _since_quiet(moves: Sequence[CategoryMove], span: int) -> Sequence[CategoryMove]:
    """The moves since the last time that there was none for so long."""
    first = len(moves) - 1
    while first and moves[first].at - moves[first - 1].at < span:
        first -= 1
    return moves[first:]


def _rises(move: CategoryMove) -> bool:
    return UP[move.new] > UP[move.old]
