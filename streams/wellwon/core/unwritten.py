"""What a change that comes too late may still say: the fields that nobody wrote since."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from wellwon.core import items
from wellwon.core.deal import Deal
from wellwon.core.items import Change

# Where the deal keeps a field under another name.
_KEPT_AS: Final = {"buyer_confirmed_date": "buyer_date"}
_PRICED_TOO: Final = frozenset({"currency", "term_months", "prepaid_months"})


def unwritten(deal: Deal, change: Change) -> Change:
    """What is left of a change, marked late, that came after others had been folded into ``deal``.

    A field that was written since keeps what it was given; of fields without a history only the empty ones are filled.
    """
    stage, price = last_at(deal.stages), max(last_at(deal.prices), last_at(deal.amounts))
    written = {
        "close_date": last_at(deal.dates), "forecast_category": last_at(deal.categories),
        "owner_id": last_at(deal.owners), "stage": stage, "is_closed": stage, "is_won": stage,
        "next_step": deal.next_step_at, "amount": price, "discount_percent": price, "list_amount": price,
    }  # fmt: skip
    line, at, left = change.kind == items.LINE_ITEM, change.at, {}
    for name, value in change.values.items():
        if line or name in written:
            free = written.get(name, price) <= at
        else:
            free = not getattr(deal, _KEPT_AS.get(name, name), None) and (name not in _PRICED_TOO or price <= at)
        if free:
            left[name] = value
    return replace(change, values=left, late=True)


def last_at(history: tuple[Any, ...]) -> int:
    """When a field was last written, 0 for never."""
    return history[-1].at if history else 0
