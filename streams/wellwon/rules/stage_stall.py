"""Too long in one stage.

## What it looks for
An open deal that has been in its stage for more than twice the segment's median time on the way to a win, or, without a
norm, for more than 45 days; a warning at twice that. Stages that wait for the buyer's own process do not count.

## Why it matters
Deals that are won keep moving. What stands still for this long is seldom waiting for anything: it is a deal that nobody
wants to close as lost, and it fills the pipeline on which the next forecast is built.

## Example
```timeline
2026-07-06 10:00  created stage="Needs Analysis" close_date=2026-12-18 by=anna   .
2026-08-21        ! stage-stall info
2026-09-07 10:00  stage="Value Proposition" by=anna   resolved stage-stall cleared
```

## When it is fine
The buyer's legal, security or procurement process runs: by the stage, or because somebody answered `legal`, which holds
until the stage moves. A stage that was changed and put right within minutes was not left.

## What to do
Name the next step of the *customer* and its day. If there is none, close the deal; it can be opened again when they
call.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.deal import Deal
from wellwon.core.model import OPEN
from wellwon.core.moves import CORRECTION
from wellwon.core.norms import Norms
from wellwon.core.rule import INFO, IS_OPEN, STAGE, STATUS, TIME, WARNING, Finding, View, param, rule
from wellwon.core.units import DAY
from wellwon.rules import reading
from wellwon.rules.reading import counted


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of stage-stall."""

    times: int = param(2, ge=1, le=20, unit="times", doc="More than so many times the norm's median is too long.")
    warning_times: int = param(4, ge=1, le=40, unit="times", doc="From so many times the median on it is a warning.")
    days: int = param(45, ge=1, le=730, unit="days", doc="Longer than this is too long without a norm.")
    warning_days: int = param(90, ge=1, le=1460, unit="days", doc="From this on it is a warning without a norm.")


@rule(
    "stage-stall",
    family="stage",
    severity=INFO,
    reads=STAGE | STATUS | TIME,
    premise=IS_OPEN,
    params=Params,
    doc=__doc__,
)
def RULE(view: View, params: Params) -> Finding | None:
    """The time in the stage against the norm."""
    deal = view.deal
    if deal.status != OPEN or not deal.stages:
        return None
    since = _entered_at(deal)
    median = _median(view.norms, deal.stage)
    days = params.days if median is None else params.times * median
    stalls_at = since + days * DAY
    if view.at <= stalls_at:
        view.wakes_at(stalls_at + 1)  # longer than that, not as long as that
        return None
    stage = view.stage()
    if stage is None or view.in_buyer_process:
        return None  # of a stage that the policy does not know nobody can say whose turn it is
    warns_at = since + max(days, params.warning_days if median is None else params.warning_times * median) * DAY
    view.wakes_at(warns_at)
    stood = (view.at - since) // DAY
    return Finding(
        WARNING if view.at >= warns_at else INFO,
        f"{deal.stage}:{since}",
        0,
        f"{counted(stood, 'day')} in one stage",
        reading.evidence(
            view,
            at=stalls_at,
            before=deal.stage,
            after=deal.stage,
            threshold=f"more than {counted(days, 'day')} in a stage, {_source(median, params)}",
            clears="the stage changes, the buyer's legal process is what moves it, or the deal is closed",
            writer=None,
            stage=deal.stage,
            days=stood,
            norm_days=median,
        ),
    )


def _entered_at(deal: Deal) -> int:
    """When the deal came to its stage; one that was left and put right within minutes was not left."""
    for move in reversed(deal.stages):
        if move.why != CORRECTION:
            return move.at
    return deal.stage_at


def _median(norms: Norms, stage: str) -> int | None:
    """The median days of wins in the stage, a day at least; None for ``insufficient_history``."""
    if norms.wins < norms.MIN_WINS or stage not in norms.stage_days_median:
        return None
    return max(1, norms.stage_days_median[stage])


def _source(median: int | None, params: Params) -> str:
    return "without a norm" if median is None else f"{params.times} times the median of the segment's wins"
