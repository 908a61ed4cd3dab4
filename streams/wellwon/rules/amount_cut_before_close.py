"""Amount cut shortly before the close.

## What it looks for
One save lowered the amount by 10 % or more within 14 days before the close date, or inside the window on a deal dated
in this period. It says whether the price gave way or the scope became smaller. A late discount in the same save that
explains the cut is told as such, not twice.

## Why it matters
A forecast is made of amounts. A cut in the last days is a miss that no pipeline review could see coming; on a renewal
it is a down-sell.

## Example
```timeline
2026-08-03 10:00  created stage="Negotiation/Review" close_date=2026-09-10 amount=100000 by=anna   .
2026-09-02 10:00  amount=84000 by=anna     ! amount-cut-before-close warning
2026-09-03 10:00  amount=97000 by=anna     resolved amount-cut-before-close cleared
```

## When it is fine
The customer bought less: a smaller scope, or a term or prepayment in return, is information. An amount that is written
with the close, by an integration or in a bulk edit is silent, and so is a correction.

## What to do
Ask what changed for the customer. Put the new amount into the forecast call, and the reason next to it.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.engine import deal_type_of
from wellwon.core.model import OPEN
from wellwon.core.moves import COUNTS, AmountMove
from wellwon.core.rule import (
    AMOUNT,
    ANY_BUSINESS,
    DATE,
    HIGH,
    INFO,
    IS_OPEN,
    NEW_BUSINESS,
    PRICE,
    SEVERITIES,
    STATUS,
    WARNING,
    Finding,
    View,
    param,
    rule,
)
from wellwon.core.units import format_money
from wellwon.rules import reading
from wellwon.rules.reading import POINT, counted


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of amount-cut-before-close."""

    cut: int = param(10, ge=1, le=100, unit="percent", doc="Smallest cut in one save that counts.")
    days: int = param(14, ge=0, le=90, unit="days", doc="How long before the close date it counts.")
    high_cut: int = param(25, ge=1, le=100, unit="percent", doc="Cut from which it is high.")


@rule(
    "amount-cut-before-close",
    family="price",
    severity=WARNING,
    reads=AMOUNT | PRICE | DATE | STATUS,
    rests_on=AMOUNT,
    premise=AMOUNT | IS_OPEN,
    params=Params,
    doc=__doc__,
    deal_types=ANY_BUSINESS,
)
def RULE(view: View, params: Params) -> Finding | None:
    """The strongest late cut that still stands."""
    deal = view.deal
    if not deal.amounts or deal.status != OPEN:
        return None
    cuts = [move for move in deal.amounts if _is_late_cut(view, move, params)]
    if not cuts:
        return None
    graded = [(_severity(move, params), move) for move in cuts]
    severity, move = max(graded, key=lambda one: (SEVERITIES.index(one[0]), one[1].cut_bp, one[1].at))
    return Finding(severity, str(move.cut_bp // POINT), move.commit, _title(view, move), _evidence(view, move, params))


def _is_late_cut(view: View, move: AmountMove, params: Params) -> bool:
    if move.why != COUNTS or move.cut_bp < params.cut * POINT:
        return False
    return _stands(view, move, params) and _is_late(view, move, params) and not _is_explained(view, move)


def _stands(view: View, move: AmountMove, params: Params) -> bool:
    now = view.deal.annual_amount
    return now is not None and move.old is not None and (move.old - now) * 100 >= params.cut * move.old


def _is_late(view: View, move: AmountMove, params: Params) -> bool:
    if move.date is not None and 0 <= move.date - view.calendar.local_day(move.at) <= params.days:
        return True
    return reading.window_of_concession(view, move) is not None


def _is_explained(view: View, move: AmountMove) -> bool:
    """The same save is a late discount that still stands, and that rule tells it."""
    prices = [price for price in view.deal.prices if price.commit == move.commit]
    late_discount = reading.params_of(view, "late-discount") if prices else None
    if late_discount is None or reading.points_over_baseline(view) < late_discount.points * POINT:
        return False
    return any(
        reading.raised_above_baseline(price, late_discount.points * POINT) and reading.window_of_concession(view, price)
        for price in prices
    )


def _severity(move: AmountMove, params: Params) -> str:
    if reading.scope_of(move) == "scope" or move.traded or move.approved:
        return INFO
    return HIGH if move.cut_bp >= params.high_cut * POINT else WARNING


def _title(view: View, move: AmountMove) -> str:
    word = "amount cut" if deal_type_of(view.deal, view.ruleset) in NEW_BUSINESS else "down-sell of"
    days = None if move.date is None else move.date - view.calendar.local_day(move.at)
    if days is None or days < 0:
        when = reading.before_period_end(view, move.at)
    else:
        when = f"{counted(days, 'day')} before the close date" if days else "on the close date"
    return f"{word} {move.cut_bp // POINT} % ({reading.scope_of(move)}), {when}"


def _evidence(view: View, move: AmountMove, params: Params) -> dict[str, object]:
    old = move.old or 0
    enough = format_money(old - old * params.cut // 100)
    return reading.evidence(
        view,
        at=move.at,
        before=format_money(old),
        after=format_money(move.new or 0),
        threshold=f"cut by {params.cut} % or more within {params.days} days before the close date or in the window",
        clears=f"the amount is back above {enough}, or the deal is closed",
        currency=view.deal.currency or None,
        close_date=reading.written_date(move.date),
        gave_way=reading.scope_of(move),
        traded=move.traded,
        approved=move.approved,
    )
