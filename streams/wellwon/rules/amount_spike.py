"""Amount raised by half or more in the last days of the period.

## What it looks for
Inside the window one save raised the amount by 50 % or more, on a deal that was in Commit or in a late stage, without
stage progress in the 7 days around it.

## Why it matters
A late deal that suddenly grows by half closes a gap in the forecast. Where the customer really wants more, the deal
usually goes back a step, to a new proposal; where it does not, the number is a wish.

## Example
```timeline
2026-08-03 10:00  created stage="Negotiation/Review" category=Commit amount=60000 close_date=2026-09-28 by=anna   .
2026-09-23 10:00  amount=95000 by=anna   ! amount-spike warning
2026-09-28 10:00  amount=62000 by=anna   resolved amount-spike cleared
```

## When it is fine
The stage moved on in the same days: then there was a decision. First amounts, another currency, and a term that was
filled in do not count; nor do integrations, bulk edits and corrections.

## What to do
Ask what the customer asked for, and whether there is an offer for it. Else set the amount back until there is.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.deal import standing
from wellwon.core.model import COMMIT, LOST
from wellwon.core.moves import COUNTS, AmountMove
from wellwon.core.rule import AMOUNT, CATEGORY, IN_WINDOW, STAGE, STATUS, TIME, WARNING, Finding, View, param, rule
from wellwon.core.units import DAY, format_money
from wellwon.rules import reading
from wellwon.rules.reading import counted


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of amount-spike; how long the window is, is the policy's ``window_days``."""

    raise_percent: int = param(50, ge=1, le=1_000, unit="percent", doc="Smallest raise in one save that counts.")
    progress_days: int = param(
        7, ge=0, le=90, unit="days", doc="Stage progress this near, before or after, excuses it."
    )


@rule(
    "amount-spike",
    family="forecast",
    severity=WARNING,
    reads=AMOUNT | CATEGORY | STAGE | STATUS | TIME,
    rests_on=AMOUNT,
    premise=AMOUNT | IN_WINDOW,
    params=Params,
    doc=__doc__,
    mode="shadow",
)
def RULE(view: View, params: Params) -> Finding | None:
    """The last such raise in this window that still stands."""
    deal = view.deal
    if not deal.amounts or deal.status == LOST:
        return None
    for move in reversed(deal.amounts):
        if move.why == COUNTS and _is_spike(move.old, move.new, params):
            if not _is_spike(move.old, deal.annual_amount, params):
                continue
            period = view.window_of(move.at)
            if period is None or period.index != view.period.index:
                return None  # earlier ones lie further back
            if _was_promised(view, move) and not _progressed(view, move, params):
                view.wakes_at(period.end_at)
                return _finding(view, move, params)
    return None


def _is_spike(old: int | None, new: int | None, params: Params) -> bool:
    return old is not None and new is not None and old > 0 and (new - old) * 100 >= params.raise_percent * old


def _was_promised(view: View, move: AmountMove) -> bool:
    """In Commit or in a late stage after the save."""
    deal = view.deal
    if standing(deal.categories, move.at + 1, deal.category) == COMMIT:
        return True
    stage = view.stage(standing(deal.stages, move.at + 1, deal.stage))
    return stage is not None and stage.late


def _progressed(view: View, move: AmountMove, params: Params) -> bool:
    around = params.progress_days * DAY
    return reading.progressed(view.deal, move.at - around, move.at + around, move.commit)


def _finding(view: View, move: AmountMove, params: Params) -> Finding:
    old, new = move.old or 0, move.new or 0
    more = (new - old) * 100 // old
    return Finding(
        WARNING,
        str(move.at),
        move.commit,
        f"amount raised by {min(more, 10_000)} %, {reading.before_period_end(view, move.at)}",
        reading.evidence(
            view,
            at=move.at,
            before=format_money(old),
            after=format_money(new),
            threshold=f"raised by {params.raise_percent} % or more in one save inside the window, without stage"
            f" progress in the {counted(params.progress_days, 'day')} around it",
            clears=f"the amount is taken back, or the {view.calendar.kind} is over",
            raised_percent=more,
        ),
    )
