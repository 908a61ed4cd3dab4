"""Most of a period's won value closed in its last days.

## What it looks for
The share of a team's won value that closed in the last 7 days of the period, local time: above 40 % a warning, above
60 % high. From 10 wins on. It is told as soon as it is true, and for 30 days after the period.

## Why it matters
A period that is won in its last week is forecast in its last week. Discounts, mistakes and slipped deals follow the
calendar, and so does the work of everyone who comes after the sale.

## Example
```timeline
2026-07-06 10:00  created deal=a1..a10 stage=Prospecting close_date=2026-09-28 amount=1000 owner=anna by=anna
2026-08-12 10:00  deal=a1..a5 stage="Closed Won" by=anna
2026-09-28 10:00  deal=a6..a9 stage="Closed Won" by=anna
2026-09-28 12:00  .
2026-09-29 10:00  deal=a10 stage="Closed Won" by=anna
2026-09-29 12:00  ! period-end-load warning
2026-10-31 00:00  resolved period-end-load expired
```

## When it is fine
The customers' own year ends then, or a price list did. Then the threshold for this organisation is another one.

## What to do
Look at it once a period, with the discounts of the same days (discount-concentration), and move what moves the dates:
approvals, quota periods, the day on which the forecast is made.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from wellwon.core.facts import Fact
from wellwon.core.group import GroupView, PeriodView, group_rule, in_main_currency
from wellwon.core.records import short_money
from wellwon.core.rule import AMOUNT, HIGH, TEAM_SUBJECT, WARNING, Finding, param
from wellwon.core.units import DAY
from wellwon.rules.reading import counted, percent


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of period-end-load."""

    last_days: int = param(7, ge=1, le=30, unit="days", doc="The days at the end of the period.")
    share: int = param(40, ge=1, le=99, unit="percent", doc="Share of the won value that is much.")
    high_share: int = param(60, ge=1, le=99, unit="percent", doc="Share from above which it is high.")
    wins: int = param(10, ge=2, le=1000, unit="wins", doc="Fewer wins in the period say nothing.")
    days: int = param(30, ge=1, le=60, unit="days", doc="How long after the period it is still told.")


class _Win(NamedTuple):
    at: int
    currency: str
    amount: int | None


def _counts(view: PeriodView, fact: Fact) -> _Win | None:
    """Wins of the period."""
    return _Win(fact.won_at, fact.currency, fact.amount) if view.has_win(fact) else None


@group_rule(
    "period-end-load",
    subject=TEAM_SUBJECT,
    severity=WARNING,
    params=Params,
    doc=__doc__,
    rests_on=AMOUNT,
    counts=_counts,
)
def RULE(view: GroupView, params: Params) -> Finding | None:
    """The share of the last days; within them it can only rise, so nothing has to be waited for."""
    period = view.period
    ends_at = period.end_at + params.days * DAY
    if ends_at <= view.at:
        return None
    view.wakes_at(ends_at)
    wins: Sequence[_Win] = view.counted
    currency, counting = in_main_currency(wins)
    if len(counting) < params.wins:
        return None
    first = view.calendar.midnight(max(period.start_day, period.end_day - params.last_days + 1))
    value = sum(win.amount or 0 for win in counting)
    late = sum(win.amount or 0 for win in counting if win.at >= first)
    if late * 100 <= value * params.share:
        return None
    severity = HIGH if late * 100 > value * params.high_share else WARNING
    share = percent(late * 1_000 // value * 10)
    title = f"{share} of the value won in {period.label} closed in its last {counted(params.last_days, 'day')}"
    evidence = {
        "share": share,
        "value": short_money(value, currency),
        "late_value": short_money(late, currency),
        "wins": len(counting),
        "left_out": len(wins) - len(counting),
        "threshold": f"above {params.share} % warning, above {params.high_share} % high; {params.wins} wins or more",
        "clears": f"{counted(params.days, 'day')} pass after the period",
    }
    return Finding(severity, period.label, 0, title, evidence)
