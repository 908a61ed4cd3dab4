"""What became of customers after the win, where a file says it: churned or renewed, by how the deal was won.

The file is CSV with a header, or without one: deal id, ``churned`` or ``renewed``, date (YYYY-MM-DD).
"""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from wellwon.core.units import parse_date
from wellwon.history.deal_run import DealRun

CHURNED: Final = "churned"
RENEWED: Final = "renewed"
FATES: Final = (CHURNED, RENEWED)


class Fate(NamedTuple):
    """Whether a customer stayed, and when that was known (a day number)."""

    fate: Literal["churned", "renewed"]
    day: int


class BadOutcomes(ValueError):
    """A file of outcomes has mistakes; the message has a line for each, beginning with its place."""


def read_outcomes(lines: Iterable[str], name: str) -> dict[str, Fate]:
    """The fate of each deal; of several, the latest. Raises `BadOutcomes` with every mistake, by line."""
    found: dict[str, Fate] = {}
    mistakes: list[str] = []
    for number, row in enumerate(csv.reader(lines), start=1):
        if not any(cell.strip() for cell in row):
            continue
        try:
            deal, fate = _fate([cell.strip() for cell in row])
        except ValueError as error:
            if number > 1:  # the first line may be a header
                mistakes.append(f"{name}:{number}: {error}")
            continue
        if deal not in found or found[deal].day <= fate.day:
            found[deal] = fate
    if mistakes:
        raise BadOutcomes("\n".join(_first(mistakes)))
    if not found:
        raise BadOutcomes(f"{name}: no outcome in it: a line has the deal's id, churned or renewed, and a date")
    return found


def _first(mistakes: list[str], most: int = 10) -> Iterator[str]:
    yield from mistakes[:most]
    if len(mistakes) > most:
        yield f"... and {len(mistakes) - most:,} more"


def _fate(row: list[str]) -> tuple[str, Fate]:
    if len(row) != 3:
        raise ValueError(f"three columns are needed (deal id, churned or renewed, date), not {len(row)}")
    deal, fate, date = row
    fate = fate.lower()
    if fate not in FATES:
        raise ValueError(f"'{row[1]}' is neither churned nor renewed")
    return deal, Fate(CHURNED if fate == CHURNED else RENEWED, parse_date(date))


@dataclass(slots=True)
class Retention:
    """Counts of churned and renewed customers by how their deals were won."""

    by_reading: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    flagged: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By rule that flagged the deal before it was won."""
    flagged_alike: defaultdict[str, Counter[tuple[str, str]]] = field(default_factory=lambda: defaultdict(Counter))
    """The flagged ones by segment and fate."""
    by_segment: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Every win with a fate, by segment and fate."""
    matched: int = 0

    def add(self, run: DealRun, fate: Fate | None, flags: Iterable[str]) -> None:
        """Count a deal, if it was won and its fate is known; ``flags``: the rules that flagged it before."""
        if run.win is None or fate is None:
            return
        self.matched += 1
        self.by_reading[run.win.reading][fate.fate] += 1
        self.by_segment[run.segment, fate.fate] += 1
        for rule in flags:
            self.flagged[rule][fate.fate] += 1
            self.flagged_alike[rule][run.segment, fate.fate] += 1

    def take(self, other: Retention) -> None:
        """Add what was counted of other deals."""
        for reading, fates in other.by_reading.items():
            self.by_reading[reading].update(fates)
        for rule, fates in other.flagged.items():
            self.flagged[rule].update(fates)
        for rule, alike in other.flagged_alike.items():
            self.flagged_alike[rule].update(alike)
        self.by_segment.update(other.by_segment)
        self.matched += other.matched

    def unflagged(self, rule: str) -> Counter[str]:
        """Churned and renewed among the wins that the rule did not flag, of the segments in which it flagged any."""
        mine = self.flagged_alike[rule]
        segments = {segment for segment, _ in mine}
        found: Counter[str] = Counter()
        for (segment, fate), count in self.by_segment.items():
            if segment in segments:
                found[fate] += count - mine[segment, fate]
        return found
