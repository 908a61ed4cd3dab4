"""Folds the runs of all deals into what a backtest says. Memory is bounded by rules, classes and periods, not deals."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Final

from wellwon.core.lifecycle import RETRACTED
from wellwon.core.model import OFF, SHADOW
from wellwon.core.rule import DEAL
from wellwon.core.units import DAY
from wellwon.history.course import BAD, DECIDED, LOST, SLIPPED, Course, days_between
from wellwon.history.deal_run import DealRun, Flag, HistoryInfo
from wellwon.history.forecast import Borrowed, Calls
from wellwon.history.interval import MIN_N, Share
from wellwon.history.like_deals import Comparison, LikeDeals
from wellwon.history.money import Rates
from wellwon.history.retention import CHURNED, Fate, Retention
from wellwon.history.wins import Wins
from wellwon.policy import Policy

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
    since: int
    """Epoch milliseconds from which flags are judged; 0: all."""
    policy: str
    """Its file, and the fingerprint of what it means."""
    rules: tuple[RuleResult, ...]
    """In the registry's order; rules that are off are left out."""
    groups: tuple[str, ...]
    """Rules of owners and teams that are not off: a backtest goes deal by deal, and does not ask them."""
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
        """Messages that people would have got: of the rules on data quality, or of all others, never of both."""
        told = (rule for rule in self.rules if (rule.family == DATA) == data)
        return sum(rule.counts.messages - rule.counts.shadow for rule in told)

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


class Tally:
    """Counts runs. ``since``: flags before it belong to the training part and are not judged."""

    def __init__(self, policy: Policy, fates: Mapping[str, Fate] | None = None, since: int = 0) -> None:
        rates = Rates.of(policy)
        calendar = policy.calendar.build()
        self._policy = policy
        self._calendar = calendar
        self._since = since
        self._rules: defaultdict[str, RuleCounts] = defaultdict(RuleCounts)
        self._like = LikeDeals(calendar, since)
        self._wins = Wins(calendar, rates)
        self._borrowed = Borrowed(calendar, rates, {s.name: s.window_days for s in policy.segments})
        self._calls = Calls(rates)
        self._retention = Retention(dict(fates)) if fates is not None else None
        self._deals: Counter[str] = Counter()
        self._flagged = 0
        self._open_ms = 0
        self._owners: dict[str, tuple[int, int]] = {}

    def add(self, run: DealRun) -> None:
        """Count a deal."""
        course = Course(run, self._calendar)
        self._deals[STANDING[run.status]] += 1
        self._time(course)
        first = self._flags(run.flags)
        # A rule in shadow tells nobody, so it is counted by itself and in no common figure.
        told = [flag for flag in first.values() if flag.mode != SHADOW]
        self._flagged += any(flag.family != DATA and flag.opened_at >= self._since for flag in told)
        risky = [flag for flag in told if flag.family in AT_RISK]
        if risky:
            first[ANY] = min(risky, key=lambda flag: flag.opened_at)
        self._like.add(course, {rule: flag.opened_at for rule, flag in first.items()})
        for rule, flag in first.items():
            if flag.opened_at >= self._since:
                self._judge(self._rules[rule], course, flag)
        self._wins.add(run)
        self._borrowed.add(course)
        self._calls.add(course)
        if self._retention is not None:
            before = [rule for rule, flag in first.items() if flag.opened_at <= course.closed_at]
            self._retention.add(run, before)

    def result(self, info: HistoryInfo) -> Backtest:
        """What the counts come to."""
        policy = self._policy
        asked = [(spec, policy.rules[spec.name].mode) for spec in policy.specs if policy.rules[spec.name].mode != OFF]
        return Backtest(
            info=info,
            since=self._since,
            policy=f"{policy.file if policy.origins else 'the defaults'} ({policy.fingerprint})",
            rules=tuple(self._rule(spec.name, spec.family, mode) for spec, mode in asked if spec.subject == DEAL),
            groups=tuple(spec.name for spec, _ in asked if spec.subject != DEAL),
            at_risk=self._rule(ANY, "", ""),
            wins=self._wins,
            borrowed=self._borrowed,
            calls=self._calls,
            retention=self._retention,
            deals=self._deals,
            flagged=self._flagged,
            owner_weeks=sum(max(last - first, DAY) for first, last in self._owners.values()) / WEEK,
            deal_weeks=self._open_ms / WEEK,
            reporting=policy.reporting_currency,
        )

    def _time(self, course: Course) -> None:
        run = course.run
        begin, end = max(run.first_at, self._since), min(course.closed_at, run.ended_at)
        if end < begin:
            return
        self._open_ms += end - begin
        first, last = self._owners.get(run.owner, (begin, end))
        self._owners[run.owner] = min(first, begin), max(last, end)

    def _flags(self, flags: Iterable[Flag]) -> dict[str, Flag]:
        """The first flag of each rule that was not taken back; counts messages on the way."""
        first: dict[str, Flag] = {}
        for flag in flags:
            judged = flag.opened_at >= self._since
            if flag.ended == RETRACTED:
                self._rules[flag.rule].retracted += judged
                continue
            if judged and not flag.covered:
                self._rules[flag.rule].messages += 1
                self._rules[flag.rule].shadow += flag.mode == SHADOW
            if flag.rule not in first or flag.opened_at < first[flag.rule].opened_at:
                first[flag.rule] = flag
        return first

    def _judge(self, counts: RuleCounts, course: Course, flag: Flag) -> None:
        became = course.flagged(flag.opened_at)
        counts.became[became.outcome] += 1
        counts.severities[flag.severity] += 1
        if became.outcome in BAD:
            counts.days_to_bad[max(0, days_between(flag.opened_at, became.at))] += 1

    def _rule(self, rule: str, family: str, mode: str) -> RuleResult:
        counts = self._rules[rule]
        decided = sum(counts.became[outcome] for outcome in DECIDED)
        bad = counts.became[LOST] + counts.became[SLIPPED]
        return RuleResult(
            rule=rule,
            family=family,
            mode=mode,
            counts=counts,
            precision=Share.of(bad, decided) if decided >= MIN_N else None,
            comparison=self._like.compare(rule),
            lead_days=quartiles(counts.days_to_bad) if bad >= MIN_N else None,
            churn=self._churn(rule),
        )

    def _churn(self, rule: str) -> tuple[Share, Share] | None:
        if self._retention is None:
            return None
        flagged, others = self._retention.flagged[rule], self._retention.unflagged(rule)
        if flagged.total() < MIN_N or others.total() < MIN_N:
            return None
        return Share.of(flagged[CHURNED], flagged.total()), Share.of(others[CHURNED], others.total())


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
