"""What the rules about owners and teams said, counted: totals, never by person."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from wellwon.core.lifecycle import OPENED, RESOLVED
from wellwon.core.model import SHADOW
from wellwon.core.rule import OWNER_SUBJECT, SEVERITIES


@dataclass(frozen=True, slots=True)
class GroupResult:
    """What a backtest says of one rule about owners or teams."""

    rule: str
    subject: str
    """``owner`` or ``team``."""
    mode: str
    alerts: int
    """How often it held: owners or teams, by period."""
    severities: dict[str, int]
    """By the highest severity that an alert reached."""
    periods: dict[str, int]
    """Alerts by period, in order of time."""
    messages: int
    """Alerts and changes of them; in shadow nobody would get them."""

    @property
    def in_shadow(self) -> bool:
        """Whether nobody would get its messages."""
        return self.mode == SHADOW

    @property
    def to_owners(self) -> bool:
        """Whether owners get its messages; else those who answer for a team."""
        return self.subject == OWNER_SUBJECT


@dataclass(slots=True)
class GroupCounts:
    """Alert records about owners and teams, counted by rule."""

    held: defaultdict[str, dict[str, str]] = field(default_factory=lambda: defaultdict(dict))
    """By rule: fingerprint of an alert to the highest severity that it reached."""
    periods: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    messages: Counter[str] = field(default_factory=Counter)

    def add(self, alert: dict[str, Any]) -> None:
        """Count a record."""
        rule, mark = alert["rule"], alert["fingerprint"]
        if alert["transition"] == RESOLVED:
            return
        self.messages[rule] += 1
        held = self.held[rule]
        if mark not in held:
            self.periods[rule][alert["period"]] += alert["transition"] == OPENED
        held[mark] = max(held.get(mark, alert["severity"]), alert["severity"], key=SEVERITIES.index)

    def result(self, rule: str, subject: str, mode: str) -> GroupResult:
        """What it comes to for one rule."""
        held = self.held[rule]
        return GroupResult(
            rule=rule,
            subject=subject,
            mode=mode,
            alerts=len(held),
            severities=dict(Counter(held.values())),
            periods=dict(sorted(self.periods[rule].items())),
            messages=self.messages[rule],
        )
