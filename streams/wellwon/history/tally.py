"""Counts the runs of deals, in as many processes as there are, and adds the counts up to what a backtest says.

Memory is bounded by rules, classes, periods and owners, not by deals.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import orjson

from wellwon.core.lifecycle import RETRACTED
from wellwon.core.model import OFF, SHADOW
from wellwon.core.rule import DEAL
from wellwon.core.travels import Travels
from wellwon.core.units import DAY, parse_instant
from wellwon.history.course import BAD, DECIDED, LOST, SLIPPED, Course, days_between
from wellwon.history.deal_run import DealRun, Flag, HistoryInfo
from wellwon.history.forecast import Borrowed, Calls
from wellwon.history.group_counts import GroupCounts
from wellwon.history.interval import MIN_N, Share
from wellwon.history.like_deals import LikeDeals
from wellwon.history.money import Rates
from wellwon.history.retention import CHURNED, Fate, Retention
from wellwon.history.stats import ANY, AT_RISK, DATA, STANDING, WEEK, Backtest, RuleCounts, RuleResult, quartiles
from wellwon.history.wins import Wins
from wellwon.policy import Policy


@dataclass(slots=True)
class Counts(Travels):
    """What some deals come to. It travels between processes."""

    since: int
    like: LikeDeals
    rules: defaultdict[str, RuleCounts] = field(default_factory=lambda: defaultdict(RuleCounts))
    wins: Wins = field(default_factory=Wins)
    borrowed: Borrowed = field(default_factory=Borrowed)
    calls: Calls = field(default_factory=Calls)
    retention: Retention = field(default_factory=Retention)
    deals: Counter[str] = field(default_factory=Counter)
    flagged: int = 0
    open_ms: int = 0
    owners: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By owner, from when until when they had open deals."""

    @classmethod
    def of(cls, since: int) -> Counts:
        """Nothing yet; flags before ``since`` will not be judged."""
        return cls(since, LikeDeals(since))

    def take(self, other: Counts) -> None:
        """Add what was counted of other deals."""
        for rule, counts in other.rules.items():
            self.rules[rule].take(counts)
        self.like.take(other.like)
        self.wins.take(other.wins)
        self.borrowed.take(other.borrowed)
        self.calls.take(other.calls)
        self.retention.take(other.retention)
        self.deals.update(other.deals)
        self.flagged += other.flagged
        self.open_ms += other.open_ms
        for owner, (begin, end) in other.owners.items():
            self.had_deals(owner, begin, end)

    def had_deals(self, owner: str, begin: int, end: int) -> None:
        """An owner had an open deal in this time."""
        first, last = self.owners.get(owner, (begin, end))
        self.owners[owner] = min(first, begin), max(last, end)


class Tally:
    """Counts runs. ``since``: flags before it belong to the training part and are not judged."""

    def __init__(self, policy: Policy, fates: Mapping[str, Fate] | None = None, since: int = 0) -> None:
        self._policy = policy
        self._calendar = policy.calendar.build()
        self._rates = Rates.of(policy)
        self._windows = {segment.name: segment.window_days for segment in policy.segments}
        self._fates = fates
        self._since = since
        self._counts = Counts.of(since)
        self._groups = GroupCounts()

    def add(self, run: DealRun) -> None:
        """Count a deal."""
        counts, course = self._counts, Course(run, self._calendar)
        counts.deals[STANDING[run.status]] += 1
        self._time(course)
        first = self._flags(run.flags)
        # A rule in shadow tells nobody, so it is counted by itself and in no common figure.
        told = [flag for flag in first.values() if flag.mode != SHADOW]
        counts.flagged += any(flag.family != DATA and flag.opened_at >= self._since for flag in told)
        risky = [flag for flag in told if flag.family in AT_RISK]
        if risky:
            first[ANY] = min(risky, key=lambda flag: flag.opened_at)
        counts.like.add(course, {rule: flag.opened_at for rule, flag in first.items()})
        for rule, flag in first.items():
            if flag.opened_at >= self._since:
                _judge(counts.rules[rule], course, flag)
        counts.wins.add(course, self._rates)
        counts.borrowed.add(course, self._rates, self._windows)
        counts.calls.add(course, self._rates)
        if self._fates is not None:
            before = [rule for rule, flag in first.items() if flag.opened_at <= course.closed_at]
            counts.retention.add(run, self._fates.get(run.deal_id), before)

    def hand_over(self) -> Counts:
        """What was counted since this was asked last."""
        counted, self._counts = self._counts, Counts.of(self._since)
        return counted

    def take(self, counts: Counts) -> None:
        """Add what another tally handed over."""
        self._counts.take(counts)

    def tell(self, record: bytes) -> None:
        """Count an alert record about an owner or a team."""
        alert = orjson.loads(record)
        if parse_instant(alert["opened_at"]) >= self._since:
            self._groups.add(alert)

    def result(self, info: HistoryInfo) -> Backtest:
        """What the counts come to."""
        policy, counts = self._policy, self._counts
        asked = [(spec, policy.rules[spec.name].mode) for spec in policy.specs if policy.rules[spec.name].mode != OFF]
        return Backtest(
            info=info,
            calendar=self._calendar,
            since=self._since,
            policy=f"{policy.file if policy.origins else 'the defaults'} ({policy.fingerprint})",
            rules=tuple(self._rule(spec.name, spec.family, mode) for spec, mode in asked if spec.subject == DEAL),
            groups=tuple(
                self._groups.result(spec.name, spec.subject, mode) for spec, mode in asked if spec.subject != DEAL
            ),
            at_risk=self._rule(ANY, "", ""),
            wins=counts.wins,
            borrowed=counts.borrowed,
            calls=counts.calls,
            retention=None if self._fates is None else counts.retention,
            deals=counts.deals,
            flagged=counts.flagged,
            owner_weeks=sum(max(last - first, DAY) for first, last in counts.owners.values()) / WEEK,
            deal_weeks=counts.open_ms / WEEK,
            reporting=policy.reporting_currency,
        )

    def _time(self, course: Course) -> None:
        run = course.run
        begin, end = max(run.first_at, self._since), min(course.closed_at, run.ended_at)
        if end >= begin:
            self._counts.open_ms += end - begin
            self._counts.had_deals(run.owner, begin, end)

    def _flags(self, flags: Iterable[Flag]) -> dict[str, Flag]:
        """The first flag of each rule that was not taken back; counts messages on the way."""
        first: dict[str, Flag] = {}
        rules = self._counts.rules
        for flag in flags:
            judged = flag.opened_at >= self._since
            if flag.ended == RETRACTED:
                rules[flag.rule].retracted += judged
                continue
            if judged and not flag.covered:
                rules[flag.rule].messages += 1
                rules[flag.rule].shadow += flag.mode == SHADOW
            if flag.rule not in first or flag.opened_at < first[flag.rule].opened_at:
                first[flag.rule] = flag
        return first

    def _rule(self, rule: str, family: str, mode: str) -> RuleResult:
        counts = self._counts.rules[rule]
        decided = sum(counts.became[outcome] for outcome in DECIDED)
        bad = counts.became[LOST] + counts.became[SLIPPED]
        return RuleResult(
            rule=rule,
            family=family,
            mode=mode,
            counts=counts,
            precision=Share.of(bad, decided) if decided >= MIN_N else None,
            comparison=self._counts.like.compare(rule),
            lead_days=quartiles(counts.days_to_bad) if bad >= MIN_N else None,
            churn=self._churn(rule),
        )

    def _churn(self, rule: str) -> tuple[Share, Share] | None:
        if self._fates is None:
            return None
        retention = self._counts.retention
        flagged, others = retention.flagged[rule], retention.unflagged(rule)
        if flagged.total() < MIN_N or others.total() < MIN_N:
            return None
        return Share.of(flagged[CHURNED], flagged.total()), Share.of(others[CHURNED], others.total())


def _judge(counts: RuleCounts, course: Course, flag: Flag) -> None:
    became = course.flagged(flag.opened_at)
    counts.became[became.outcome] += 1
    counts.severities[flag.severity] += 1
    if became.outcome in BAD:
        counts.days_to_bad[max(0, days_between(flag.opened_at, became.at))] += 1
