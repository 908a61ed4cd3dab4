"""A history as it is given to a backtest, and what a backtest notes of it besides its own counts."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from wellwon.core.items import DealItem
from wellwon.core.model import Ruleset

SHOWN: Final = 8


class Part(Protocol):
    """Some deals of a history. It may travel to another process."""

    def deals(self, left_out: Counter[str]) -> Iterator[tuple[str, list[tuple[int, DealItem]]]]:
        """The deals with their changes, each with the time that the log had told when it came.

        ``left_out`` counts rows that say nothing, by reason.
        """


class Gathered(Protocol):
    """A history on disk, deal by deal."""

    @property
    def parts(self) -> int:
        """Parts that it is in; each fits into memory."""

    @property
    def files(self) -> tuple[str, ...]:
        """The files that were read."""

    @property
    def rows(self) -> int:
        """Rows or lines, those that were rejected included."""

    @property
    def first_at(self) -> int:
        """The earliest instant, epoch milliseconds; 0 where nothing was read."""

    @property
    def last_at(self) -> int:
        """The latest."""

    @property
    def left_out(self) -> Mapping[str, int]:
        """Rows that say nothing, by reason."""

    @property
    def rejections(self) -> Mapping[str, int]:
        """Rows that cannot be used, by reason."""

    @property
    def rejected(self) -> Sequence[object]:
        """The first of these; as texts they say where, and what to do."""

    @property
    def rejected_file(self) -> str:
        """Where these are."""

    @property
    def remarks(self) -> Sequence[str]:
        """What is odd about the files, in sentences."""

    @property
    def complete(self) -> bool:
        """Everything was read."""

    def size(self, part: int) -> int:
        """How much a part is, in any unit."""

    def part(self, part: int) -> Part:
        """A part by itself."""


@dataclass(slots=True)
class Followed:
    """What the deals of a part, or of all, came to."""

    counts: Any = None
    deals: int = 0
    changes: int = 0
    silent: int = 0
    """Deals without a history."""
    closed_at_once: int = 0
    """Deals of which the first thing that is known is that they were closed."""
    fields: Counter[str] = field(default_factory=Counter)
    currencies: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    """Changes to stages that no pipeline has."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Rows that say nothing beside the others of their deal, by reason."""
    failures: list[str] = field(default_factory=list)

    def take(self, other: Followed) -> None:
        """Add what other deals came to."""
        self.deals += other.deals
        self.changes += other.changes
        self.silent += other.silent
        self.closed_at_once += other.closed_at_once
        self.fields.update(other.fields)
        self.currencies.update(other.currencies)
        self.stages.update(other.stages)
        self.left_out.update(other.left_out)
        self.failures += other.failures


def stages_of(ruleset: Ruleset) -> frozenset[str]:
    """Every stage of every pipeline."""
    return frozenset(stage for pipeline in ruleset.pipelines.values() for stage in pipeline.stages)


def notes(gathered: Gathered, total: Followed, ruleset: Ruleset) -> Iterator[str]:
    """What the data cannot show, in sentences."""
    if gathered.rejections:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(gathered.rejections.items()))
        see = f": {gathered.rejected_file} has each with its reason" if gathered.rejected_file else ""
        yield f"{sum(gathered.rejections.values()):,} of {gathered.rows:,} rows cannot be used ({reasons}){see}"
    yield from gathered.remarks
    stages = sorted(stages_of(ruleset))
    for stage, count in total.stages.most_common(SHOWN):
        near = difflib.get_close_matches(stage, stages, 1, 0.5)
        hint = f"did you mean {near[0]!r}?" if near else "name it under pipelines in the policy"
        yield f"stage {stage!r} ({count:,} changes) is in no pipeline: {hint}"
    if len(total.stages) > SHOWN:
        yield f"{len(total.stages) - SHOWN:,} more stages are in no pipeline"
    if len(total.currencies) > 1:
        listed = ", ".join(f"{name or 'none named'} {count:,}" for name, count in total.currencies.most_common(SHOWN))
        yield f"amounts are in several currencies, by deals: {listed}"
    if total.silent:
        yield f"deals without a history in these files: {total.silent:,}; nothing is said of them, export it as well"
    if total.closed_at_once:
        yield f"deals without a history from before their close: {total.closed_at_once:,}; how it came is not known"
    if unmapped := gathered.left_out.get("field_not_mapped", 0):
        yield (
            f"{unmapped:,} rows are of fields that the policy does not map, and are not read: `wellwon policy "
            "coverage` names them"
        )
    if repeated := gathered.left_out.get("repeated_row", 0) + total.left_out["repeated_row"]:
        yield f"{repeated:,} rows have the id of another row of the deal: one of them counts"
    if total.failures:
        yield f"{len(total.failures):,} steps failed, please report: {total.failures[0]}"
