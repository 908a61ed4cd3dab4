"""How a deal stands, as a rollup and a backtest count it: apart from `facts`, whose structs cannot be compiled."""

from __future__ import annotations

from typing import Final

from wellwon.core.engine import deal_type_of
from wellwon.core.facts import Fact, Redated
from wellwon.core.model import OPEN, Ruleset
from wellwon.core.moves import COUNTS
from wellwon.core.state import State
from wellwon.core.units import DAY
from wellwon.core.win import is_won

MOVES_DAYS: Final = 100
"""Moves of the close date older than this are left out: two periods back nothing is counted any more."""


def fact_of(key: bytes, state: State, ruleset: Ruleset, offset: int, *, refolded: bool) -> Fact:
    """How a deal stands, after the change at an offset of its partition of the log."""
    deal, at = state.now, state.at
    since = at - MOVES_DAYS * DAY
    owned_at = deal.owners[-1].at if deal.owners else 0
    return Fact(
        key.decode(),
        at,
        offset,
        deal.name,
        deal.owner,
        deal.labels.get(ruleset.team_label, "") if ruleset.team_label else "",
        state.segment,
        deal.pipeline,
        deal_type_of(deal, ruleset),
        deal.currency,
        deal.annual_amount,
        deal.discount,
        deal.status,
        deal.first_at,
        0 if deal.status == OPEN else deal.closed_at,
        deal.won_at if is_won(deal) else 0,
        deal.close_date,
        tuple(
            [
                Redated(move.at, move.old, move.new, move.why == COUNTS, move.own and move.at >= owned_at)
                for move in deal.dates
                if move.at >= since and move.old is not None
            ]
        ),
        refolded,
    )
