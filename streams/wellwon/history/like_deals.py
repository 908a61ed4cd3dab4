"""Flagged deals against like deals: of the same segment, as old, with as much time left, and not flagged.

A flag is compared with every deal of its segment that was open at the same age, was promised for a period with as much
time left, and had not been flagged by that rule up to that age; some of these are flagged later, as in life. Ages and
times left are classes; a deal stands for itself once in each class of age that it lives to the middle of. The like
deals of the classes are weighted by how many flagged deals are in each, so that both sides are of the same mix.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from wellwon.core.calendar import Period
from wellwon.core.travels import Travels
from wellwon.core.units import DAY
from wellwon.history.course import BAD, DECIDED, Course
from wellwon.history.interval import MIN_N, Ratio, Share, ratio

AGE_DAYS: Final = (0, 7, 14, 21, 30, 45, 60, 75, 90, 120, 150, 180, 240, 300, 365, 545, 730)
"""Where the classes of age begin, in days since creation."""
_MIDDLES: Final = tuple(
    (low + high) * DAY // 2 for low, high in zip(AGE_DAYS, (*AGE_DAYS[1:], 2 * AGE_DAYS[-1]), strict=True)
)
LEFT_DAYS: Final[dict[str, tuple[int, ...]]] = {"quarter": (10, 30, 92), "month": (4, 10, 31)}
"""Classes of days left to the promised period's end, by kind of period: the window, its last third, this one, later."""
MIN_ALIKE: Final = 5
"""A class with fewer like deals than this compares nothing; its flagged deals are left out of the lift."""

Class = tuple[str, int, int]
"""Segment, class of age, class of time left."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The share of lost or slipped deals among the flagged, and among like deals that were not flagged."""

    flagged: Share
    alike: Share
    """Weighted to the mix of the flagged; ``n`` is the effective number."""
    standing: int
    """How often a deal stood as a like deal."""
    left_out: int
    """Flagged deals without enough like deals."""
    lift: Ratio | None
    """How many times as often the flagged were lost or slipped; None where like deals never were."""


@dataclass(slots=True)
class LikeDeals(Travels):
    """Counts of deals by class, everyone and those flagged by each rule. ``since``: what was before is not counted."""

    since: int = 0
    everyone: Counter[Class] = field(default_factory=Counter)
    everyone_bad: Counter[Class] = field(default_factory=Counter)
    deals: Counter[str] = field(default_factory=Counter)
    """Deals that stand in any class, by segment."""
    flagged: defaultdict[str, Counter[Class]] = field(default_factory=lambda: defaultdict(Counter))
    flagged_bad: defaultdict[str, Counter[Class]] = field(default_factory=lambda: defaultdict(Counter))
    already: defaultdict[str, Counter[Class]] = field(default_factory=lambda: defaultdict(Counter))
    """Of everyone, those that the rule had flagged by then: they are no like deals of its flags."""
    already_bad: defaultdict[str, Counter[Class]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, course: Course, flags: Mapping[str, int]) -> None:
        """Count a deal; ``flags`` is when each rule first flagged it (epoch milliseconds)."""
        segment, start, end = course.run.segment, course.start, course.closed_at
        seen = max(course.run.first_at, self.since)
        ages = [(rule, _age(course, at)) for rule, at in flags.items()]
        stands = False
        for age, middle in enumerate(_MIDDLES):
            at = start + middle
            if at >= end:
                break
            if at < seen:
                continue
            period = course.promised(at)
            outcome = course.became(period).outcome
            if outcome not in DECIDED:
                continue
            stands, bad, where = True, outcome in BAD, (segment, age, _left(course, period, at))
            self.everyone[where] += 1
            if bad:
                self.everyone_bad[where] += 1
            for rule, flagged_age in ages:
                if flagged_age <= age:
                    self.already[rule][where] += 1
                    self.already_bad[rule][where] += bad
        self.deals[segment] += stands
        for rule, at in flags.items():
            outcome = course.flagged(at).outcome
            if at >= self.since and outcome in DECIDED:
                where = segment, _age(course, at), _left(course, course.promised(at), at)
                self.flagged[rule][where] += 1
                self.flagged_bad[rule][where] += outcome in BAD

    def take(self, other: LikeDeals) -> None:
        """Add what was counted of other deals."""
        self.everyone.update(other.everyone)
        self.everyone_bad.update(other.everyone_bad)
        self.deals.update(other.deals)
        for mine, theirs in (
            (self.flagged, other.flagged),
            (self.flagged_bad, other.flagged_bad),
            (self.already, other.already),
            (self.already_bad, other.already_bad),
        ):
            for rule, counts in theirs.items():
                mine[rule].update(counts)

    def compare(self, rule: str) -> Comparison | None:
        """The flagged deals of a rule against like deals; None where there are too few of either."""
        matched = matched_bad = left_out = alike = 0
        weighted: list[tuple[int, int, float]] = []
        used: list[Class] = []
        for where, count in sorted(self.flagged[rule].items()):
            others = self.everyone[where] - self.already[rule][where]
            if others < MIN_ALIKE:
                left_out += count
                continue
            matched += count
            matched_bad += self.flagged_bad[rule][where]
            alike += others
            used.append(where)
            weighted.append((count, others, (self.everyone_bad[where] - self.already_bad[rule][where]) / others))
        if matched < MIN_N or alike < MIN_N:
            return None
        rate = sum((count * share for count, _, share in weighted), 0.0) / matched
        # How many deals drawn evenly would be as sure as these weighted ones (Kish). A deal that stands in several
        # classes of age is one deal: as if its ends were all the same, which is the careful reading.
        alone = sum((count * count / others for count, others, _ in weighted), 0.0)
        effective = matched * matched / alone / self._repeats(used)
        flagged, like = Share.of(matched_bad, matched), Share.of(min(1.0, rate) * effective, effective)
        return Comparison(flagged, like, alike, left_out, ratio(flagged, like))

    def _repeats(self, used: list[Class]) -> float:
        """In how many of these classes a deal stands, on average, at most."""
        segments = {segment for segment, _, _ in used}
        standing = sum(count for (segment, _, _), count in self.everyone.items() if segment in segments)
        ages = len({age for _, age, _ in used})
        return max(1.0, min(float(ages), standing / sum(self.deals[segment] for segment in segments)))


def _left(course: Course, period: Period, at: int) -> int:
    return bisect_right(LEFT_DAYS[course.calendar.kind], period.end_day - course.calendar.local_day(at))


def _age(course: Course, at: int) -> int:
    return bisect_right(AGE_DAYS, max(0, at - course.start) // DAY) - 1
