"""What became of a deal, asked at any instant of its life.

A deal that is open at an instant is *promised* for the period that its close date lies in; where there is no such date,
or it lies in a period that is over, for the period of the instant itself. By that period's end it has been won or lost,
or it has *slipped*. So a flag is judged by what came after it, never by the push that raised it.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final, NamedTuple

from wellwon.core.calendar import FiscalCalendar, Period
from wellwon.core.model import DELETED as DEAL_DELETED
from wellwon.core.model import OPEN as DEAL_OPEN
from wellwon.core.model import WON as DEAL_WON
from wellwon.core.units import DAY
from wellwon.history.deal_run import DealRun

WON: Final = "won"
LOST: Final = "lost"
SLIPPED: Final = "slipped"
OPEN: Final = "open"
"""Undecided: the promised period is not over, and the deal is still dated into it."""
DELETED: Final = "deleted"
CLOSING: Final = "closing"
"""Flagged by the save that closed it, or later: what became of it was known."""
OUTCOMES: Final = (WON, LOST, SLIPPED, OPEN, DELETED, CLOSING)
BAD: Final = frozenset({LOST, SLIPPED})
DECIDED: Final = frozenset({WON, LOST, SLIPPED})


class Became(NamedTuple):
    """What became of a deal, and when (epoch milliseconds; of what is not decided, the end of the history)."""

    outcome: str
    at: int


class Course:
    """One deal's life with the questions that statistics ask of it."""

    __slots__ = ("_became", "_dated_at", "calendar", "closed_at", "run", "start")

    def __init__(self, run: DealRun, calendar: FiscalCalendar) -> None:
        self.run = run
        self.start = run.created_at or run.first_at
        """From when its age counts."""
        self.closed_at = run.closed_at if run.status != DEAL_OPEN and run.closed_at else run.ended_at + 1
        """The instant from which it is not open any more; just after the end of the history if it is open there."""
        self.calendar = calendar
        self._dated_at = [move.at for move in run.dates]
        self._became: dict[int, Became] = {}

    def date_at(self, at: int) -> int | None:
        """The close date that stood at an instant, the moves of that instant made."""
        dates = self.run.dates
        if not dates:
            return self.run.close_date
        number = bisect_right(self._dated_at, at)
        return dates[number - 1].new if number else dates[0].old

    def promised(self, at: int) -> Period:
        """The period for which the deal was promised at an instant."""
        now = self.calendar.period_of(at)
        date = self.date_at(at)
        if date is None or date <= now.end_day:
            return now
        return self.calendar.period_of_day(date)

    def became(self, period: Period) -> Became:
        """What became of the deal by the end of the period that it was promised for."""
        found = self._became.get(period.index)
        if found is None:
            found = self._became[period.index] = self._conclude(period)
        return found

    def flagged(self, at: int) -> Became:
        """What became of the deal after a flag."""
        if at >= self.closed_at:
            return Became(CLOSING, self.closed_at)
        return self.became(self.promised(at))

    def _conclude(self, period: Period) -> Became:
        run = self.run
        if run.status == DEAL_DELETED:
            return Became(DELETED, self.closed_at)
        if run.status != DEAL_OPEN and self.closed_at < period.end_at:
            return Became(WON if run.status == DEAL_WON else LOST, self.closed_at)
        end = min(period.end_at - 1, run.ended_at)
        date = self.date_at(end)
        if date is not None and date > period.end_day:
            left = [m.at for m in run.dates if m.at <= end and m.new is not None and m.new > period.end_day]
            stayed = max((m.at for m in run.dates if m.at <= end and not _beyond(m.new, period)), default=-1)
            return Became(SLIPPED, min((at for at in left if at > stayed), default=end))
        if run.ended_at >= period.end_at:
            return Became(SLIPPED, period.end_at)
        return Became(OPEN, run.ended_at)


def _beyond(day: int | None, period: Period) -> bool:
    return day is not None and day > period.end_day


def days_between(before: int, after: int) -> int:
    """Whole days from one instant to another."""
    return (after - before) // DAY
