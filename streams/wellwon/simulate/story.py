"""A deal's own story, from its state: what moved, and whether each move counts as behaviour, with the reason."""

from __future__ import annotations

from typing import Final, NamedTuple

from wellwon.core.calendar import FiscalCalendar
from wellwon.core.deal import Deal
from wellwon.core.moves import COUNTS, FIRST, WHY, AmountMove, CategoryMove, DateMove, Move, PriceMove, StageMove, Touch
from wellwon.core.records import short_money
from wellwon.core.units import date_of, format_percent

_CATEGORIES: Final = {
    "pipeline": "Pipeline",
    "best_case": "Best Case",
    "commit": "Commit",
    "omitted": "Omitted",
    "closed": "Closed",
}


class Told(NamedTuple):
    """One move in words."""

    at: int
    when: str
    """``22 Sep``, local."""
    what: str
    counts: bool
    why: str
    """Why it counts as behaviour, or does not."""
    traded: bool = False
    until: int = 0
    """For what took a while: when it ended."""


def tell(deal: Deal, calendar: FiscalCalendar, since: int = 0) -> list[Told]:
    """What moved on a deal from an instant on, first values apart, in the order of time."""
    moves: list[Move] = [*deal.stages, *deal.categories, *deal.dates, *deal.prices, *deal.amounts]
    priced = {move.commit for move in deal.prices if move.why != FIRST}
    told = []
    for move in sorted(moves, key=lambda move: move.at):
        if move.at < since or move.why == FIRST or (isinstance(move, AmountMove) and move.commit in priced):
            continue  # an amount that follows from its discount says nothing more
        what = words(move, deal.currency)
        before, _, after = what.removeprefix("amount ").partition(" to ")
        if before == after:
            continue  # an estimate made exact
        traded = isinstance(move, PriceMove | AmountMove) and move.traded
        counts = move.why == COUNTS and not traded
        why = "something was given in return" if traded and move.why == COUNTS else WHY[move.why]
        told.append(Told(move.at, short_date(calendar.local_day(move.at)), what, counts, why, traded))
    return sorted([*told, *_touches(deal, calendar, since)])


def _touches(deal: Deal, calendar: FiscalCalendar, since: int) -> list[Told]:
    """The calls and mails of each day."""
    days: dict[int, list[Touch]] = {}
    for touch in deal.touches:
        if touch.at >= since:
            days.setdefault(calendar.local_day(touch.at), []).append(touch)
    told = []
    for day, touches in days.items():
        received = sum(touch.inbound for touch in touches)
        sent = len(touches) - received
        parts = [f"{sent} sent"] if sent else []
        parts += [f"{received} received"] if received else ["no answer"]
        what = f"mails and calls: {', '.join(parts)}"
        told.append(Told(touches[0].at, short_date(day), what, True, WHY[COUNTS], until=touches[-1].at))
    return told


def words(move: Move, currency: str) -> str:
    """``close date 18 Oct to 30 Sep``."""
    match move:
        case DateMove():
            return f"close date {_date(move.old)} to {_date(move.new)}"
        case PriceMove():
            return f"discount {_percent(move.old)} to {_percent(move.new)}"
        case AmountMove():
            return f"amount {short_money(move.old, currency)} to {short_money(move.new, currency)}"
        case StageMove():
            return f"stage {move.old} to {move.new}"
        case CategoryMove():
            return f"forecast {_CATEGORIES.get(move.old, move.old)} to {_CATEGORIES.get(move.new, move.new)}"
        case _:
            return "owner changed"


def short_date(day: int) -> str:
    """``27 Sep`` of a day number."""
    date = date_of(day)
    return f"{date.day} {date:%b}"


def _date(day: int | None) -> str:
    return "none" if day is None else short_date(day)


def _percent(points: int | None) -> str:
    return "unknown" if points is None else f"{format_percent(points)} %"
