"""What several rules read from a deal in the same way: the words that they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from wellwon.core.calendar import Period
from wellwon.core.deal import Deal
from wellwon.core.engine import deal_type_of
from wellwon.core.items import USER
from wellwon.core.model import ALERT, COMMIT, OPEN
from wellwon.core.moves import COUNTS, SCOPE_CHANGED, SCOPE_SAME, AmountMove, DateMove, Move, PriceMove
from wellwon.core.price import baseline
from wellwon.core.rule import View
from wellwon.core.units import format_date, format_instant, format_percent

M = TypeVar("M", bound=Move)

POINT: Final = 100
"""A percentage point, and a percent, in the core's hundredths."""


# --- dates ----------------------------------------------------------------------------------------------------


def is_push(move: DateMove) -> bool:
    """A person moved the close date later."""
    return move.why == COUNTS and move.old is not None and move.new is not None and move.new > move.old


def is_pull_in(move: DateMove) -> bool:
    """A person moved the close date earlier."""
    return move.why == COUNTS and move.old is not None and move.new is not None and move.new < move.old


def dated_in(period: Period, day: int | None) -> bool:
    """Whether a close date lies in the period."""
    return day is not None and period.start_day <= day <= period.end_day


def pushes_since_progress(deal: Deal) -> list[DateMove]:
    """The pushes after the last stage progress, oldest first; a push saved with the progress is not among them."""
    since = deal.progress_at
    return [move for move in deal.dates if move.at > since and is_push(move)]


def no_progress_since(view: View) -> str | None:
    """The local day of the last stage progress, or of the deal's beginning."""
    deal = view.deal
    at = deal.progress_at or deal.created_at or deal.first_at
    return format_date(view.calendar.local_day(at)) if at else None


# --- stage and forecast ---------------------------------------------------------------------------------------


def is_promised(view: View) -> bool:
    """Open, and in Commit or in a late stage; of a deal whose stage was never seen nobody knows that it is open."""
    deal = view.deal
    if deal.status != OPEN or not deal.stage:
        return False
    if deal.category == COMMIT:
        return True
    stage = view.stage()
    return stage is not None and stage.late


def progressed(deal: Deal, since: int, until: int, commit: int) -> bool:
    """Stage progress between two instants, or in this save."""
    return any(move.progress and (since <= move.at <= until or move.commit == commit) for move in deal.stages)


def latest(*histories: Sequence[M]) -> M | None:
    """The newest move of several histories."""
    return max((history[-1] for history in histories if history), key=lambda move: move.at, default=None)


def writer_of(move: Move | None) -> str | None:
    """Which kind of writer made a move, as far as the deal keeps it: a person, or not known."""
    return USER if move is not None and move.why == COUNTS else None


# --- price ----------------------------------------------------------------------------------------------------


def raised_above_baseline(move: PriceMove, least: int) -> bool:
    """A person raised the discount in one save by at least this (hundredths of a point), above a settled baseline."""
    if move.why != COUNTS or move.new is None or move.baseline is None:
        return False
    return move.points >= least and move.new > move.baseline


def points_over_baseline(view: View) -> int:
    """How far the discount is above the baseline now, hundredths of a point; 0 where either is not known."""
    deal = view.deal
    base = baseline(deal, view.at)
    return 0 if base is None or deal.discount is None else deal.discount - base


def window_of_concession(view: View, move: PriceMove | AmountMove) -> Period | None:
    """The period in whose window the save was made, if the deal was dated in that period after it.

    A win writes its own date, in UTC, which on the last evening may be the next period's: there the local day counts.
    """
    period = view.window_of(move.at)
    if period is None or (move.commit != view.deal.won_commit and not dated_in(period, move.date)):
        return None
    return period


def is_raise_for_nothing(move: PriceMove, least: int) -> bool:
    """A concession: a person raised the discount by at least this (hundredths of a point), nothing given in return.

    Before the baseline is settled, prices are a first offer, not a concession.
    """
    return move.why == COUNTS and not move.traded and move.baseline is not None and move.points >= least


def is_cut_for_nothing(move: AmountMove, least: int) -> bool:
    """A concession: a person cut the amount by at least this (hundredths of a percent) at the same scope, untraded."""
    return move.why == COUNTS and not move.traded and move.scope == SCOPE_SAME and move.cut_bp >= least


def scope_of(move: AmountMove) -> str:
    """What the amount fell by: ``scope`` where the list amount changed with it, else ``price``."""
    return "scope" if move.scope == SCOPE_CHANGED else "price"


# --- rules ----------------------------------------------------------------------------------------------------


def params_of(view: View, rule: str) -> Any | None:
    """The parameters with which another rule tells people of this deal, or None if it does not."""
    for active in view.segment.rules.get(deal_type_of(view.deal, view.ruleset), ()):
        if active.spec.name == rule and active.mode == ALERT:
            return active.params
    return None


# --- words and evidence ---------------------------------------------------------------------------------------


def counted(number: int, one: str) -> str:
    """``1 push``, ``3 pushes``."""
    return f"{number} {one}" if number == 1 else f"{number} {one}{'es' if one.endswith(('sh', 'ch')) else 's'}"


def percent(hundredths: int) -> str:
    """``22.5 %``."""
    return f"{format_percent(hundredths)} %"


def days_to_period_end(view: View, at: int) -> int:
    """Local days from an instant to the last day of its period."""
    day = view.calendar.local_day(at)
    return view.calendar.period_of_day(day).end_day - day


def before_period_end(view: View, at: int) -> str:
    """``3 days before quarter end``."""
    days = days_to_period_end(view, at)
    kind = view.calendar.kind
    return f"{counted(days, 'day')} before {kind} end" if days else f"on the {kind}'s last day"


def written_date(day: int | None) -> str | None:
    """A date as it is written, None for an empty one."""
    return None if day is None else format_date(day)


def evidence(
    view: View, *, at: int, before: Any, after: Any, threshold: str, clears: str, writer: str | None = USER, **more: Any
) -> dict[str, Any]:
    """What every finding shows: what changed, when, by which kind of writer, against what, and how to clear it."""
    return {
        "before": before,
        "after": after,
        "when": format_instant(at),
        "writer": writer,
        "days_to_period_end": days_to_period_end(view, at),
        "threshold": threshold,
        **more,
        "clears": clears,
    }
