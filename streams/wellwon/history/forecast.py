"""What was borrowed from the next period, and how far forecast categories could be relied on: totals, never people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from wellwon.core.calendar import Period
from wellwon.core.model import BEST_CASE, COMMIT, LOST, WON
from wellwon.core.moves import COUNTS
from wellwon.core.travels import Travels
from wellwon.history.course import Course
from wellwon.history.money import Money, Rates

CALLED: Final = frozenset({COMMIT, BEST_CASE})


@dataclass(slots=True)
class Borrowing(Travels):
    """What one period took from the periods after it."""

    label: str
    first_day: int
    pulled_in: Money = field(default_factory=Counter)
    """Value of the deals pulled in over its end, inside its window."""
    deals: int = 0
    next_opening: Money = field(default_factory=Counter)
    """Value of the open deals that were dated into the next period when it began."""


@dataclass(slots=True)
class Borrowed(Travels):
    """Value pulled in across the boundary in the window, against the next period's opening pipeline.

    The amount is the deal's last one: a history of its dates says when it was pulled in, not what it was worth then.
    """

    periods: dict[int, Borrowing] = field(default_factory=dict)
    """By the period's index."""

    def add(self, course: Course, rates: Rates, windows: Mapping[str, int]) -> None:
        """Count a deal; ``windows``: days of the window by segment."""
        run, calendar, window = course.run, course.calendar, windows.get(course.run.segment, 0)
        pulled_in = {calendar.period_of(m.at) for m in run.dates if m.why == COUNTS and _pulls_in(course, m.at, window)}
        for period in pulled_in:
            borrowing = self._of(period)
            borrowing.deals += 1
            rates.add(borrowing.pulled_in, run.amount, run.currency)
        period = calendar.period_of(max(course.start, run.first_at))
        while period.end_at < course.closed_at and period.end_at <= run.ended_at:
            following = calendar.period_of(period.end_at)
            date = course.date_at(period.end_at - 1)
            if date is not None and following.start_day <= date <= following.end_day:
                rates.add(self._of(period).next_opening, run.amount, run.currency)
            period = following

    def take(self, other: Borrowed) -> None:
        """Add what was counted of other deals."""
        for index, theirs in other.periods.items():
            mine = self.periods.setdefault(index, Borrowing(theirs.label, theirs.first_day))
            mine.deals += theirs.deals
            mine.pulled_in.update(theirs.pulled_in)
            mine.next_opening.update(theirs.next_opening)

    def _of(self, period: Period) -> Borrowing:
        found = self.periods.get(period.index)
        if found is None:
            found = self.periods[period.index] = Borrowing(period.label, period.start_day)
        return found


def _pulls_in(course: Course, at: int, window: int) -> bool:
    """The date went from a later period into this one inside its window, and there it stayed."""
    calendar = course.calendar
    period = calendar.period_of(at)
    if calendar.local_day(at) < calendar.window_start(period, window):
        return False
    before = course.date_at(at - 1)
    if before is None or before <= period.end_day:
        return False
    last = course.date_at(min(period.end_at, course.closed_at) - 1)  # the close writes its own date, in UTC
    return last is not None and period.start_day <= last <= period.end_day


@dataclass(slots=True)
class Calls(Travels):
    """Sandbagging and over-calling: wins that nobody called, and calls that were not kept."""

    wins: int = 0
    """Wins with a forecast category."""
    uncalled: int = 0
    """Of these, never in Commit or Best Case."""
    uncalled_value: Money = field(default_factory=Counter)
    committed: int = 0
    """Closed deals that were ever in Commit."""
    overcalled: int = 0
    """Of these, lost."""
    overcalled_value: Money = field(default_factory=Counter)

    def add(self, course: Course, rates: Rates) -> None:
        """Count a deal."""
        run = course.run
        held = set(run.forecast)
        if run.win is not None and held:
            self.wins += 1
            if not held & CALLED:
                self.uncalled += 1
                rates.add(self.uncalled_value, run.amount, run.currency)
        if run.status in (WON, LOST) and COMMIT in held:
            self.committed += 1
            if run.status == LOST:
                self.overcalled += 1
                rates.add(self.overcalled_value, run.amount, run.currency)

    def take(self, other: Calls) -> None:
        """Add what was counted of other deals."""
        self.wins += other.wins
        self.uncalled += other.uncalled
        self.uncalled_value.update(other.uncalled_value)
        self.committed += other.committed
        self.overcalled += other.overcalled
        self.overcalled_value.update(other.overcalled_value)
