"""How the wins were won, by period; when in the period they came; what was conceded late."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Final

from wellwon.core.calendar import Period
from wellwon.core.travels import Travels
from wellwon.core.win import EARNED, UNKNOWN
from wellwon.history.course import Course
from wellwon.history.money import Money, Rates

DAYS_LEFT: Final = (0, 1, 4, 8, 15, 31)
"""Where the classes of days to the period's end begin: the last day, 1-3, 4-7, 8-14, 15-30, 31 and more."""
LAST_WEEK: Final = 7
FACTS: Final = ("price_held", "date_held", "buyer_answered")


def days_left_class(days: int) -> int:
    """The class in `DAYS_LEFT` that a number of days to the period's end is of."""
    return bisect_right(DAYS_LEFT, max(0, days)) - 1


def days_left_label(number: int) -> str:
    """What a class of days to the period's end is called."""
    low = DAYS_LEFT[number]
    if low == 0:
        return "last day"
    return f"{low}-{DAYS_LEFT[number + 1] - 1}" if number + 1 < len(DAYS_LEFT) else f"{low} or more"


@dataclass(slots=True)
class PeriodWins(Travels):
    """The wins of one period."""

    label: str
    first_day: int
    last_day: int
    readings: Counter[str] = field(default_factory=Counter)
    value: Money = field(default_factory=Counter)
    last_week: Money = field(default_factory=Counter)
    """Won in the period's last seven days."""
    conceded: Money = field(default_factory=Counter)
    """Late concessions of a year, where they are known."""
    conceding: int = 0
    """Wins with a late concession."""
    priced: int = 0
    """Wins of which the late concession is known, none included."""

    def take(self, other: PeriodWins) -> None:
        """Add what was counted of other deals."""
        self.readings.update(other.readings)
        self.value.update(other.value)
        self.last_week.update(other.last_week)
        self.conceded.update(other.conceded)
        self.conceding += other.conceding
        self.priced += other.priced

    @property
    def wins(self) -> int:
        """All wins of the period."""
        return self.readings.total()

    @property
    def known(self) -> int:
        """Wins with a reading."""
        return self.wins - self.readings[UNKNOWN]

    @property
    def earned(self) -> int:
        """Wins that were won well."""
        return self.readings[EARNED]


@dataclass(slots=True)
class Wins(Travels):
    """Counts of wins."""

    periods: dict[int, PeriodWins] = field(default_factory=dict)
    """By the period's index."""
    facts: defaultdict[str, Counter[bool | None]] = field(default_factory=lambda: defaultdict(Counter))
    """Each fact of the win record: how often yes, no, not known (None)."""
    value_by_day: defaultdict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    """By currency: value won by days to the period's end."""
    wins_by_day: Counter[int] = field(default_factory=Counter)
    conceded_by_days_left: defaultdict[int, Money] = field(default_factory=lambda: defaultdict(Counter))
    conceding_by_days_left: Counter[int] = field(default_factory=Counter)
    priced_by_days_left: Counter[int] = field(default_factory=Counter)

    def add(self, course: Course, rates: Rates) -> None:
        """Count a deal, if it is won."""
        run = course.run
        win = run.win
        if win is None:
            return
        period = self._period(course.calendar.period_of_day(win.date))
        left = period.last_day - win.date
        period.readings[win.reading] += 1
        for fact in FACTS:
            self.facts[fact][getattr(win, fact)] += 1
        won: Money = Counter()
        rates.add(won, run.amount, run.currency)
        period.value.update(won)
        if left < LAST_WEEK:
            period.last_week.update(won)
        self.wins_by_day[left] += 1
        for currency, amount in won.items():
            self.value_by_day[currency][left] += amount
        if win.late_concession is not None:
            left_class = days_left_class(left)
            period.priced += 1
            self.priced_by_days_left[left_class] += 1
            if win.late_concession > 0:
                period.conceding += 1
                self.conceding_by_days_left[left_class] += 1
                rates.add(period.conceded, win.late_concession, run.currency)
                rates.add(self.conceded_by_days_left[left_class], win.late_concession, run.currency)

    def take(self, other: Wins) -> None:
        """Add what was counted of other deals."""
        for index, theirs in other.periods.items():
            mine = self.periods.setdefault(index, PeriodWins(theirs.label, theirs.first_day, theirs.last_day))
            mine.take(theirs)
        for fact, facts in other.facts.items():
            self.facts[fact].update(facts)
        for currency, value in other.value_by_day.items():
            self.value_by_day[currency].update(value)
        self.wins_by_day.update(other.wins_by_day)
        for left, conceded in other.conceded_by_days_left.items():
            self.conceded_by_days_left[left].update(conceded)
        self.conceding_by_days_left.update(other.conceding_by_days_left)
        self.priced_by_days_left.update(other.priced_by_days_left)

    def _period(self, period: Period) -> PeriodWins:
        found = self.periods.get(period.index)
        if found is None:
            found = self.periods[period.index] = PeriodWins(period.label, period.start_day, period.end_day)
        return found
