"""A deal of a later period dated into this one, though nothing else moved.

## What it looks for
In the last 30 days of a quarter (10 of a month) the close date was pulled in from a later period into this one, before
the late stage, and there was no stage progress from 7 days before on.

## Why it matters
A forecast that is filled by dates and not by customers looks full until its last day. When the deals go back to where
they were, the number has been promised already.

## Example
```timeline
2026-07-06 10:00  created stage="Needs Analysis" close_date=2026-11-15 by=anna   .
2026-09-10 10:00  close_date=2026-09-30 by=anna    ! pull-in-without-progress warning
2026-09-14 10:00  stage="Value Proposition" by=anna  resolved pull-in-without-progress cleared
```

## When it is fine
The buyer gave the date; the deal is in its late stage, where dates become exact; the stage moved on in the week before
or since.

## What to do
Ask what the customer does differently to be done earlier. If nothing, put the date back.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.calendar import Period
from wellwon.core.deal import standing
from wellwon.core.model import OPEN
from wellwon.core.moves import DateMove
from wellwon.core.rule import DATE, IS_OPEN, STAGE, STATUS, WARNING, Finding, View, param, rule
from wellwon.core.units import DAY
from wellwon.rules import reading
from wellwon.rules.reading import before_period_end, counted, written_date


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of pull-in-without-progress."""

    quarter_days: int = param(30, ge=1, le=98, unit="days", doc="Last days of a quarter in which a pull-in counts.")
    month_days: int = param(10, ge=1, le=35, unit="days", doc="Last days of a month in which a pull-in counts.")
    progress_days: int = param(7, ge=0, le=90, unit="days", doc="Stage progress this long before it is enough.")


@rule(
    "pull-in-without-progress",
    family="timing",
    severity=WARNING,
    reads=DATE | STAGE | STATUS,
    premise=DATE | IS_OPEN,
    params=Params,
    doc=__doc__,
)
def RULE(view: View, params: Params) -> Finding | None:
    """The latest late pull-in into the period that the deal is dated in."""
    deal = view.deal
    if not deal.dates or deal.close_date is None or deal.status != OPEN:
        return None
    for move in reversed(deal.dates):
        if not move.crossed or not reading.is_pull_in(move):
            continue
        if move.at - params.progress_days * DAY <= deal.progress_at:
            return None  # moves are in order: the progress is later than those before, too
        period = _pulled_into(view, move, params)
        if period is not None and reading.dated_in(period, deal.close_date) and _was_early(view, move):
            return Finding(WARNING, period.label, move.commit, _title(view, move), _evidence(view, move, params))
    return None


def _pulled_into(view: View, move: DateMove, params: Params) -> Period | None:
    """The period in whose last days the move was made, and into which it pulled the date."""
    calendar = view.calendar
    day = calendar.local_day(move.at)
    period = calendar.period_of_day(day)
    if not reading.dated_in(period, move.new) or day < calendar.window_start(period, _last_days(view, params)):
        return None
    return period


def _last_days(view: View, params: Params) -> int:
    return params.quarter_days if view.calendar.kind == "quarter" else params.month_days


def _was_early(view: View, move: DateMove) -> bool:
    """At the move the deal was before its late stage; a stage that the policy does not know says nothing."""
    stage = view.stage(standing(view.deal.stages, move.at + 1, view.deal.stage))
    return stage is not None and stage.status == OPEN and not stage.late


def _title(view: View, move: DateMove) -> str:
    return f"pulled in {counted(-move.days, 'day')} without stage progress, {before_period_end(view, move.at)}"


def _evidence(view: View, move: DateMove, params: Params) -> dict[str, object]:
    deal = view.deal
    return reading.evidence(
        view,
        at=move.at,
        before=written_date(move.old),
        after=written_date(move.new),
        threshold=(
            f"pulled into this {view.calendar.kind} in its last {counted(_last_days(view, params), 'day')},"
            f" no stage progress from {counted(params.progress_days, 'day')} before on"
        ),
        clears="the stage moves on, the date moves out again, the buyer gave the date, or the deal is closed",
        stage=deal.stage,
        no_progress_since=reading.no_progress_since(view),
    )
