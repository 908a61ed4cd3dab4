"""Mail after mail in the last days, and no answer.

## What it looks for
Inside the window, five or more outbound touches (calls, mails, meetings) within seven days, and not one inbound since
the first of them.

## Why it matters
A customer who wants to sign answers. Five messages without an answer are written for our date, not for theirs, and cost
the goodwill that the deal, and the years after it, need.

## Example
```timeline
policy: {activities: both}
2026-07-06 10:00  created stage="Negotiation/Review" close_date=2026-09-30 by=anna   .
2026-09-21 10:00  inbound     .
2026-09-23 09:00  outbound    .
2026-09-24 09:00  outbound    .
2026-09-24 16:00  outbound    .
2026-09-25 09:00  outbound    .
2026-09-28 09:00  outbound    ! unanswered-touches warning
2026-09-29 11:00  inbound     resolved unanswered-touches cleared
```

## When it is fine
The customer answers: every inbound touch begins the count anew. While the buyer's own process (legal, security,
procurement) runs, silence says nothing. The rule needs calls and mails in both directions, and is off until the policy
says `activities: both`.

## What to do
Stop writing. Ask one person on the customer's side what they need, and let the date go where the answer puts it.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.model import BOTH_WAYS, OPEN
from wellwon.core.moves import Touch
from wellwon.core.rule import HIGH, IN_WINDOW, IS_OPEN, STAGE, STATUS, TIME, TOUCH, WARNING, Finding, View, param, rule
from wellwon.core.units import DAY, format_instant
from wellwon.rules import reading
from wellwon.rules.reading import before_period_end, counted


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of unanswered-touches; how long the window is, is the policy's ``window_days``."""

    touches: int = param(5, ge=2, le=24, unit="touches", doc="Outbound touches without an answer that are many.")
    high_touches: int = param(10, ge=2, le=24, unit="touches", doc="Touches from which it is high.")
    days: int = param(7, ge=1, le=31, unit="days", doc="Within which they were made.")


@rule(
    "unanswered-touches",
    family="pressure",
    severity=WARNING,
    reads=TOUCH | STAGE | STATUS | TIME,
    premise=IS_OPEN | IN_WINDOW,
    params=Params,
    doc=__doc__,
    needs=BOTH_WAYS,
)
def RULE(view: View, params: Params) -> Finding | None:
    """The outbound touches of this window since the last inbound one."""
    deal = view.deal
    if len(deal.touches) < params.touches or deal.status != OPEN:
        return None
    if deal.touches[-params.touches].at <= deal.inbound_at:
        return None
    period = view.period
    first_day = view.window_start(period)
    if view.today < first_day or view.in_buyer_process:
        return None
    began = view.midnight(first_day)
    sent = [touch for touch in deal.touches if touch.at >= began and touch.at > deal.inbound_at]
    burst = _most_within(sent, params.days * DAY)
    if len(burst) < params.touches:
        return None
    view.wakes_at(period.end_at)
    return Finding(
        HIGH if len(burst) >= params.high_touches else WARNING,
        f"{period.label}:{sent[0].at}",
        0,
        f"{counted(len(burst), 'touch')} in {counted(params.days, 'day')} without an answer,"
        f" {before_period_end(view, burst[-1].at)}",
        reading.evidence(
            view,
            at=burst[params.touches - 1].at,
            before=0,
            after=len(burst),
            threshold=(
                f"{params.touches} outbound touches within {counted(params.days, 'day')} inside the window and no"
                f" inbound one since the first of them, high from {params.high_touches}"
            ),
            clears=f"the customer answers, or the {view.calendar.kind} is over",
            first=format_instant(burst[0].at),
            last=format_instant(burst[-1].at),
            last_inbound=format_instant(deal.inbound_at) if deal.inbound_at else None,
        ),
    )


def _most_within(sent: list[Touch], span: int) -> list[Touch]:
    """The most touches that lie within the span; of several such runs the first."""
    most: list[Touch] = []
    for first, touch in enumerate(sent):
        run = [one for one in sent[first:] if one.at <= touch.at + span]
        if len(run) > len(most):
            most = run
    return most
