"""The moves of a deal in words: what changed, when, and whether it counts as behaviour."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from wellwon.core.deal import Deal
from wellwon.core.moves import COUNTS, FIRST, WHY
from wellwon.core.rule import AMOUNT, CATEGORY, DATE, OWNER, PRICE, STAGE, TOUCH
from wellwon.core.units import format_date, format_money, format_percent


class History(NamedTuple):
    """One of a deal's histories: where the deal keeps it, which part rules read it by, and how its values look."""

    attribute: str
    part: int
    noun: str
    shown: Callable[[Any], str]


def _percent(value: int | None) -> str:
    return "unknown" if value is None else f"{format_percent(value)} %"


def _money(value: int | None) -> str:
    return "empty" if value is None else format_money(value)


def _date(value: int | None) -> str:
    return "empty" if value is None else format_date(value)


def _word(value: str) -> str:
    return value.replace("_", " ") if value else "none"


def _name(value: str) -> str:
    return value or "none"


HISTORIES: Final = (
    History("dates", DATE, "close date", _date),
    History("prices", PRICE, "discount", _percent),
    History("amounts", AMOUNT, "annual amount", _money),
    History("stages", STAGE, "stage", _name),
    History("categories", CATEGORY, "forecast category", _word),
    History("owners", OWNER, "owner", _name),
)


class Moved(NamedTuple):
    """A move: ``why`` says whether it counts (`core.moves.WHY`); ``also`` what else is known of it."""

    at: int
    field: str
    before: str
    after: str
    why: str
    counts: bool
    also: tuple[str, ...]


def moves_of(deal: Deal, parts: int) -> list[Moved]:
    """The moves of these parts (`core.rule`'s masks), oldest first."""
    found = [
        Moved(
            move.at,
            history.noun,
            history.shown(move.old),
            history.shown(move.new),
            WHY[move.why],
            move.why == COUNTS,
            _also(move),
        )
        for history in HISTORIES
        if history.part & parts
        for move in getattr(deal, history.attribute)
        if move.why != FIRST
    ]
    if parts & TOUCH:
        found += [
            Moved(touch.at, "touch", "", "inbound" if touch.inbound else "outbound", WHY[COUNTS], True, ())
            for touch in deal.touches
        ]
    return sorted(found, key=lambda moved: moved.at)


def _also(move: Any) -> tuple[str, ...]:
    words = {"crossed": "over a period's end", "traded": "traded", "approved": "approved", "progress": "stage progress"}
    return tuple(word for name, word in words.items() if getattr(move, name, False))
