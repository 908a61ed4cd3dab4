"""Deals pulled in from the next period, which now begins with less.

## What it looks for
When a period has ended: the value of the deals that a person pulled in from the next period in the last days, over the
boundary, against the pipeline with which the next period begins. Above 10 % it is told, for 30 days.

## Why it matters
The value is not new. It was taken from a period that has to be won as well, and that begins with a gap which the same
means will be used to fill.

## Example
```timeline
2026-07-06 10:00  created deal=a1..a9 stage=Prospecting close_date=2026-11-20 amount=1000 owner=anna by=anna
2026-07-06 10:00  created deal=b stage=Prospecting close_date=2026-10-15 amount=1000 owner=anna by=anna
2026-09-24 10:00  deal=b close_date=2026-09-30 by=anna
2026-09-30 10:00  deal=b stage="Closed Won" by=anna
2026-10-01 00:00  ! borrowed-from-next-period warning
2026-10-31 00:00  resolved borrowed-from-next-period expired
```

## When it is fine
The buyer asked for the earlier date; the deal went back to its period, or was lost. A win before its date pulls in
nothing.

## What to do
Read the next period's forecast without these deals. Ask what was given for the earlier date.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from wellwon.core.calendar import Period
from wellwon.core.facts import Fact
from wellwon.core.group import GroupView, PeriodView, dated, group_rule, in_main_currency, was_open
from wellwon.core.records import short_money
from wellwon.core.rule import AMOUNT, DATE, TEAM_SUBJECT, WARNING, Finding, param
from wellwon.core.units import DAY
from wellwon.rules.reading import counted, dated_in, percent


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of borrowed-from-next-period."""

    share: int = param(10, ge=1, le=200, unit="percent", doc="Share of the next period's opening pipeline.")
    days: int = param(30, ge=1, le=60, unit="days", doc="How long after the period it is still told.")


class _Counted(NamedTuple):
    borrowed: bool
    """Else it is what the next period begins with."""
    currency: str
    amount: int | None


def _counts(view: PeriodView, fact: Fact) -> _Counted | None:
    """What was pulled in from the next period, and what that begins with."""
    following = view.calendar.period_of_day(view.period.end_day + 1)
    borrowed = _is_borrowed(view, fact, following)
    if not borrowed and not _opens(fact, view.period, following):
        return None
    return _Counted(borrowed, fact.currency, fact.amount)


@group_rule(
    "borrowed-from-next-period",
    subject=TEAM_SUBJECT,
    severity=WARNING,
    params=Params,
    doc=__doc__,
    rests_on=DATE | AMOUNT,
    counts=_counts,
)
def RULE(view: GroupView, params: Params) -> Finding | None:
    """What was pulled in against what is left, once the next period has begun."""
    period = view.period
    ends_at = period.end_at + params.days * DAY
    if not period.end_at <= view.at < ends_at:
        view.wakes_at(period.end_at)
        return None
    view.wakes_at(ends_at)
    following = view.calendar.period_of_day(period.end_day + 1)
    deals: Sequence[_Counted] = view.counted
    currency, counting = in_main_currency(deals)
    pulled = sum(deal.amount or 0 for deal in counting if deal.borrowed)
    pipeline = sum(deal.amount or 0 for deal in counting if not deal.borrowed)
    if not pulled or pulled * 100 <= pipeline * params.share:
        return None
    share = f"{percent(pulled * 1_000 // pipeline * 10)} of" if pipeline else "more than"
    title = f"{short_money(pulled, currency)} pulled in from {following.label}: {share} the pipeline it begins with"
    evidence = {
        "pulled_in": short_money(pulled, currency),
        "opening_pipeline": short_money(pipeline, currency),
        "deals": sum(deal.borrowed for deal in deals),
        "left_out": len(deals) - len(counting),
        "threshold": f"above {params.share} % of the opening pipeline of {following.label}",
        "clears": f"{counted(params.days, 'day')} pass after the period",
    }
    return Finding(WARNING, period.label, 0, title, evidence)


def _is_borrowed(view: PeriodView, fact: Fact, following: Period) -> bool:
    """Pulled in over the boundary in the window, and neither gone back nor lost when the period ended."""
    pulled = any(
        move.is_pull_in and dated_in(following, move.old) and view.in_period(move.new) and view.in_window(fact, move.at)
        for move in fact.moves
    )
    end = view.period.end_at
    won = view.period.start_at <= fact.won_at < end
    if not pulled or not (won or was_open(fact, end)):
        return False
    date = dated(fact, fact.won_at if won else end)  # a win writes its own date, in UTC
    return date is not None and date <= view.period.end_day


def _opens(fact: Fact, period: Period, following: Period) -> bool:
    """Open and dated in the next period when it began."""
    return was_open(fact, period.end_at) and dated_in(following, dated(fact, period.end_at))
