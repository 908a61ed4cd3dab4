"""A deal in Commit or a late stage without an amount.

## What it looks for
The deal is open, in Commit or in a late stage, and its amount is empty or zero. From 14 days before the close date on
it is a warning.

## Why it matters
A deal without an amount is missing in every total: the forecast is too low by it, and nobody sees by how much.

## Example
```timeline
2026-08-03 10:00  created stage="Needs Analysis" amount= close_date=2026-09-25 by=anna   .
2026-09-01 10:00  stage="Proposal/Price Quote" by=anna    ! missing-amount info
2026-09-11        ! missing-amount warning
2026-09-14 10:00  amount=48000 by=anna                    resolved missing-amount cleared
```

## When it is fine
Early in a deal nobody knows the amount yet. Where the source never said anything of an amount, it is not known to be
empty, and this is silent.

## What to do
Enter the amount that the customer was offered, be it an estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

from wellwon.core.rule import (
    AMOUNT,
    CATEGORY,
    DATE,
    INFO,
    PROMISED,
    STAGE,
    STATUS,
    TIME,
    WARNING,
    Finding,
    View,
    param,
    rule,
)
from wellwon.core.units import format_money
from wellwon.rules import reading


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of missing-amount."""

    warning_days: int = param(
        14, ge=0, le=365, unit="days", doc="Days before the close date from which it is a warning."
    )


@rule(
    "missing-amount",
    family="data",
    severity=INFO,
    reads=AMOUNT | CATEGORY | STAGE | STATUS | DATE | TIME,
    rests_on=AMOUNT,
    premise=PROMISED,
    params=Params,
    doc=__doc__,
)
def RULE(view: View, params: Params) -> Finding | None:
    """The amount is known to be empty, on a deal that counts on one."""
    deal = view.deal
    if deal.amount or not deal.amount_told or not reading.is_promised(view):
        return None
    near = deal.close_date is not None and deal.close_date - view.today <= params.warning_days
    if deal.close_date is not None and not near:
        view.wakes_at(view.midnight(deal.close_date - params.warning_days))
    move = reading.latest(deal.amounts, deal.stages, deal.categories)
    severity = WARNING if near else INFO
    return Finding(
        severity,
        severity,
        0 if move is None else move.commit,
        "no amount, in Commit or a late stage",
        reading.evidence(
            view,
            at=view.at if move is None else move.at,
            before=None,
            after=None if deal.amount is None else format_money(deal.amount),
            threshold=f"in Commit or a late stage; a warning within {reading.counted(params.warning_days, 'day')}"
            " of the close date",
            clears="an amount is entered",
            writer=reading.writer_of(move),
            close_date=reading.written_date(deal.close_date),
        ),
    )
