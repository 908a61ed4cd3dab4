"""Dated to close in days, in a stage from which a win takes longer.

## What it looks for
Before the late stage, a close date in this period with fewer days left to it than the fastest tenth of the segment's
wins took when they had left that stage (the norm's 10th percentile); without a norm, fewer than 14 days.

## Why it matters
The forecast adds up dates. A date that not even the quickest deals would have kept is a gap that shows only when the
period is over.

## Example
```timeline
2026-08-03 10:00  created stage="Needs Analysis" close_date=2026-09-28 by=anna   .
2026-09-15        ! too-early-to-close info
2026-09-16 10:00  category=Commit by=anna          ! too-early-to-close warning
2026-09-18 10:00  close_date=2026-10-30 by=anna    resolved too-early-to-close cleared
```

## When it is fine
The buyer gave this date: then it is the stage that is behind, not the date too early. A deal that is really further
than its stage says is cleared by moving the stage.

## What to do
List what the customer still has to do before they can sign, and the days that takes. Then set the date that comes of
it, or the stage where the deal really is.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.items import USER
from wellwon.core.model import COMMIT, OPEN
from wellwon.core.moves import COUNTS, Move
from wellwon.core.norms import Norms
from wellwon.core.rule import CATEGORY, DATE, INFO, IS_OPEN, STAGE, STATUS, TIME, WARNING, Finding, View, param, rule
from wellwon.core.units import format_date
from wellwon.rules import reading
from wellwon.rules.reading import counted, written_date


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of too-early-to-close."""

    days: int = param(14, ge=1, le=365, unit="days", doc="Fewer days left than this are too few without a norm.")


@rule(
    "too-early-to-close",
    family="timing",
    severity=INFO,
    reads=DATE | STAGE | CATEGORY | STATUS | TIME,
    premise=IS_OPEN,
    rests_on=0,
    params=Params,
    doc=__doc__,
)
def RULE(view: View, params: Params) -> Finding | None:
    """The close date against the time that a win takes after this stage."""
    deal = view.deal
    date = deal.close_date
    if date is None or deal.status != OPEN or date == deal.buyer_date:
        return None
    stage = view.stage()
    if stage is None or stage.late or stage.status != OPEN:
        return None
    normal = _normal_days(view.norms, deal.stage)
    least = params.days if normal is None else normal
    if date - view.today >= least:
        view.wakes_at(view.midnight(date - least + 1))
        return None
    period = view.calendar.period_of_day(date)
    if not period.start_at <= view.at < period.end_at:
        view.wakes_at(period.start_at)
        return None
    view.wakes_at(period.end_at)
    began = max(view.midnight(date - least + 1), period.start_at)
    move = _brought_by(view, began)
    return Finding(
        WARNING if deal.category == COMMIT else INFO,
        format_date(date),
        move.commit if move is not None else 0,
        f"{_left(date - view.today)} to the close date, in stage {_short(deal.stage)}",
        reading.evidence(
            view,
            at=max(began, move.at) if move is not None else began,
            before=written_date(deal.dates[-1].old) if deal.dates else None,
            after=written_date(date),
            threshold=f"fewer than {counted(least, 'day')} left before the late stage, {_source(normal)}",
            clears="the stage moves on to a late one, the date moves out, the buyer gave the date, or it is closed",
            writer=USER if move is not None and move.why == COUNTS else None,
            stage=deal.stage,
            days_left=date - view.today,
            norm_days=normal,
        ),
    )


def _normal_days(norms: Norms, stage: str) -> int | None:
    """Days that the fastest tenth of wins took after the stage, None for ``insufficient_history``."""
    return norms.days_to_won_p10.get(stage) if norms.wins >= norms.MIN_WINS else None


def _source(normal: int | None) -> str:
    return "without a norm" if normal is None else "the time of the fastest tenth of wins after this stage"


def _brought_by(view: View, began: int) -> Move | None:
    """The latest move of date, stage or category, where that made it hold and not time alone."""
    deal = view.deal
    lasts = [history[-1] for history in (deal.dates, deal.stages, deal.categories) if history]
    latest = max(lasts, key=lambda move: move.at, default=None)
    return latest if latest is not None and latest.at >= began else None


def _left(days: int) -> str:
    return f"{counted(days, 'day')} left" if days >= 0 else f"{counted(-days, 'day')} past and no nearer"


def _short(stage: str) -> str:
    return stage if len(stage) <= 24 else f"{stage[:23]}…"
