"""What a backtest says, and what of it follows from the counts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from wellwon.core.calendar import FiscalCalendar
from wellwon.core.units import DAY
from wellwon.history.course import DECIDED
from wellwon.history.deal_run import HistoryInfo
from wellwon.history.forecast import Borrowed, Calls
from wellwon.history.group_counts import GroupResult
from wellwon.history.interval import Share
from wellwon.history.like_deals import Comparison
from wellwon.history.retention import Retention
from wellwon.history.wins import Wins

WEEK: Final = 7 * DAY
QUARTILES: Final = (0.25, 0.5, 0.75)

DATA: Final = "data"
"""The family of rules on data quality, which are never counted together with the others."""

AT_RISK: Final = frozenset({"timing", "forecast", "stage"})
"""Families whose flags say that a deal may be lost or slip; price and pressure say at what cost it may be won."""
ANY: Final = "timing, forecast or stage"
"""The rules of these families that tell people, taken as one: flagged is what any of them flagged."""
RATED_MS: Final = 28 * DAY
"""In a history shorter than this a rate per week is chance."""

MORE: Final = "more"
LESS: Final = "less"
NO_DIFFERENCE: Final = "no difference"
INSUFFICIENT: Final = "insufficient history"


@dataclass(slots=True)
class RuleCounts:
    """What a rule said, counted."""

    became: Counter[str] = field(default_factory=Counter)
    """Flagged deals by what became of them."""
    days_to_bad: Counter[int] = field(default_factory=Counter)
    """Lost or slipped deals by days from the first flag."""
    severities: Counter[str] = field(default_factory=Counter)
    """Deals by the highest severity that the first flag reached."""
    messages: int = 0
    """Alerts that lead a message; those in shadow would, if the rule were set to alert."""
    shadow: int = 0
    """Of the messages, those that nobody would have got."""
    retracted: int = 0
    """Alerts taken back because a correction explained them: they flag nothing."""

    def take(self, other: RuleCounts) -> None:
        """Add what was counted of other deals."""
        self.became.update(other.became)
        self.days_to_bad.update(other.days_to_bad)
        self.severities.update(other.severities)
        self.messages += other.messages
        self.shadow += other.shadow
        self.retracted += other.retracted


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What a backtest says of one rule."""

    rule: str
    family: str
    mode: str
    counts: RuleCounts
    precision: Share | None
    """Lost or slipped, of the flagged deals whose outcome is decided; None below `MIN_N`."""
    comparison: Comparison | None
    lead_days: tuple[int, int, int] | None
    """Quartiles of the days from the first flag to the loss or slip."""
    churn: tuple[Share, Share] | None
    """Churned, of the flagged wins and of the unflagged wins of the same segments, where the outcomes are given."""

    @property
    def deals(self) -> int:
        """Flagged deals."""
        return self.counts.became.total()

    @property
    def decided(self) -> int:
        """Flagged deals that were won, lost or slipped after the flag."""
        return sum(self.counts.became[outcome] for outcome in DECIDED)

    @property
    def verdict(self) -> str:
        """Whether flagged deals were lost or slipped MORE or LESS often than like deals, or neither; INSUFFICIENT."""
        if self.comparison is None or self.comparison.lift is None:
            return INSUFFICIENT
        lift = self.comparison.lift
        return MORE if lift.low > 1 else LESS if lift.high < 1 else NO_DIFFERENCE


@dataclass(frozen=True)
class Backtest:
    """What wellwon would have said about this history, and what became of it."""

    info: HistoryInfo
    calendar: FiscalCalendar
    since: int
    """Epoch milliseconds from which flags are judged; 0: all."""
    policy: str
    """Its file, and the fingerprint of what it means."""
    rules: tuple[RuleResult, ...]
    """In the registry's order; rules that are off are left out."""
    groups: tuple[GroupResult, ...]
    """Rules about owners and teams that are not off, in the registry's order."""
    at_risk: RuleResult
    """`ANY`; it has no messages of its own."""
    wins: Wins
    borrowed: Borrowed
    calls: Calls
    retention: Retention | None
    deals: Counter[str]
    """Deals by how they stand at the end: won, lost, open, deleted."""
    flagged: int
    """Deals of which people would have been told, data quality aside."""
    owner_weeks: float
    deal_weeks: float
    """Weeks that deals were open, together."""
    reporting: str
    """The currency into which all is converted that has a plan rate; empty without plan rates."""

    def messages(self, data: bool) -> int:
        """Messages that owners would have got: of the rules on data quality, or of all others, never of both."""
        told = (rule for rule in self.rules if (rule.family == DATA) == data)
        owners = (group for group in self.groups if group.to_owners and not group.in_shadow and not data)
        return sum(rule.counts.messages - rule.counts.shadow for rule in told) + sum(one.messages for one in owners)

    @property
    def rated(self) -> bool:
        """Whether the history is long enough for rates per week."""
        return self.info.as_of - max(self.info.first_at, self.since) >= RATED_MS

    def per_owner_week(self, messages: int) -> float:
        """Messages per owner and week."""
        return messages / self.owner_weeks if self.owner_weeks else 0.0

    def per_hundred_deals_week(self, messages: int) -> float:
        """Messages per 100 open deals and week."""
        return 100 * messages / self.deal_weeks if self.deal_weeks else 0.0


STANDING: Final = ("open", "won", "lost", "deleted")
"""What the statuses of `core.model` are called."""


def quartiles(counts: Counter[int]) -> tuple[int, int, int]:
    """The quartiles of counted values: of each, the smallest value that so large a share is not above."""
    values = sorted(counts)
    sums = list(accumulate(counts[value] for value in values))
    low, middle, high = (
        next(value for value, upto in zip(values, sums, strict=True) if upto >= share * sums[-1]) for share in QUARTILES
    )
    return low, middle, high
