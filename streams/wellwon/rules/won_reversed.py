"""A win that was taken back, or shrank, soon after it was counted.

## What it looks for
Within 90 days after the win the deal was reopened, marked as lost, or its amount was cut by 10 % or more.

## Why it matters
The win was on the board, and perhaps paid for. When it comes undone weeks later, either the customer had not decided,
or the number was written down too early; both are worth knowing before the next period is counted.

## Example
```timeline
2026-07-06 10:00  created stage="Negotiation/Review" close_date=2026-09-30 amount=80000 by=anna   .
2026-09-30 10:00  stage="Closed Won" by=anna             .
2026-10-12 10:00  stage="Negotiation/Review" by=anna     ! won-reversed high
2026-10-26 10:00  stage="Closed Won" by=anna             resolved won-reversed closed
```

## When it is fine
A win by a slip of the hand that is put right within minutes; what an integration or a bulk edit writes; the amount that
is completed in the save of the win. A cut that was traded or approved is told as information.

## What to do
Tell finance and the forecast's owner now. Ask what the customer had agreed to, who signed, and whether other wins of
the same days rest on the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from wellwon.core.deal import Deal
from wellwon.core.model import LOST, WON
from wellwon.core.moves import COUNTS, NOT_OPEN, AmountMove, StageMove
from wellwon.core.rule import AMOUNT, HIGH, INFO, STAGE, STATUS, Finding, View, param, rule
from wellwon.core.units import DAY, format_instant, format_money
from wellwon.rules import reading
from wellwon.rules.reading import POINT, counted, percent


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of won-reversed."""

    days: int = param(90, ge=1, le=90, unit="days", doc="How long after the win a reversal counts.")
    cut: int = param(10, ge=1, le=100, unit="percent", doc="Cut of the amount after the win that is a reversal.")


REOPENED = "reopened"
SLIPPED_LOST = "lost"
CUT = "cut"


class Reversal(NamedTuple):
    """How a win came undone, and by which move."""

    how: str
    move: StageMove | AmountMove
    before: str
    after: str
    severity: str = HIGH


@rule(
    "won-reversed",
    family="stage",
    severity=HIGH,
    reads=STAGE | STATUS | AMOUNT,
    rests_on=0,
    params=Params,
    doc=__doc__,
)
def RULE(view: View, params: Params) -> Finding | None:
    """What happened to a win that was seen."""
    deal = view.deal
    if not deal.won_commit:
        return None
    until = deal.won_at + params.days * DAY
    reversal = _cut(deal, until, params) if deal.status == WON else _taken_back(view, until)
    if reversal is None:
        return None
    move = reversal.move
    days = view.calendar.local_day(move.at) - view.calendar.local_day(deal.won_at)
    return Finding(
        reversal.severity,
        f"{reversal.how}:{move.at}",
        move.commit,
        f"{_what(deal, reversal)} {counted(days, 'day')} after the win",
        reading.evidence(
            view,
            at=move.at,
            before=reversal.before,
            after=reversal.after,
            threshold=(
                f"reopened, lost, or cut by {percent(params.cut * POINT)} within {counted(params.days, 'day')}"
                " after the win"
            ),
            clears="the deal is won again" if reversal.how != CUT else "the amount of the win is restored",
            how=reversal.how,
            won=format_instant(deal.won_at),
            days_after=days,
        ),
    )


def _taken_back(view: View, until: int) -> Reversal | None:
    """The move by which a person reopened the win, or marked it as lost."""
    deal = view.deal
    reopened, stood = None, True
    for move in deal.stages:
        if move.at < deal.won_at or move.commit == deal.won_commit:
            continue
        stage = view.stage(move.new)
        if stood and stage is not None and stage.status == WON:
            continue  # from one won stage to another
        led_out, stood = stood, False
        if move.at > until or move.why != COUNTS:
            continue
        if stage is not None and stage.status == LOST:
            return Reversal(SLIPPED_LOST, move, move.old, move.new)
        if led_out:
            reopened = Reversal(REOPENED, move, move.old, move.new)
    return reopened


def _cut(deal: Deal, until: int, params: Params) -> Reversal | None:
    """What people took off the amount of a win since, if it is still off."""
    moves = [
        move
        for move in deal.amounts
        if deal.won_at <= move.at <= until and move.commit != deal.won_commit and move.why == NOT_OPEN
    ]
    cuts = [move for move in moves if move.cut_bp > 0]
    if not cuts:
        return None
    before, now = cuts[0].old or 0, deal.annual_amount or 0
    taken = sum((move.old or 0) - (move.new or 0) for move in moves)
    least = before * params.cut
    if taken * 100 < least or (before - now) * 100 < least:
        return None
    explained = all(move.traded or move.approved for move in cuts)
    return Reversal(CUT, cuts[-1], format_money(before), format_money(now), INFO if explained else HIGH)


def _what(deal: Deal, reversal: Reversal) -> str:
    if reversal.how == CUT and isinstance(reversal.move, AmountMove):
        return "amount cut"
    return reversal.how
