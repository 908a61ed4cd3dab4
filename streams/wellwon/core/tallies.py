"""What the rules about an owner or a team count, kept deal by deal: a rule is asked again only when that has changed.

A rule counts little of a deal, and most deals count for nothing in a period. So what it counts is kept by deal, and
only the deals that have a new fact are looked at again. All of it follows from the facts, so none of it is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from wellwon.core.calendar import Period
from wellwon.core.exemption import uncounted
from wellwon.core.facts import Fact
from wellwon.core.group import GroupView, PeriodView
from wellwon.core.model import GroupRule, Ruleset


class Tally:
    """What one rule counts of one owner's or team's deals in one period."""

    __slots__ = ("_ruleset", "_since", "_view", "by_deal", "changed", "rule", "wake_at")

    def __init__(self, rule: GroupRule, period: Period, ruleset: Ruleset) -> None:
        self.rule: Final = rule
        self.by_deal: dict[bytes, Any] = {}
        self.changed = True
        """Since the rule was asked last."""
        self.wake_at = -1
        """When time alone may change the rule's answer; -1 never."""
        self._since = -1
        self._ruleset = ruleset
        self._view = PeriodView(period, ruleset)

    def is_due(self, hour: int) -> bool:
        """Whether the rule may answer otherwise than before."""
        return self.changed or 0 <= self.wake_at <= hour

    def is_stale(self, hour: int) -> bool:
        """Whether all deals must be looked at: none was yet, or an exemption has ended since."""
        return self._since < 0 or any(self._since < one.ends_at <= hour for one in self._ruleset.exemptions)

    def count_all(self, facts: dict[bytes, Fact], hour: int) -> None:
        """Look at every deal, anew."""
        self.by_deal.clear()
        self.changed, self._since = True, hour
        self.count(facts, facts, hour)

    def count(self, keys: Iterable[bytes], facts: dict[bytes, Fact], hour: int) -> None:
        """Look at these deals again; one that is not among ``facts`` counts for nothing any more."""
        counts, by_deal = self.rule.spec.counts, self.by_deal
        assert counts is not None
        for key in keys:
            fact = facts.get(key)
            part = None
            if (
                fact is not None
                and fact.deal_type in self.rule.deal_types
                and not (self._ruleset.exemptions and uncounted(self.rule.spec.name, fact, hour, self._ruleset))
            ):
                part = counts(self._view, fact)
            if part != by_deal.get(key):
                self.changed = True
                if part is None:
                    del by_deal[key]
                else:
                    by_deal[key] = part

    def view(self, hour: int) -> GroupView:
        """What the rule sees."""
        return GroupView(self.by_deal, self._view.period, hour, self._ruleset)


class Tallies:
    """The tallies of everyone, for the current period and the one before it."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset
        self._of: dict[str, dict[tuple[str, str], Tally]] = {}

    def of(
        self, subject: str, periods: tuple[Period, ...], touched: Iterable[bytes], facts: dict[bytes, Fact], hour: int
    ) -> Iterator[tuple[Period, Tally]]:
        """The tallies of an owner or a team, with what is new of the ``touched`` deals; ``facts``: all that it has."""
        kind, known = subject.partition(":")[0], self._of.get(subject, {})
        kept: dict[tuple[str, str], Tally] = {}
        for period in periods:
            for rule in self._ruleset.group_rules:
                if rule.spec.subject == kind:
                    key = period.label, rule.spec.name
                    tally = kept[key] = known.get(key) or Tally(rule, period, self._ruleset)
                    if tally.is_stale(hour):
                        tally.count_all(facts, hour)
                    else:
                        tally.count(touched, facts, hour)
                    yield period, tally
        self._of[subject] = kept

    def forget(self, but: Iterable[str]) -> None:
        """Let go of everyone but those who have deals."""
        self._of = {subject: self._of[subject] for subject in but if subject in self._of}
