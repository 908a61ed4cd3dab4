"""Close date moved out again and again while the deal stands still.

## What it looks for
Since the last stage progress the close date was pushed twice or more, and the pushes left the period, or one of them
was 21 days or longer, or they sum up to 45 days; or a single push of 60 days or longer.

## Why it matters
A date that moves while the stage does not is a hope, not a plan, and carries the forecast's error from one period into
the next. Moving alone says little, for deals that are won move their dates as well: it is the standstill that counts.

## Example
```timeline
2026-07-06 10:00  created stage="Needs Analysis" close_date=2026-08-31 by=anna   .
2026-08-24 10:00  close_date=2026-09-15 by=anna    .
2026-09-10 10:00  close_date=2026-10-20 by=anna    ! close-date-push warning
2026-10-12 10:00  close_date=2026-11-20 by=anna    ! close-date-push high
2026-10-15 10:00  stage="Proposal/Price Quote" by=anna  resolved close-date-push cleared
```

## When it is fine
The buyer gave the date, or the buyer's own process (legal, security, procurement) runs: neither counts. The first
change of the date that a deal was created with is no push, nor are bulk edits, integrations and corrections.

## What to do
Ask the customer for *their* date and what has to happen before it, and set it. If there is none, move the deal back to
the stage where it really is.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.model import OPEN
from wellwon.core.moves import DateMove
from wellwon.core.rule import DATE, HIGH, IS_OPEN, STAGE, STATUS, WARNING, Finding, View, param, rule
from wellwon.core.units import format_date
from wellwon.rules import reading
from wellwon.rules.reading import counted, written_date


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of close-date-push."""

    pushes: int = param(2, ge=1, le=12, unit="pushes", doc="Pushes since the last stage progress that count.")
    long_days: int = param(21, ge=1, le=365, unit="days", doc="One of these pushes this long is enough with them.")
    sum_days: int = param(45, ge=1, le=730, unit="days", doc="Or all of them together.")
    single_days: int = param(60, ge=1, le=730, unit="days", doc="One push this long is enough alone.")
    high_pushes: int = param(3, ge=1, le=12, unit="pushes", doc="Pushes from which it is high.")


@rule(
    "close-date-push",
    family="timing",
    severity=WARNING,
    reads=DATE | STAGE | STATUS,
    premise=DATE | IS_OPEN,
    params=Params,
    doc=__doc__,
)
def RULE(view: View, params: Params) -> Finding | None:
    """The pushes since the last stage progress, if they are many or long enough."""
    deal = view.deal
    if not deal.dates or deal.status != OPEN:
        return None
    pushes = reading.pushes_since_progress(deal)
    if not pushes:
        return None
    longest, together = max(move.days for move in pushes), sum(move.days for move in pushes)
    repeated = len(pushes) >= params.pushes and (
        longest >= params.long_days or together >= params.sum_days or any(move.crossed for move in pushes)
    )
    if not repeated and longest < params.single_days:
        return None
    return Finding(
        HIGH if len(pushes) >= params.high_pushes else WARNING,
        str(len(pushes)),
        pushes[-1].commit,
        f"{counted(len(pushes), 'push')} of the close date without stage progress, {counted(together, 'day')} in all",
        _evidence(view, pushes, params),
    )


def _evidence(view: View, pushes: list[DateMove], params: Params) -> dict[str, object]:
    last = pushes[-1]
    return reading.evidence(
        view,
        at=last.at,
        before=written_date(pushes[0].old),
        after=written_date(last.new),
        threshold=(
            f"{params.pushes} pushes without stage progress that leave the {view.calendar.kind}, or one of"
            f" {params.long_days} days, or {params.sum_days} days together; or one of {params.single_days} days"
        ),
        clears="the stage moves on, the buyer gave the date, or the deal is closed",
        pushes=[
            {
                "on": format_date(view.calendar.local_day(move.at)),
                "before": written_date(move.old),
                "after": written_date(move.new),
                "days": move.days,
            }
            for move in pushes
        ],
        days=sum(move.days for move in pushes),
        no_progress_since=reading.no_progress_since(view),
    )
