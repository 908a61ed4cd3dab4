"""A forecast deal pushed over the period's end in its last days.

## What it looks for
A deal that was in Commit or Best Case, and dated in this period, when the window began; then a push inside the window
took the date over the period's end.

## Why it matters
A deal that leaves the forecast in the last days leaves a gap that nothing can fill any more.

## Example
```timeline
2026-08-03 10:00  created stage="Proposal/Price Quote" category="Best Case" close_date=2026-09-25 by=anna   .
2026-09-24 10:00  close_date=2026-10-15 by=anna    ! period-end-push warning
2026-09-28 10:00  close_date=2026-09-30 by=anna    resolved period-end-push cleared
```

## When it is fine
The buyer gave the new date; the deal made stage progress since; an integration or a bulk edit moved it. After 14 days
it has said what it had to say.

## What to do
Find out whether the customer's plan changed or was never known. Ask for their date. Look for what the deal waited for,
and whether other deals wait for the same.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.calendar import Period
from wellwon.core.deal import standing
from wellwon.core.model import BEST_CASE, COMMIT, OPEN
from wellwon.core.moves import DateMove
from wellwon.core.rule import CATEGORY, DATE, IS_OPEN, STAGE, STATUS, TIME, WARNING, Finding, View, param, rule
from wellwon.core.units import DAY
from wellwon.rules import reading
from wellwon.rules.reading import counted, written_date


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of period-end-push."""

    days: int = param(14, ge=1, le=90, unit="days", doc="How long after the push it is still told.")


@rule(
    "period-end-push",
    family="timing",
    severity=WARNING,
    reads=DATE | CATEGORY | STAGE | STATUS | TIME,
    premise=DATE | IS_OPEN,
    params=Params,
    doc=__doc__,
)
def RULE(view: View, params: Params) -> Finding | None:
    """The latest push inside a window over its period's end, for a while."""
    deal = view.deal
    if not deal.dates or deal.status != OPEN:
        return None
    for move in reversed(deal.dates):
        ends_at = move.at + params.days * DAY
        if ends_at <= view.at or move.at <= deal.progress_at:
            return None  # moves are in order: those before are older still
        if not move.crossed or not reading.is_push(move):
            continue
        period = _window_left(view, move)
        if period is None or reading.dated_in(period, deal.close_date):
            continue
        view.wakes_at(ends_at)
        return Finding(WARNING, period.label, move.commit, _title(view, move), _evidence(view, move, period, params))
    return None


def _window_left(view: View, move: DateMove) -> Period | None:
    """The period in whose window the move was made, and which the deal left by it though forecast for it."""
    period = view.window_of(move.at)
    if period is None or not reading.dated_in(period, move.old):
        return None
    began = view.midnight(view.window_start(period))
    deal = view.deal
    if not reading.dated_in(period, standing(deal.dates, began, deal.close_date)):
        return None
    return period if standing(deal.categories, began, deal.category) in (COMMIT, BEST_CASE) else None


def _title(view: View, move: DateMove) -> str:
    return f"pushed {counted(move.days, 'day')} over the {view.calendar.kind}'s end, {_when(view, move)}"


def _when(view: View, move: DateMove) -> str:
    days = reading.days_to_period_end(view, move.at)
    return f"{counted(days, 'day')} before it" if days else "on its last day"


def _evidence(view: View, move: DateMove, period: Period, params: Params) -> dict[str, object]:
    began = view.midnight(view.window_start(period))
    return reading.evidence(
        view,
        at=move.at,
        before=written_date(move.old),
        after=written_date(move.new),
        threshold=f"in Commit or Best Case when the window ({view.segment.window_days} days) began, then pushed out",
        clears=(
            f"the date is back in {period.label}, the stage moves on, the buyer gave the date,"
            f" or {counted(params.days, 'day')} pass"
        ),
        left=period.label,
        category_then=standing(view.deal.categories, began, view.deal.category),
    )
