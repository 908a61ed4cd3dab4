"""Amount and discount: how they moved, the baseline they move against, and what was given in return."""

from __future__ import annotations

from typing import Final

import msgspec

from wellwon.core import items
from wellwon.core.deal import BY_AMOUNT, BY_FIELD, BY_LINES, LINES_KEPT, MOVES_KEPT, Deal, annual, remember
from wellwon.core.items import Change
from wellwon.core.model import OPEN
from wellwon.core.moves import (
    CLOSE_WRITE,
    CORRECTION,
    COUNTS,
    FIRST,
    NOT_OPEN,
    RESTART,
    SCOPE_CHANGED,
    SCOPE_SAME,
    SCOPE_UNKNOWN,
    AmountMove,
    Line,
    PriceMove,
)
from wellwon.core.rule import AMOUNT, PRICE
from wellwon.core.units import DAY

BASELINE_MS: Final = DAY
"""The baseline is the discount that stood 24 h after the deal was first priced."""
TRADE_MS: Final = DAY
"""What is given in return within 24 h of a concession makes it a trade."""
RESCOPED_BP: Final = 2_000
"""A list amount that changes by more than 20 % is another deal: the baseline restarts."""

SCOPE_CHANGE_BP: Final = 100
"""List amounts closer than 1 % are the same scope: rounding is no change of scope."""

LEAST_DISCOUNT: Final = -100_000
"""A price of eleven times the list price is as far from a discount as any higher one."""

replace = msgspec.structs.replace


def line_changed(deal: Deal, change: Change) -> int:
    """A line item was added, changed or removed."""
    values, line_id = change.values, change.line_item_id
    if deal.unlisted:
        return 0
    lines = dict(deal.lines)
    before = sum(line.quantity for line in lines.values())
    if values.get("removed"):
        lines.pop(line_id, None)
    else:
        line = lines.pop(line_id, Line(0, None, None))
        lines[line_id] = Line(
            values.get("quantity", line.quantity) or 0,
            values.get("unit_price", line.unit_price),
            values.get("list_price", line.list_price),
        )
        if len(lines) > LINES_KEPT:
            # A part of the lines would be another price.
            deal.lines, deal.unlisted = {}, True
            return PRICE | AMOUNT
    had_lines = bool(deal.lines)
    deal.lines = lines
    if had_lines and sum(line.quantity for line in lines.values()) > before:
        return give(deal, change, f"{line_id}.quantity")
    return 0


def prepaid_changed(deal: Deal, change: Change) -> int:
    """More months paid in advance are something given in return."""
    old, new = deal.prepaid_months, change.values["prepaid_months"]
    deal.prepaid_months = new
    return give(deal, change, "prepaid_months") if (new or 0) > (old or 0) else 0


def priced(deal: Deal, change: Change, why: int, was_open: bool, was_annual: int | None, was_list: int | None) -> int:
    """Amount, discount, list amount or term changed: take the fields over, then remember what moved."""
    values, mask, restarts = change.values, 0, False
    if "term_months" in values:
        old_term = deal.term_months
        deal.term_months = values["term_months"]
        # An amount of an unknown term and one of a known term do not compare: filling it in cuts nothing.
        restarts = bool(old_term) != bool(deal.term_months)
        if old_term and deal.term_months and deal.term_months > old_term:
            mask |= give(deal, change, "term_months")
    if change.kind != items.LINE_ITEM:
        if "amount" in values and (values["amount"] != deal.amount or not deal.amount_told):
            deal.amount, deal.amount_told = values["amount"], True
            mask |= AMOUNT
        if "discount_percent" in values:
            deal.discount_field = values["discount_percent"]
        if "list_amount" in values:
            deal.list_field = values["list_amount"]
    if why == COUNTS and change.corrected and not {"close_date", "stage", "forecast_category"} >= set(change.corrected):
        why = CORRECTION
    elif why == COUNTS and not was_open and deal.won_commit != change.commit:
        why = NOT_OPEN
    mask |= _amount(deal, change, why, was_annual, was_list, restarts)
    return mask | reprice(deal, change, why, was_annual, was_list)


def _amount(deal: Deal, change: Change, why: int, old: int | None, was_list: int | None, restarts: bool) -> int:
    scope, mask = _scope(was_list, deal.list_amount), 0
    last = deal.amounts[-1] if deal.amounts else None
    same_commit = last is not None and last.commit == change.commit
    if same_commit and last is not None and scope > last.scope:
        deal.amounts = (*deal.amounts[:-1], replace(last, scope=scope))
        last, mask = deal.amounts[-1], AMOUNT
    new = annual(deal.amount, deal.term_months)
    if new == old:
        return mask
    if same_commit and last is not None:
        old, scope, restarts = last.old, max(scope, last.scope), restarts or last.why == RESTART
        deal.amounts = deal.amounts[:-1]
    if deal.status != OPEN and why == COUNTS:
        why = CLOSE_WRITE
    elif old is None:
        why = FIRST
    if "currency" in change.values and deal.amounts == () and old is not None:
        restarts = True
    if restarts or deal.currency_commit == change.commit:
        why = RESTART
    if old != new:
        traded = deal.rose_commit == change.commit != 0
        move = AmountMove(change.at, change.commit, old, new, why, deal.close_date, scope, traded)
        deal.amounts = remember(deal.amounts, move, MOVES_KEPT)
        if why == COUNTS:
            deal.moved |= AMOUNT
    return AMOUNT


def _scope(before: int | None, after: int | None) -> int:
    if not before or not after:
        return SCOPE_UNKNOWN
    return SCOPE_CHANGED if abs(after - before) * 10_000 > SCOPE_CHANGE_BP * before else SCOPE_SAME


def discount_of(deal: Deal) -> tuple[int, int | None]:
    """How the discount is known (0: it is not) and the discount in hundredths of a point.

    From line items ``1 - sum(price x quantity) / sum(list price x quantity)``, else the mapped field, else
    ``1 - amount / list amount``.
    """
    if deal.lines:
        listed = net = 0
        for line in deal.lines.values():
            if line.list_price and line.unit_price is not None:
                listed += line.list_price * line.quantity
                net += line.unit_price * line.quantity
        if listed > 0:
            return BY_LINES, _off(net, listed)
    if deal.discount_field is not None:
        return BY_FIELD, deal.discount_field
    if deal.amount is not None and deal.list_field:
        return BY_AMOUNT, _off(deal.amount, deal.list_field)
    return 0, None


def _off(net: int, listed: int) -> int:
    # Rounded, not floored: 1 - 88/100 must be 12.00 points whatever the amounts are.
    return max(LEAST_DISCOUNT, (2 * (listed - net) * 10_000 + listed) // (2 * listed))


def baseline(deal: Deal, at: int) -> int | None:
    """The baseline at an instant not before the deal's last change, None while it is not settled."""
    if deal.baseline is not None:
        return deal.baseline
    if deal.priced_at and at >= deal.priced_at + BASELINE_MS:
        return deal.discount
    return None


def reprice(deal: Deal, change: Change, why: int, was_annual: int | None, was_list: int | None) -> int:
    """Compute the discount anew after a change of prices; remember its move."""
    at, old = change.at, deal.discount
    method, new = discount_of(deal)
    if deal.baseline is None:
        deal.baseline = baseline(deal, at)

    if method != deal.method:
        # Figures known in different ways do not compare.
        deal.method, deal.discount, deal.prices = method, new, ()
        _restart(deal, at if method else 0)
        return PRICE
    if not method:
        return 0

    listed = deal.list_amount
    if listed and deal.baseline_list and abs(listed - deal.baseline_list) * 10_000 > RESCOPED_BP * deal.baseline_list:
        _restart(deal, at)
    elif listed and not deal.baseline_list:
        deal.baseline_list = listed

    mask = PRICE if listed != was_list else 0
    if new != old:
        deal.discount = new
        _remember_price(deal, change, why, old, new, was_annual)
        mask = PRICE
    return mask if why == CORRECTION else mask | _traded_by_amount(deal, change, was_annual)


def _restart(deal: Deal, at: int) -> None:
    deal.priced_at, deal.baseline, deal.baseline_list = at, None, deal.list_amount


def _remember_price(
    deal: Deal, change: Change, why: int, old: int | None, new: int | None, was_annual: int | None
) -> None:
    settled = deal.baseline
    last = deal.prices[-1] if deal.prices else None
    if last is not None and last.commit == change.commit:
        # Several line items of one save are one move.
        old, was_annual, settled = last.old, last.amount, last.baseline if deal.baseline is not None else None
        deal.prices = deal.prices[:-1]
    if old is None:
        why = FIRST
    if old != new:
        traded = deal.rose_commit == change.commit != 0
        move = PriceMove(change.at, change.commit, old, new, why, deal.close_date, settled, was_annual, traded)
        deal.prices = remember(deal.prices, move, MOVES_KEPT)
        if why == COUNTS:
            deal.moved |= PRICE


def _traded_by_amount(deal: Deal, change: Change, was_annual: int | None) -> int:
    """A concession after which the net annual amount did not fall was traded.

    An amount that nobody wrote says nothing, so this looks only at a save that changed it.
    """
    now = deal.annual_amount
    if now is None or now == was_annual or not deal.prices:
        return 0
    deal.prices = tuple(
        replace(move, traded=True)
        if not move.traded
        and move.points > 0
        and move.amount is not None
        and change.at - move.at <= TRADE_MS
        and now >= move.amount
        else move
        for move in deal.prices
    )
    return PRICE


def give(deal: Deal, change: Change, name: str) -> int:
    """Term, prepayment or quantity rose: concessions of this save and of the last 24 h were traded.

    Not by a slip of the hand, nor when put right.
    """
    if name in change.corrected:
        return 0
    at = change.at
    deal.rose_at, deal.rose_commit = at, change.commit
    deal.prices = tuple(
        replace(move, traded=True) if move.points > 0 and not move.traded and at - move.at <= TRADE_MS else move
        for move in deal.prices
    )
    deal.amounts = tuple(
        replace(move, traded=True) if move.cut_bp > 0 and not move.traded and at - move.at <= TRADE_MS else move
        for move in deal.amounts
    )
    return PRICE | AMOUNT
