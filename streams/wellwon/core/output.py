"""What applying a slice of a partition's log gives: records for the topics, changed states, counts for metrics."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wellwon.core.facts import Fact


@dataclass(slots=True)
class DeadLetter:
    """A record that could not be applied, or a rule that failed on it, with the reason."""

    key: bytes | None
    value: bytes | None
    offset: int
    reason: str
    detail: str
    rule: str | None = None


@dataclass(slots=True)
class Counts:
    """What happened, for metrics."""

    changes: dict[tuple[str, str], int] = field(default_factory=dict)
    transitions: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """By rule, severity and transition."""
    answers: dict[tuple[str, str], int] = field(default_factory=dict)
    """By rule (``other`` for one that does not run) and answer: what people say of the rules."""
    open_findings: dict[tuple[str, str, str], int] = field(default_factory=dict)
    """By rule, severity and segment: how many more (or fewer) are open."""
    shadow: dict[str, int] = field(default_factory=dict)
    """By rule: alerts that opened in shadow."""
    resolutions: dict[tuple[str, str], int] = field(default_factory=dict)
    """By rule and reason."""
    open_for: list[tuple[str, int]] = field(default_factory=list)
    """Of each alert that resolved: the rule, and the seconds that it was open."""
    concessions: dict[int, int] = field(default_factory=dict)
    """Alerts of the price family that opened, by the days left to the end of the period."""
    pushes: dict[int, int] = field(default_factory=dict)
    """Close dates that somebody moved out, by the week of the period, from 1."""
    wins: dict[str, int] = field(default_factory=dict)
    dead_letters: dict[str, int] = field(default_factory=dict)
    rule_seconds: dict[str, float] = field(default_factory=dict)
    """By rule, where a clock was given: measured on one slice in `METERED`, and scaled up."""
    skipped: int = 0
    """Below the offset guard: applied before a restart."""
    duplicates: int = 0
    late: int = 0
    clocks: int = 0


@dataclass(slots=True)
class Output:
    """What applying a slice of the log gave."""

    end_offset: int = -1
    alerts: list[tuple[bytes, bytes]] = field(default_factory=list)
    wins: list[tuple[bytes, bytes]] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    rereads: list[tuple[bytes, bytes]] = field(default_factory=list)
    facts: dict[tuple[bytes, int], Fact] = field(default_factory=dict)
    """For the rollup: how deals stand (see `facts`), by deal and hour the last; the rollup judges no more often."""
    states: dict[bytes, bytes | None] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)

    def reject(
        self, key: bytes | None, value: bytes | None, offset: int, reason: str, detail: str, rule: str | None = None
    ) -> None:
        """Put a record among the dead letters, with the reason (a slug) and the detail (for people)."""
        self.dead_letters.append(DeadLetter(key, value, offset, reason, detail, rule))
        bump(self.counts.dead_letters, reason)


def bump(counts: dict[Any, int], key: Any, by: int = 1) -> None:
    """Count something."""
    counts[key] = counts.get(key, 0) + by
