"""What people say to an alert, and what that changes: answers change the state, and so the finding."""

from __future__ import annotations

from typing import Final

import msgspec

from wellwon.core.deal import Deal
from wellwon.core.items import Change
from wellwon.core.moves import BUYER_PROCESS, COUNTS
from wellwon.core.rule import AMOUNT, DATE, EVERYTHING, PRICE, STAGE

ANSWERS_KEPT: Final = 64

replace = msgspec.structs.replace


def answered(deal: Deal, change: Change) -> int:
    """Apply an answer to ``deal`` (in place) and return the mask of the parts that it changed.

    ``buyer_date`` is not among these: it is a date, and the fold's.
    """
    answer = change.values.get("answer")
    if answer in ("traded", "approved"):
        deal.prices = tuple(replace(move, **{answer: True}) if move.points > 0 else move for move in deal.prices)
        deal.amounts = tuple(replace(move, **{answer: True}) if move.cut_bp > 0 else move for move in deal.amounts)
        return PRICE | AMOUNT
    if answer == "legal":
        return _legal(deal, change.at)
    if answer == "not_right":
        rule = change.values.get("rule") or ""
        said = {**deal.not_right, rule: max(deal.not_right.get(rule, 0), change.at)}
        deal.not_right = dict(list(said.items())[-ANSWERS_KEPT:])
        return EVERYTHING
    return 0


def _legal(deal: Deal, at: int) -> int:
    """The buyer's process runs, as long as the stage stands: later dates within the period are the buyer's."""
    deal.legal_at = max(deal.legal_at, at)
    if deal.is_legal:
        deal.dates = tuple(
            replace(move, why=BUYER_PROCESS)
            if move.why == COUNTS and move.at >= deal.stage_at and move.days > 0 and not move.crossed
            else move
            for move in deal.dates
        )
    return DATE | STAGE
