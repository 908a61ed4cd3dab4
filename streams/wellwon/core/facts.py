"""What a rollup knows of a deal: a small record that replaces the one before it.

`Outcomes` writes one when something changed that owners', teams' or periods' patterns count. It says how the deal
stands, not what happened to it: what was corrected, taken back or told twice needs no record of its own.
A `mark` among them says that one partition of the log has come to an instant: no fact from before it follows.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from wellwon.core import items
from wellwon.core.deal import COUNTS, Deal
from wellwon.core.engine import deal_type_of
from wellwon.core.items import Change
from wellwon.core.model import OPEN, Ruleset
from wellwon.core.state import State
from wellwon.core.units import (
    DAY,
    format_date,
    format_instant,
    format_money,
    format_percent,
    parse_date,
    parse_instant,
    parse_money,
    parse_percent,
)
from wellwon.core.win import is_won

FACT_SCHEMA: Final = "fact.v1"
MARK: Final = "mark"
DEAL: Final = "deal"

MOVES_DAYS: Final = 100
"""Moves of the close date older than this are left out: two periods back nothing is counted any more."""

_COUNTED: Final = frozenset(
    {"close_date", "buyer_confirmed_date", "owner_id", "amount", "currency", "term_months", "pipeline", "deal_type"}
)
"""Fields of an open deal that a rollup counts. What it was sold for counts once it is closed."""
_ACTS: Final = (items.DELETED, items.RESTORED, items.ANSWER)
_WORDS: Final = (items.ACTIVITY, items.GAP)


class Redated(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The close date went from ``old`` to ``new`` (day numbers)."""

    at: int
    old: int | None
    new: int | None
    counts: bool
    """A person did it, and it is behaviour."""
    own: bool
    """The person is the one who owns the deal now."""

    @property
    def is_push(self) -> bool:
        """A person moved the date later."""
        return self.counts and self.old is not None and self.new is not None and self.new > self.old

    @property
    def is_pull_in(self) -> bool:
        """A person moved the date earlier."""
        return self.counts and self.old is not None and self.new is not None and self.new < self.old


class Fact(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """How a deal stands. Of two facts of a deal the one with the greater ``(at, offset)`` holds."""

    deal: str
    at: int
    offset: int
    """Of the change that brought it about, in its partition of the log."""
    name: str
    owner: str
    label: str
    """Value of the policy's ``team_label``, empty where it names none."""
    segment: str
    pipeline: str
    deal_type: str
    currency: str
    amount: int | None
    """Of a year, hundredths."""
    discount: int | None
    """Hundredths of a point."""
    status: int
    first_at: int
    closed_at: int
    won_at: int
    """0 for a deal that is not won, or was not seen to be."""
    close_date: int | None
    moves: tuple[Redated, ...]
    refolded: bool
    """The past of the deal was read anew: a correction, a bulk edit found later, a change that came late."""

    @property
    def revision(self) -> tuple[int, int]:
        """Which of two facts of a deal is the newer one."""
        return self.at, self.offset


class Mark(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """Partition ``source``, one of ``of``, has come to the instant ``at``."""

    at: int
    source: int
    of: int


# --- writing --------------------------------------------------------------------------------------------------


def is_counted(deal: Deal, change: Change, ruleset: Ruleset) -> bool:
    """Whether a change that was just folded into a deal may have changed its fact."""
    if change.kind in _WORDS:
        return False
    if deal.status != OPEN or change.kind in _ACTS or deal.opened_commit == change.commit:
        return True
    return not _COUNTED.isdisjoint(change.values) or bool(ruleset.team_label and "labels" in change.values)


def fact_record(key: bytes, state: State, ruleset: Ruleset, offset: int, *, refolded: bool) -> bytes:
    """The published form of a deal's fact, ``fact.v1``."""
    deal = state.now
    since = state.at - MOVES_DAYS * DAY
    owned_at = deal.owners[-1].at if deal.owners else 0
    moves = [
        {
            "at": format_instant(move.at),
            "from": None if move.old is None else format_date(move.old),
            "to": None if move.new is None else format_date(move.new),
            "counts": move.why == COUNTS,
            "by_owner": move.own and move.at >= owned_at,
        }
        for move in deal.dates
        if move.at >= since and move.old is not None
    ]
    amount = deal.annual_amount
    return msgspec.json.encode(
        {
            "schema": FACT_SCHEMA,
            "kind": DEAL,
            "opportunity_id": key.decode(),
            "at": format_instant(state.at),
            "offset": offset,
            "name": deal.name,
            "owner_id": deal.owner,
            "team_label": deal.labels.get(ruleset.team_label, "") if ruleset.team_label else "",
            "segment": state.segment,
            "pipeline": deal.pipeline,
            "deal_type": deal_type_of(deal, ruleset),
            "currency": deal.currency,
            "amount": None if amount is None else format_money(amount),
            "discount_percent": None if deal.discount is None else format_percent(deal.discount),
            "status": STATUSES[deal.status],
            "first_at": format_instant(deal.first_at),
            "closed_at": None if deal.status == OPEN else format_instant(deal.closed_at),
            "won_at": format_instant(deal.won_at) if is_won(deal) else None,
            "close_date": None if deal.close_date is None else format_date(deal.close_date),
            "moves": moves,
            "refolded": refolded,
        }
    )


def encode_mark(at: int, source: int, of: int) -> bytes:
    """A mark's published form."""
    return msgspec.json.encode(
        {"schema": FACT_SCHEMA, "kind": MARK, "at": format_instant(at), "partition": source, "partitions": of}
    )


# --- reading --------------------------------------------------------------------------------------------------

STATUSES: Final = ("open", "won", "lost", "deleted")
"""By the core's number."""


def read_fact(wire: dict[str, Any]) -> Fact:
    """A fact of its published form. Raises KeyError, TypeError, ValueError for what is none."""
    return Fact(
        deal=wire["opportunity_id"],
        at=parse_instant(wire["at"]),
        offset=wire["offset"],
        name=wire["name"],
        owner=wire["owner_id"],
        label=wire["team_label"],
        segment=wire["segment"],
        pipeline=wire["pipeline"],
        deal_type=wire["deal_type"],
        currency=wire["currency"],
        amount=None if wire["amount"] is None else parse_money(wire["amount"]),
        discount=None if wire["discount_percent"] is None else parse_percent(wire["discount_percent"]),
        status=STATUSES.index(wire["status"]),
        first_at=parse_instant(wire["first_at"]),
        closed_at=_instant(wire["closed_at"]),
        won_at=_instant(wire["won_at"]),
        close_date=_date(wire["close_date"]),
        moves=tuple(
            Redated(parse_instant(move["at"]), _date(move["from"]), _date(move["to"]), move["counts"], move["by_owner"])
            for move in wire["moves"]
        ),
        refolded=wire["refolded"],
    )


def read_mark(wire: dict[str, Any]) -> Mark:
    """A mark of its published form. Raises KeyError, TypeError, ValueError for what is none."""
    return Mark(parse_instant(wire["at"]), wire["partition"], wire["partitions"])


def _instant(text: str | None) -> int:
    return 0 if text is None else parse_instant(text)


def _date(text: str | None) -> int | None:
    return None if text is None else parse_date(text)
