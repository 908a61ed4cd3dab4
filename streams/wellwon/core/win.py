"""How a deal was won: three facts, each yes, no or not known, and a reading of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wellwon.core.deal import Deal, standing
from wellwon.core.model import BOTH_WAYS, WON, Ruleset
from wellwon.core.moves import BUYERS_DATE, CORRECTION, COUNTS, Move, PriceMove
from wellwon.core.price import baseline
from wellwon.core.stored import AlertState
from wellwon.core.units import DAY

EARNED: Final = "earned"
MIXED: Final = "mixed"
PRESSURED: Final = "pressured"
UNKNOWN: Final = "unknown"
READINGS: Final = (EARNED, MIXED, PRESSURED, UNKNOWN)

PRESSURE_RULES: Final = frozenset({"late-discount", "push-to-close", "unanswered-touches"})
PRESSURE_DAYS: Final = 30
PRICE_SLACK: Final = 100
"""One point above the baseline is still the price held, in hundredths of a point."""
DATE_SLACK_DAYS: Final = 7
DATE_BEFORE_DAYS: Final = 30
ANSWER_DAYS: Final = 14
SETTLES_MS: Final = DAY
"""For a day after the win what belongs to it (line items, the trade) may still arrive."""


@dataclass(frozen=True, slots=True)
class Win:
    """The facts of a win. None: not known. Money in hundredths, discounts in hundredths of a point."""

    price_held: bool | None
    date_held: bool | None
    buyer_answered: bool | None
    reading: str
    discount: int | None
    baseline: int | None
    traded: bool
    date: int
    """Local day of the win."""
    date_before: int | None
    """The close date that stood 30 d before, or at creation."""
    late_concession: int | None
    """Annualised: untraded points raised while a pressure pattern held x list amount."""


def read_win(deal: Deal, alerts: tuple[AlertState, ...], ruleset: Ruleset) -> Win:
    """Read a won deal."""
    at = deal.won_at
    day = ruleset.calendar.local_day(at)
    base = baseline(deal, at)
    traded = any(move.traded and move.points > 0 for move in deal.prices)
    price = _price_held(deal, base)
    date_before = _date_before(deal)
    date = _date_held(deal, day, date_before)
    answered = _buyer_answered(deal, ruleset)

    facts = [fact for fact in (price, date, answered) if fact is not None]
    if len(facts) < 2 or (deal.snapshots and not deal.creation_seen and not _has_history(deal)):
        reading = UNKNOWN
    elif price is False and _was_pressed(alerts, at):
        reading = PRESSURED
    elif False not in facts:
        reading = EARNED
    else:
        reading = MIXED
    return Win(
        price_held=price,
        date_held=date,
        buyer_answered=answered,
        reading=reading,
        discount=deal.discount,
        baseline=base,
        traded=traded,
        date=day,
        date_before=date_before,
        late_concession=_late_concession(deal, alerts, base),
    )


def _has_history(deal: Deal) -> bool:
    """Somebody was seen to do something with the deal before the save that won it."""
    moves: tuple[Move, ...] = (*deal.dates, *deal.prices, *deal.amounts, *deal.stages)
    return any(move.why == COUNTS and move.commit != deal.won_commit for move in moves)


def _price_held(deal: Deal, base: int | None) -> bool | None:
    if deal.discount is None or base is None:
        return None
    if deal.discount <= base + PRICE_SLACK:
        return True
    # Above the baseline is fine where every raise was traded.
    raises = [move for move in deal.prices if move.points > 0 and move.baseline is not None and move.why != CORRECTION]
    return bool(raises) and all(move.traded for move in raises)


def _date_before(deal: Deal) -> int | None:
    """The date that stood 30 d before the win, or at creation where the deal is younger."""
    at = deal.won_at - DATE_BEFORE_DAYS * DAY
    if deal.first_at == deal.won_at or (not deal.creation_seen and deal.first_at > at):
        return None  # written down as a win, or nothing is known of that time: no date was ever promised
    before = standing(deal.dates, at, deal.close_date)
    if before is None:
        before = next((move.new for move in deal.dates if move.new is not None), deal.close_date)
    return before


def _date_held(deal: Deal, day: int, before: int | None) -> bool | None:
    closing = [move for move in deal.dates if move.commit != deal.won_commit]
    dated = closing[-1].new if closing else before
    if deal.buyer_date is not None and abs(day - deal.buyer_date) <= DATE_SLACK_DAYS:
        return True
    if closing and closing[-1].why == BUYERS_DATE and dated is not None and abs(day - dated) <= DATE_SLACK_DAYS:
        return True
    return None if before is None else abs(day - before) <= DATE_SLACK_DAYS


def _buyer_answered(deal: Deal, ruleset: Ruleset) -> bool | None:
    """Whether an inbound touch was heard in the last days; silence is an answer only where one could be heard.

    The policy says that both ways are fed, or the deal itself shows it. Of a deal without any touch nothing is known.
    """
    if not deal.inbound_at and (ruleset.activities != BOTH_WAYS or not deal.touches):
        return None
    since = deal.won_at - ANSWER_DAYS * DAY
    if since <= deal.inbound_at <= deal.won_at:
        return True  # many outbound touches since may have put it out of those that are kept
    return any(touch.inbound and since <= touch.at <= deal.won_at for touch in deal.touches)


def _pressing(alerts: tuple[AlertState, ...], at: int) -> list[AlertState]:
    """Alerts of pressure in the last days before the win, by when the saves were made, not by when they arrived."""
    ended = at - PRESSURE_DAYS * DAY
    return [
        alert
        for alert in alerts
        if alert.rule in PRESSURE_RULES
        and not alert.retracted
        and alert.since <= at
        and (not alert.closed_at or alert.closed_at >= ended)
    ]


def _was_pressed(alerts: tuple[AlertState, ...], at: int) -> bool:
    return bool(_pressing(alerts, at))


def _held(alert: AlertState, move: PriceMove) -> bool:
    """The pattern held when the price moved, or began with that very save."""
    began = alert.since <= move.at or alert.commit == move.commit
    return began and (not alert.closed_at or move.at <= alert.closed_at)


def _late_concession(deal: Deal, alerts: tuple[AlertState, ...], base: int | None) -> int | None:
    listed = deal.list_amount
    if listed is None or deal.discount is None or base is None:
        return None
    pressing = _pressing(alerts, deal.won_at)
    points = sum(
        move.points
        for move in deal.prices
        if move.why == COUNTS
        and not move.traded
        and move.points > 0
        and move.baseline is not None
        and any(_held(alert, move) for alert in pressing)
    )
    points = min(points, max(0, deal.discount - base))
    yearly = listed if not deal.term_months or deal.term_months <= 12 else listed * 12 // deal.term_months
    return yearly * points // 10_000


def is_won(deal: Deal) -> bool:
    """The deal is won, and was seen to be won: a snapshot of an old win is no win."""
    return deal.status == WON and deal.won_commit != 0
