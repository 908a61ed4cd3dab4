"""Judges owners and teams by what was noted of their deals: see `group_facts`."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from wellwon.core import lifecycle, records
from wellwon.core.calendar import Period
from wellwon.core.group import GroupView
from wellwon.core.model import GroupRule, Ruleset
from wellwon.core.rule import Finding
from wellwon.core.stored import AlertState
from wellwon.history.group_facts import Counted, Instants

FACTS: Final = "facts"


def noted(folder: Path, period: int, bucket: int) -> dict[str, list[Counted]]:
    """What every process noted of a period's owners and teams, by whom it concerns, in order of time."""
    found: dict[str, list[Counted]] = {}
    for file in sorted(folder.glob(f"groups-{period}-{bucket}-*")):
        with file.open("rb") as stored:
            while stored.peek(1):
                for one in map(Counted._make, pickle.load(stored)):
                    found.setdefault(one.subject, []).append(one)
    for some in found.values():
        some.sort(key=lambda one: one.at)
    return found


class GroupJudge:
    """Judges under one policy."""

    def __init__(self, ruleset: Ruleset, instants: Instants, folder: Path) -> None:
        self._ruleset = ruleset
        self._folder = folder
        self._modes = {rule.spec.name: rule.mode for rule in ruleset.group_rules}
        self._periods: dict[int, tuple[Period, list[int]]] = {}
        for at, period in zip(instants.at, instants.periods, strict=True):
            self._periods.setdefault(period.index, (period, []))[1].append(at)
        self.failures: list[str] = []
        """Rules that raised: they are mistakes of ours."""

    def jobs(self) -> list[tuple[int, int]]:
        """What can be judged apart, once all is noted: period and bucket."""
        names = (file.name.split("-") for file in self._folder.glob("groups-*"))
        return sorted({(int(period), int(bucket)) for _, period, bucket, _ in names})

    def records(self, period: int, bucket: int) -> list[bytes]:
        """The alert records of some owners and teams in a period."""
        when, instants = self._periods[period]
        together = noted(self._folder, period, bucket)
        return [
            record for subject in sorted(together) for record in self._judge(subject, together[subject], when, instants)
        ]

    def _judge(self, subject: str, counted: list[Counted], period: Period, instants: Iterable[int]) -> Iterator[bytes]:
        kind = subject.partition(":")[0]
        rules = {rule.spec.name: _Asked(rule) for rule in self._ruleset.group_rules if rule.spec.subject == kind}
        alerts: tuple[AlertState, ...] = ()
        place = 0
        for at in instants:
            while place < len(counted) and counted[place].at <= at:
                rules[counted[place].rule].take(counted[place])
                place += 1
            findings: dict[str, Finding | None] = {}
            for name, asked in rules.items():
                try:
                    asked.ask(period, at, self._ruleset, findings)
                except Exception as error:
                    self.failures.append(f"{subject}: {name}: {type(error).__name__}: {error}")
            if not findings:
                continue
            alerts, transitions = lifecycle.reconcile(
                alerts,
                findings,
                self._modes,
                deal=subject,
                period=period,
                at=at,
                reason=FACTS,
                resolved_reason=records.CLEARED,
            )
            for transition in transitions:
                yield records.group_alert_record(subject, transition, at)


class _Asked:
    """A rule, and what it counts of the deals of one owner or team in one period."""

    __slots__ = ("_by_deal", "_changed", "_rule", "_wake_at")

    def __init__(self, rule: GroupRule) -> None:
        self._rule = rule
        self._by_deal: dict[bytes, Any] = {}
        self._changed = False
        self._wake_at = -1

    def take(self, counted: Counted) -> None:
        """A deal counts for something else now."""
        self._changed = True
        if counted.part is None:
            self._by_deal.pop(counted.deal, None)
        else:
            self._by_deal[counted.deal] = counted.part

    def ask(self, period: Period, at: int, ruleset: Ruleset, findings: dict[str, Finding | None]) -> None:
        """Put what the rule finds into ``findings``; nothing where its last answer stands."""
        if not self._changed and not 0 <= self._wake_at <= at:
            return
        view = GroupView(self._by_deal, period, at, ruleset)
        findings[self._rule.spec.name] = self._rule.spec.check(view, self._rule.params)
        self._changed, self._wake_at = False, view.wake_at
