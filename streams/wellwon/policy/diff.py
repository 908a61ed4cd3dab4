"""What two policies say differently: their values, and what people would have been told under each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from wellwon.core.rule import SEVERITIES
from wellwon.policy.model import Policy
from wellwon.policy.show import rows


class ValueChange(NamedTuple):
    """A value that is not the same; a side is None where that policy has no such key."""

    key: str
    old: Any
    new: Any
    old_origin: str
    new_origin: str


def value_changes(old: Policy, new: Policy) -> list[ValueChange]:
    """Every value in force that differs, in the order of the new policy's keys, then those that are gone."""
    before = {row.key: row for row in rows(old)}
    after = {row.key: row for row in rows(new)}
    changes = []
    for key in (*after, *(key for key in before if key not in after)):
        was, becomes = before.get(key), after.get(key)
        if was is None or becomes is None or was.value != becomes.value:
            changes.append(
                ValueChange(
                    key,
                    None if was is None else was.value,
                    None if becomes is None else becomes.value,
                    "" if was is None else was.origin,
                    "" if becomes is None else becomes.origin,
                )
            )
    return changes


# --- alerts ---------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Told:
    """An alert that people were told of; ``severity`` is the highest that it had."""

    rule: str
    subject: str
    """The deal's id; of patterns that are not about a deal, what it is and its id: ``team EMEA``."""
    opened_at: str
    """RFC 3339, as in the record: these compare as texts."""
    title: str
    severity: str
    evidence: dict[str, Any]
    ended_at: str = "9999"

    def take(self, severity: str) -> None:
        """It was told again."""
        self.severity = max(self.severity, severity, key=SEVERITIES.index)

    def overlaps(self, other: Told) -> bool:
        """Whether both stood at the same time."""
        return self.opened_at <= other.ended_at and other.opened_at <= self.ended_at


@dataclass(slots=True)
class Heard:
    """What one policy told of a history. Alerts that were taken back are not in it."""

    alerts: list[Told] = field(default_factory=list)
    messages: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Messages by owner and week (a number that counts Mondays)."""
    covered: set[tuple[str, str]] = field(default_factory=set)
    """Rule and subject of alerts that were told under another one's headline."""
    owners: int = 0
    weeks: float = 0.0
    deals: int = 0

    @property
    def per_owner_and_week(self) -> float:
        """Mean number of messages, of all where no owner is known; 0 where there is no history."""
        return sum(self._to_owners()) / max(1, self.owners) / self.weeks if self.weeks else 0.0

    @property
    def most_in_a_week(self) -> int:
        """The most messages that one owner had in one week."""
        return max(self._to_owners(), default=0)

    def _to_owners(self) -> list[int]:
        return [count for (owner, _), count in self.messages.items() if owner or not self.owners]


@dataclass(slots=True)
class RuleDiff:
    """What became of one rule's alerts."""

    before: int = 0
    after: int = 0
    gained: list[Told] = field(default_factory=list)
    lost: list[Told] = field(default_factory=list)
    more_serious: list[Told] = field(default_factory=list)
    less_serious: list[Told] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Whether anything is told otherwise."""
        return bool(self.gained or self.lost or self.more_serious or self.less_serious)


def compare(old: Heard, new: Heard, rules: Iterable[str]) -> dict[str, RuleDiff]:
    """By rule. Alerts of one rule and subject that stood at the same time are the same alert, whenever they opened."""
    found = {rule: RuleDiff() for rule in rules}
    before, after = _by_subject(old.alerts), _by_subject(new.alerts)
    for subject in sorted({*before, *after}):
        was, becomes = before.get(subject, []), after.get(subject, [])
        diff = found.setdefault(subject[0], RuleDiff())
        diff.before += len(was)
        diff.after += len(becomes)
        diff.lost += [alert for alert in was if not any(map(alert.overlaps, becomes))]
        for alert in becomes:
            same = [other for other in was if alert.overlaps(other)]
            if not same:
                diff.gained.append(alert)
                continue
            step = SEVERITIES.index(alert.severity) - max(SEVERITIES.index(other.severity) for other in same)
            if step:
                (diff.more_serious if step > 0 else diff.less_serious).append(alert)
    return found


def _by_subject(alerts: Iterable[Told]) -> dict[tuple[str, str], list[Told]]:
    found: dict[tuple[str, str], list[Told]] = {}
    for alert in alerts:
        found.setdefault((alert.rule, alert.subject), []).append(alert)
    return found
