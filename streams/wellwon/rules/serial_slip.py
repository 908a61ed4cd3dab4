"""Pushed out of one period, then out of the next.

## What it looks for
Over the deal's life, pushes took the close date out of two or more different periods.

## Why it matters
A deal that left two quarters was in two forecasts that it did not keep. Whatever explained the first slip, the second
one says that nobody knows the customer's date; deals like this are won late, smaller, or not at all.

## Example
```timeline
2026-02-02 10:00  created stage="Needs Analysis" close_date=2026-03-20 by=anna   .
2026-03-16 10:00  close_date=2026-05-29 by=anna    .
2026-06-22 10:00  close_date=2026-08-28 by=anna    ! serial-slip warning
2026-09-21 10:00  close_date=2026-11-27 by=anna    ! serial-slip high
2026-10-12 10:00  stage="Closed Lost" by=anna      resolved serial-slip closed
```

## When it is fine
A date that the buyer gave is no slip, nor is the first change of the date that the deal was created with, a correction,
an integration or a bulk edit. A deal that is pulled back and leaves the same period again has left one period.

## What to do
Do not set a fourth date. Ask the customer whether there is a project with a budget and a day on which it must be done;
if there is none, close the deal as lost and open a new one when there is.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.calendar import Period
from wellwon.core.model import OPEN
from wellwon.core.moves import DateMove
from wellwon.core.rule import DATE, HIGH, IS_OPEN, STATUS, WARNING, Finding, View, param, rule
from wellwon.core.units import format_date
from wellwon.rules import reading
from wellwon.rules.reading import counted, written_date


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of serial-slip."""

    periods: int = param(2, ge=2, le=12, unit="periods", doc="Different periods that pushes took the deal out of.")
    high_periods: int = param(3, ge=2, le=12, unit="periods", doc="Periods from which it is high.")


@rule(
    "serial-slip",
    family="timing",
    severity=WARNING,
    reads=DATE | STATUS,
    premise=IS_OPEN | DATE,
    params=Params,
    doc=__doc__,
)
def RULE(view: View, params: Params) -> Finding | None:
    """The different periods that pushes took the deal out of."""
    deal = view.deal
    if len(deal.dates) < params.periods or deal.status != OPEN:
        return None
    slips = [move for move in deal.dates if move.crossed and reading.is_push(move)]
    if not slips or len(slips) + len(deal.slipped) < params.periods:
        return None
    left = _periods_left(view, slips)
    if len(left) < params.periods:
        return None
    return Finding(
        HIGH if len(left) >= params.high_periods else WARNING,
        str(len(left)),
        slips[-1].commit,
        f"pushed out of {counted(len(left), view.calendar.kind)}, the last time to {written_date(slips[-1].new)}",
        _evidence(view, slips, left, params),
    )


def _periods_left(view: View, slips: list[DateMove]) -> list[Period]:
    """The periods of the dates that were left, in order."""
    dates = [*view.deal.slipped, *(move.old for move in slips if move.old is not None)]
    periods = {period.index: period for period in map(view.calendar.period_of_day, dates)}
    return [periods[index] for index in sorted(periods)]


def _evidence(view: View, slips: list[DateMove], left: list[Period], params: Params) -> dict[str, object]:
    last = slips[-1]
    return reading.evidence(
        view,
        at=last.at,
        before=written_date(last.old),
        after=written_date(last.new),
        threshold=(
            f"pushed out of {params.periods} different {view.calendar.kind}s over the deal's life,"
            f" high from {params.high_periods}"
        ),
        clears="the buyer gave the date, or the deal is closed",
        left=[period.label for period in left],
        slips=[
            {
                "on": format_date(view.calendar.local_day(move.at)),
                "before": written_date(move.old),
                "after": written_date(move.new),
            }
            for move in slips
        ],
    )
