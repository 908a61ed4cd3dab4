"""Many deals of one owner pushed within a day, in the period's last days.

## What it looks for
Within 24 hours, inside the window, an owner pushed five or more of their own deals, and at least 30 % of the open deals
that they had in the period just before. Only deals that are still open and dated later than before are counted.

## Why it matters
Dates that move together are seldom the customers' dates. It may be obedience: somebody asked for a clean forecast.
Either way the new dates were set in one go, and most of them will move again.

## Example
```timeline
2026-08-03 10:00  created deal=a1..a6 stage=Prospecting close_date=2026-09-28 owner=anna by=anna
2026-09-24 10:00  deal=a1..a4 close_date=2026-10-20 by=anna
2026-09-24 15:20  deal=a5 close_date=2026-10-15 by=anna
2026-09-24 17:00  ! bulk-push info
2026-09-25 09:00  deal=a1..a2 close_date=2026-09-28 by=anna
2026-09-25 11:00  resolved bulk-push cleared
```

## When it is fine
The buyers gave the dates; somebody else moved them (a manager, an integration, a bulk edit); a slip was
put right. It is always information, never a warning.

## What to do
Review these dates together: for each deal, whose date is it? After 14 days it has said what it had to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from wellwon.core.facts import Fact
from wellwon.core.group import GroupView, PeriodView, dated, group_rule, was_open
from wellwon.core.model import OPEN
from wellwon.core.rule import DATE, INFO, OWNER, OWNER_SUBJECT, Finding, param
from wellwon.core.units import DAY, HOUR, format_instant
from wellwon.rules.reading import counted

LISTED = 20
"""Deals named in the evidence; more are only counted."""


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of bulk-push."""

    deals: int = param(5, ge=2, le=100, unit="deals", doc="Deals pushed together that are many.")
    share: int = param(30, ge=1, le=100, unit="percent", doc="Least share of the owner's open deals in the period.")
    hours: int = param(24, ge=1, le=168, unit="hours", doc="Time within which the pushes were made.")
    days: int = param(14, ge=1, le=90, unit="days", doc="How long after the pushes it is still told.")


class _Push(NamedTuple):
    at: int
    deal: str
    fact: Fact


def _counts(view: PeriodView, fact: Fact) -> Fact | None:
    """Deals that are, or ever were, dated in the period."""
    if view.in_period(fact.close_date) or any(view.in_period(move.old) for move in fact.moves):
        return fact
    return None


@group_rule(
    "bulk-push",
    subject=OWNER_SUBJECT,
    severity=INFO,
    params=Params,
    doc=__doc__,
    rests_on=DATE | OWNER,
    counts=_counts,
)
def RULE(view: GroupView, params: Params) -> Finding | None:
    """The most deals that were pushed together."""
    pushes = _pushes(view)
    together: list[_Push] = []
    for i, first in enumerate(pushes):
        within = [push for push in pushes[i:] if push.at <= first.at + params.hours * HOUR]
        by_deal = {push.deal: push for push in within}
        if len(by_deal) <= len(together) or len(by_deal) < params.deals:
            continue
        if _open_before(view, first.at) * params.share <= 100 * len(by_deal):
            together = list(by_deal.values())
    if not together:
        return None
    first_at, last_at = min(push.at for push in together), max(push.at for push in together)
    ends_at = last_at + params.days * DAY
    if ends_at <= view.at:
        return None
    view.wakes_at(ends_at)
    number, before = len(together), _open_before(view, first_at)
    hours = -(-(last_at - first_at) // HOUR) or 1
    title = f"{counted(number, 'deal')} pushed within {counted(hours, 'hour')}: review these dates together"
    evidence = {
        "deals": sorted(push.deal for push in together)[:LISTED],
        "pushed": number,
        "open_in_period": before,
        "when": format_instant(first_at),
        "until": format_instant(last_at),
        "days_to_period_end": view.period.end_day - view.calendar.local_day(first_at),
        "threshold": f"{params.deals} deals and {params.share} % of those open in {view.period.label},"
        f" within {counted(params.hours, 'hour')}",
        "clears": f"the dates are the buyers', or back where they were; or {counted(params.days, 'day')} pass",
    }
    return Finding(INFO, view.period.label, 0, title, evidence)


def _pushes(view: GroupView) -> list[_Push]:
    """Own pushes in the window, of deals that were dated in the period and are open at a later date; oldest first."""
    return sorted(
        _Push(move.at, fact.deal, fact)
        for fact in view.counted
        if fact.status == OPEN
        for move in fact.moves
        if move.is_push and move.own and view.in_period(move.old) and view.in_window(fact, move.at)
        if fact.close_date is not None and move.old is not None and fact.close_date > move.old
    )


def _open_before(view: GroupView, at: int) -> int:
    """How many deals were open and dated in the period just before an instant."""
    return sum(was_open(fact, at) and view.in_period(dated(fact, at)) for fact in view.counted)
