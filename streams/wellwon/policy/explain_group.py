"""Why each rule about owners or teams holds for one of them, or does not, from the facts of their deals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from wellwon.core.exemption import uncounted
from wellwon.core.facts import Fact
from wellwon.core.group import GroupView, PeriodView, subjects_of
from wellwon.core.model import GroupRule, Ruleset
from wellwon.core.rule import OWNER_SUBJECT, TEAM_SUBJECT

KINDS = (OWNER_SUBJECT, TEAM_SUBJECT)


@dataclass(frozen=True, slots=True)
class GroupAnswer:
    """What one rule says of an owner's or a team's deals in a period, and of how many of them."""

    rule: str
    mode: str
    period: str
    counted: int
    """Deals that count for something in the period."""
    deals: int
    """All deals that are known of them."""
    thresholds: dict[str, int]
    severity: str = ""
    """Empty where it does not hold."""
    title: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)


def explain_group(subject: str, facts: Iterable[Fact], at: int, ruleset: Ruleset) -> list[GroupAnswer]:
    """Ask every rule of its kind about ``owner:ID`` or ``team:NAME``, of the period of an instant and the one before.

    ``facts``: how each deal stands; those of others are left out.
    """
    mine = [fact for fact in facts if subject in subjects_of(fact, ruleset)]
    now = ruleset.calendar.period_of(at)
    before = ruleset.calendar.period_of_day(now.start_day - 1)
    kind = subject.partition(":")[0]
    answers = []
    for period in (now, before):
        view = PeriodView(period, ruleset)
        for rule in ruleset.group_rules:
            if rule.spec.subject == kind:
                by_deal = _by_deal(rule, mine, view, at, ruleset)
                finding = rule.spec.check(GroupView(by_deal, period, at, ruleset), rule.params)
                answers.append(
                    GroupAnswer(
                        rule=rule.spec.name,
                        mode=rule.mode,
                        period=period.label,
                        counted=len(by_deal),
                        deals=len(mine),
                        thresholds={name: getattr(rule.params, name) for name in rule.params.__dataclass_fields__},
                        severity="" if finding is None else finding.severity,
                        title="" if finding is None else finding.title,
                        evidence={} if finding is None else finding.evidence,
                    )
                )
    return answers


def _by_deal(rule: GroupRule, facts: list[Fact], view: PeriodView, at: int, ruleset: Ruleset) -> dict[bytes, Any]:
    count = rule.spec.counts
    assert count is not None
    parts = {
        fact.deal.encode(): count(view, fact)
        for fact in facts
        if fact.deal_type in rule.deal_types and not uncounted(rule.spec.name, fact, at, ruleset)
    }
    return {deal: part for deal, part in parts.items() if part is not None}
