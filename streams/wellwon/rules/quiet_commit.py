"""A committed deal that has gone quiet.

## What it looks for
The deal is in Commit and dated within 30 days, or past its date, not in a stage that waits for the buyer; and for 14
days no person changed anything on it, and there was no call, mail or meeting.

## Why it matters
A deal that will close this month has a conversation about it. Where nobody writes and nobody answers for two weeks, the
promise is older than what it rests on.

## Example
```timeline
policy: {activities: outbound}
2026-08-03 10:00  created stage="Negotiation/Review" category=Commit close_date=2026-09-25 by=anna   .
2026-08-16 10:00  outbound       .
2026-08-30 10:00  ! quiet-commit warning
2026-08-31 15:00  outbound       resolved quiet-commit cleared
```

## When it is fine
The buyer's lawyers or buyers have it: such stages are named in the policy, or somebody answered so. It runs only where
the policy says that activities are fed, for without them every deal looks quiet. What machines write is no sign of
life.

## What to do
Call the customer. If they do not answer, it is not a Commit; say so now, while there is time.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.model import COMMIT, OPEN, OUTBOUND
from wellwon.core.rule import (
    ACTED,
    CATEGORY,
    COMMITTED,
    DATE,
    STAGE,
    STATUS,
    TIME,
    TOUCH,
    WARNING,
    Finding,
    View,
    param,
    rule,
)
from wellwon.core.units import DAY, format_instant
from wellwon.rules import reading
from wellwon.rules.reading import counted


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of quiet-commit."""

    days: int = param(14, ge=1, le=180, unit="days", doc="Days without a change or an activity that are quiet.")
    close_days: int = param(30, ge=1, le=365, unit="days", doc="Days before the close date from which it is told.")


@rule(
    "quiet-commit",
    family="forecast",
    severity=WARNING,
    reads=CATEGORY | STAGE | STATUS | DATE | TOUCH | ACTED | TIME,
    rests_on=CATEGORY,
    premise=COMMITTED,
    params=Params,
    doc=__doc__,
    needs=OUTBOUND,
)
def RULE(view: View, params: Params) -> Finding | None:
    """In Commit, soon to close, and silent."""
    deal = view.deal
    if deal.category != COMMIT or deal.status != OPEN or not deal.stage or deal.close_date is None:
        return None
    if view.in_buyer_process:
        return None
    since = max(deal.acted_at, deal.first_at, deal.touches[-1].at if deal.touches else 0)
    quiet_at = since + params.days * DAY
    if view.at < quiet_at:
        view.wakes_at(quiet_at)
        return None
    if not since:
        return None
    if deal.close_date - view.today > params.close_days:
        view.wakes_at(view.midnight(deal.close_date - params.close_days))
        return None
    return Finding(
        WARNING,
        "quiet",
        0,
        f"in Commit, and no change and no activity for {counted((view.at - since) // DAY, 'day')}",
        reading.evidence(
            view,
            at=quiet_at,
            before=None,
            after=None,
            threshold=f"no change and no activity for {counted(params.days, 'day')},"
            f" dated within {counted(params.close_days, 'day')}",
            clears="a call, mail or meeting is recorded, or a person changes the deal",
            writer=None,
            last_heard=format_instant(since),
            close_date=reading.written_date(deal.close_date),
        ),
    )
