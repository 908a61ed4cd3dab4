"""A segment's norms: what was usual in its own history."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final


@dataclass(frozen=True, slots=True)
class Norms:
    """A segment's figures from its own history; a figure counts from ``min_wins`` wins on."""

    wins: int = 0
    discount_p75: int | None = None
    """75th percentile of the discount on wins outside the window, hundredths of a point."""
    stage_days_median: dict[str, int] = field(default_factory=dict)
    days_to_won_p10: dict[str, int] = field(default_factory=dict)

    MIN_WINS: ClassVar[int] = 20  # below this a percentile is an anecdote (patterns.md, "norm")

    @property
    def discount(self) -> int | None:
        """The discount norm, or None for ``insufficient_history``."""
        return self.discount_p75 if self.wins >= self.MIN_WINS else None


NO_NORMS: Final = Norms()
"""Of a segment of which nothing is known yet."""
