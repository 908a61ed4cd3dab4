"""A deal in Commit that does not keep it.

## What it looks for
The deal was in Commit for this period at some time from the commit lock on (the last 30 days of a quarter, 10 of a
month), and was then pushed out of the period, lost, or downgraded.

## Why it matters
Commit is a promise to the board. A late slip cannot be made up for, and who hears of it in the last days hears of it
too late to act.

## Example
```timeline
2026-07-06 10:00  created stage="Negotiation/Review" category=Commit close_date=2026-09-25 by=anna   .
2026-09-15 10:00  close_date=2026-10-05 by=anna     ! commit-slip warning
2026-09-18 10:00  close_date=2026-10-30 by=anna     ! commit-slip high
2026-09-22 10:00  close_date=2026-09-30 by=anna     resolved commit-slip cleared
```

## When it is fine
The buyer gave the new date. An integration, a bulk edit or a correction moved it. Before the commit lock a forecast may
change freely.

## What to do
Say it in the forecast call today, with the customer's reason and the next date that the customer gave. Then look for
what fills the gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from wellwon.core.calendar import Period
from wellwon.core.deal import Deal, standing
from wellwon.core.model import BEST_CASE, COMMIT, LOST, OMITTED, OPEN, PIPELINE, WON
from wellwon.core.moves import COUNTS, CategoryMove, DateMove, StageMove
from wellwon.core.rule import (
    ANY_BUSINESS,
    CATEGORY,
    DATE,
    HIGH,
    STAGE,
    STATUS,
    TIME,
    WARNING,
    Finding,
    View,
    param,
    rule,
)
from wellwon.core.units import DAY
from wellwon.rules import reading
from wellwon.rules.reading import counted, written_date


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of commit-slip; when the commit lock begins is the policy's ``commit_lock_days``."""

    high_days: int = param(7, ge=0, le=90, unit="days", doc="Out of the period by more than this is high.")
    days: int = param(14, ge=1, le=90, unit="days", doc="How long after the slip began it is told.")


BELOW: Final = frozenset({BEST_CASE, PIPELINE, OMITTED})
"""What Commit can be downgraded to; of a label that the policy does not know nobody can say that it is less."""

PUSHED: Final = "pushed out"
DOWNGRADED: Final = "downgraded"
SLIPPED_LOST: Final = "lost"


class Slip(NamedTuple):
    """How a promise for a period was not kept: when that began, how it stands, and by which move."""

    period: Period
    began_at: int
    how: str
    move: DateMove | CategoryMove | StageMove


@rule(
    "commit-slip",
    family="forecast",
    severity=WARNING,
    reads=CATEGORY | DATE | STAGE | STATUS | TIME,
    params=Params,
    doc=__doc__,
    deal_types=ANY_BUSINESS,
)
def RULE(view: View, params: Params) -> Finding | None:
    """The promise that was last given, if it was not kept and that is not long ago."""
    deal = view.deal
    if deal.status == WON or not _may_have_slipped(deal, view.at - params.days * DAY):
        return None
    slip = _slip(view)
    if slip is None:
        return None
    ends_at = slip.began_at + params.days * DAY
    if ends_at <= view.at:
        return None
    view.wakes_at(ends_at)
    severity = HIGH if slip.how == SLIPPED_LOST or _days_out(deal, slip) > params.high_days else WARNING
    key = f"{slip.period.label}:{slip.how}"
    return Finding(severity, key, slip.move.commit, _title(view, slip), _evidence(view, slip, params))


def _may_have_slipped(deal: Deal, since: int) -> bool:
    """The cheap question: was it ever in Commit, and pushed out of a period, downgraded or lost since then?"""
    if deal.category != COMMIT and all(move.old != COMMIT for move in deal.categories):
        return False
    if deal.status == LOST:
        return deal.closed_at > since
    return any(move.at > since and move.crossed and reading.is_push(move) for move in deal.dates) or any(
        move.at > since and move.old == COMMIT and move.why == COUNTS for move in deal.categories
    )


def _slip(view: View) -> Slip | None:
    deal = view.deal
    promise = _last_promise(view)
    if promise is None:
        return None
    period, given_at, ended_at = promise
    pushes = [
        move
        for move in deal.dates
        if move.at >= ended_at and move.crossed and reading.is_push(move) and reading.dated_in(period, move.old)
    ]
    downgrades = [
        move
        for move in deal.categories
        if move.at == ended_at and move.why == COUNTS and move.old == COMMIT and move.new in BELOW
    ]
    # What took the date out without a seller's doing (the buyer's date, a bulk edit) took the promise with it.
    losses = [
        move
        for move in deal.stages
        if move.at >= given_at
        and move.why == COUNTS
        and _is_loss(view, move)
        and (pushes or reading.dated_in(period, standing(deal.dates, move.at, deal.close_date)))
    ]
    events: list[DateMove | CategoryMove | StageMove] = [*pushes, *downgrades, *losses]
    if not events:
        return None
    began_at = min(move.at for move in events)
    if deal.status == LOST and losses:
        return Slip(period, began_at, SLIPPED_LOST, losses[-1])
    if pushes and deal.close_date is not None and deal.close_date > period.end_day:
        # What made it better or worse since is the save that tells it now.
        since = [move for move in deal.dates if move.at >= pushes[-1].at and move.why == COUNTS]
        return Slip(period, began_at, PUSHED, since[-1])
    if downgrades:
        return Slip(period, began_at, DOWNGRADED, downgrades[-1])
    return None


def _last_promise(view: View) -> tuple[Period, int, int] | None:
    """The period for which the deal was last in Commit under its lock and is not any more, from when and until when."""
    deal, calendar = view.deal, view.calendar
    dates = deal.dates
    category, date, until = deal.category, deal.close_date, deal.closed_at or view.at
    kept = -1
    instants = {move.at for move in dates} | {move.at for move in deal.categories} | {0}
    for i, since in enumerate(sorted(instants, reverse=True)):
        is_now = i == 0 and deal.status == OPEN
        if category == COMMIT and date is not None and (is_now or since < until):
            period = calendar.period_of_day(date)
            if is_now:
                kept = period.index  # it is in Commit for this period
            elif period.index != kept:
                lock = view.midnight(calendar.window_start(period, view.ruleset.commit_lock_days))
                if until >= lock:
                    return period, since, until
        date = next((move.old for move in dates if move.at == since), date)
        category = next((move.old for move in deal.categories if move.at == since), category)
        until = min(until, since)  # what was written after the close is no promise
    return None


def _is_loss(view: View, move: StageMove) -> bool:
    stage = view.stage(move.new)
    return stage is not None and stage.status == LOST


def _days_out(deal: Deal, slip: Slip) -> int:
    return 0 if deal.close_date is None else deal.close_date - slip.period.end_day


def _title(view: View, slip: Slip) -> str:
    when = _when(view, slip)
    if slip.how == PUSHED:
        return f"Commit for {slip.period.label} pushed out to {written_date(view.deal.close_date)}, {when}"
    if slip.how == DOWNGRADED:
        return f"Commit for {slip.period.label} downgraded to {_category(view.deal.category)}, {when}"
    return f"Commit for {slip.period.label} lost, {when}"


def _category(category: str) -> str:
    return category.replace("_", " ") or "none"


def _when(view: View, slip: Slip) -> str:
    days = slip.period.end_day - view.calendar.local_day(slip.move.at)
    if not days:
        return "on its last day"
    return f"{counted(abs(days), 'day')} {'before' if days > 0 else 'after'} its end"


def _evidence(view: View, slip: Slip, params: Params) -> dict[str, object]:
    move = slip.move
    dates = isinstance(move, DateMove)
    return reading.evidence(
        view,
        at=move.at,
        before=written_date(move.old) if isinstance(move, DateMove) else move.old,
        after=written_date(move.new) if isinstance(move, DateMove) else move.new,
        threshold=(
            f"in Commit within the last {counted(view.ruleset.commit_lock_days, 'day')} of {slip.period.label},"
            f" high when out by more than {counted(params.high_days, 'day')} or lost"
        ),
        clears=f"it is won, back in Commit in {slip.period.label}, or {counted(params.days, 'day')} pass",
        how=slip.how,
        promised=slip.period.label,
        days_out=_days_out(view.deal, slip) if dates else None,
    )
