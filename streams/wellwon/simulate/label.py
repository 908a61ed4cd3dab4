"""What is known of a simulated deal beforehand: which patterns it shows, which it only seems to show, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

RULES: Final = (
    "late-discount",
    "discount-creep",
    "amount-cut-before-close",
    "push-to-close",
    "close-date-push",
    "period-end-push",
    "past-due-close-date",
    "pull-in-without-progress",
    "commit-slip",
    "reopened-deal",
    "late-commit",
    "quiet-commit",
    "category-flip-flop",
    "category-stage-mismatch",
    "amount-spike",
    "missing-amount",
    "next-step-missing",
    "late-stage-creation",
    "last-day-parking",
    "late-owner-change",
    "serial-slip",
    "re-dated-in-window",
    "too-early-to-close",
    "stage-regression",
    "stage-stall",
    "stage-skip",
    "won-reversed",
    "unanswered-touches",
)
"""The patterns that the simulator plants and therefore can also promise to be absent."""

HEALTHY: Final = "healthy"
LOOKALIKE: Final = "look-alike"
NEAR_MISS: Final = "near miss"
PRESSURED: Final = "pressured"


@dataclass(frozen=True, slots=True)
class Planted:
    """What a story put into a deal.

    ``expected`` patterns hold at some time, and are not taken back; ``possible`` ones may; all others must not.
    ``win`` is how the deal's win must read, None where it is not won or the story does not decide it.
    """

    expected: tuple[str, ...]
    reason: str
    win: str | None = None
    possible: tuple[str, ...] = ()
    severity: str | None = None
    """The highest severity that the pattern in the story's name comes to, None where the story does not decide it."""


@dataclass(frozen=True, slots=True)
class Label:
    """The truth of one simulated deal."""

    opportunity_id: str
    group: str
    """``healthy``, ``look-alike``, ``near miss`` or ``pressured``."""
    kind: str
    """The story: a pattern's name, or the kind of look-alike or of healthy deal."""
    expected: tuple[str, ...]
    must_not_fire: tuple[str, ...]
    win: str | None
    severity: str | None
    reason: str

    @classmethod
    def of(cls, opportunity_id: str, group: str, kind: str, planted: Planted) -> Label:
        """The label of a deal that this was planted into."""
        spared = {*planted.expected, *planted.possible}
        return cls(
            opportunity_id=opportunity_id,
            group=group,
            kind=kind,
            expected=planted.expected,
            must_not_fire=tuple(rule for rule in RULES if rule not in spared),
            win=planted.win,
            severity=planted.severity,
            reason=planted.reason,
        )
