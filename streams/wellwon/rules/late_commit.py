"""A deal that is committed for the first time in the last days of the period.

## What it looks for
Inside the window a person put the deal into Commit, dated in this period, for which it was not in Commit before; and no
stage progress in the 7 days before it.

## Why it matters
A forecast that grows in its last days without anything having moved at the customer is a forecast made from the gap,
not from the deals. It is information for whoever adds up the number.

## Example
```timeline
2026-08-03 10:00  created stage="Proposal/Price Quote" category="Best Case" close_date=2026-09-30 by=anna   .
2026-09-24 10:00  category=Commit by=anna   ! late-commit info
2026-10-01        resolved late-commit expired
```

## When it is fine
The stage moved on within the week before: then the customer did something, and Commit follows. A deal that was in
Commit for this period earlier and comes back is not new.

## What to do
Ask what changed at the customer. If it is a signature that is promised, it is worth the name; else leave it in Best
Case, where an early close is good news.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.calendar import Period
from wellwon.core.deal import Deal, standing
from wellwon.core.model import COMMIT, OPEN
from wellwon.core.moves import CORRECTION, COUNTS, CategoryMove
from wellwon.core.rule import CATEGORY, DATE, IN_WINDOW, INFO, IS_OPEN, STAGE, STATUS, TIME, Finding, View, param, rule
from wellwon.core.units import DAY
from wellwon.rules import reading
from wellwon.rules.reading import counted


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of late-commit; how long the window is, is the policy's ``window_days``."""

    progress_days: int = param(7, ge=0, le=90, unit="days", doc="Stage progress this long before excuses it.")


@rule(
    "late-commit",
    family="forecast",
    severity=INFO,
    reads=CATEGORY | DATE | STAGE | STATUS | TIME,
    premise=CATEGORY | IS_OPEN | IN_WINDOW,
    params=Params,
    doc=__doc__,
)
def RULE(view: View, params: Params) -> Finding | None:
    """The first Commit for this period, if it came inside its window."""
    deal = view.deal
    if not deal.categories or deal.status != OPEN:
        return None
    # No window is longer than its days, be one of them of 25 hours.
    since = view.at - (view.segment.window_days + 1) * DAY
    if deal.categories[-1].at < since:
        return None
    commits = [move for move in deal.categories if move.at > since and move.new == COMMIT and move.why == COUNTS]
    if not commits:
        return None
    period = view.period
    first_day = view.window_start(period)
    if view.today < first_day or commits[-1].at < (began := view.midnight(first_day)):
        return None
    move = next((one for one in commits if one.at >= began and reading.dated_in(period, one.date)), None)
    if (
        move is None
        or reading.progressed(deal, move.at - params.progress_days * DAY, move.at, move.commit)
        or _was_committed(deal, period, move)
    ):
        return None
    view.wakes_at(period.end_at)
    return Finding(
        INFO,
        period.label,
        move.commit,
        f"first Commit for {period.label}, {reading.before_period_end(view, move.at)}",
        reading.evidence(
            view,
            at=move.at,
            before=move.old or None,
            after=move.new,
            threshold=f"inside the window, without stage progress in the {counted(params.progress_days, 'day')} before",
            clears=f"the deal is closed, or the {view.calendar.kind} is over",
            close_date=reading.written_date(move.date),
            no_progress_since=reading.no_progress_since(view),
        ),
    )


def _was_committed(deal: Deal, period: Period, move: CategoryMove) -> bool:
    """Whether it was in Commit for the period at any time before this move; a slip of the hand is no such time."""
    instants = {0} | {one.at for one in deal.dates} | {one.at for one in deal.categories if one.why != CORRECTION}
    return any(
        standing(deal.categories, since + 1, deal.category) == COMMIT
        and reading.dated_in(period, standing(deal.dates, since + 1, deal.close_date))
        for since in sorted(instants)
        if since < move.at
    )
