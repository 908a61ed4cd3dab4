"""Every deal of a history through the core: the engine of a backtest, in bounded memory and several processes."""

from __future__ import annotations

import difflib
import pickle
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from wellwon.core.items import Change, DealItem
from wellwon.core.model import Ruleset
from wellwon.history.deal_run import DealRun, HistoryInfo
from wellwon.history.follow import Follower
from wellwon.history.workers import Workers
from wellwon.policy import Policy, compile_policy
from wellwon.rules import RULES

Progress = Callable[[str, int, int], None]
"""Hears what is done: ``reading`` or ``running``, how much of it, and how much there is in all."""

SHOWN: Final = 8


class Part(Protocol):
    """Some deals of a history. It may travel to another process."""

    def deals(self) -> Iterator[tuple[str, list[tuple[int, DealItem]]]]:
        """The deals with their changes, each with the time that the log had told when it came."""


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
    def rejected_file(self) -> str:
        """Where these are."""

    @property
    def complete(self) -> bool:
        """Everything was read."""

    def size(self, part: int) -> int:
        """How much a part is, in any unit."""

    def part(self, part: int) -> Part:
        """A part by itself."""


class Source(Protocol):
    """Whatever can give a history by deal: `wellwon.sources.by_deal.Exports`."""

    def gather(
        self,
        folder: Path,
        spread: Callable[[Callable[[Any], Any], Any], Iterator[Any]],
        progress: Progress,
        stop: Callable[[], bool],
    ) -> Gathered:
        """Read it. Raises what its files deserve."""


class Counting(Protocol):
    """Whatever makes something of runs: in every process one counts, and one adds up what the others counted."""

    def add(self, run: DealRun) -> None:
        """Count a deal."""

    def hand_over(self) -> Any:
        """What was counted since this was asked last; it travels between processes."""

    def take(self, counts: Any) -> None:
        """Add what another one handed over."""


C = TypeVar("C", bound=Counting)


@dataclass(slots=True)
class _Counted:
    """What the deals of a part, or of all, came to."""

    counts: Any = None
    deals: int = 0
    changes: int = 0
    silent: int = 0
    """Deals without a history."""
    fields: Counter[str] = field(default_factory=Counter)
    currencies: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    """Changes to stages that no pipeline has."""
    failures: list[str] = field(default_factory=list)

    def take(self, other: _Counted) -> None:
        self.deals += other.deals
        self.changes += other.changes
        self.silent += other.silent
        self.fields.update(other.fields)
        self.currencies.update(other.currencies)
        self.stages.update(other.stages)
        self.failures += other.failures


class _Runner:
    """Runs parts: what a process needs for it is made once."""

    def __init__(self, policy: Policy, count: Callable[[Policy], Counting], end: int) -> None:
        # A rule's function does not travel between processes: its name does, and here it is again.
        self.policy = replace(policy, specs=RULES)
        self.ruleset = compile_policy(self.policy)
        self.follower = Follower(self.ruleset)
        self.stages = _stages(self.ruleset)
        self.counting = count(self.policy)
        self.end = end

    def run(self, part: Part) -> _Counted:
        """Follow the deals of a part."""
        found, stages, known = _Counted(), self.stages, Counter[frozenset[str]]()
        follow, add, end = self.follower.follow, self.counting.add, self.end
        for deal, changes in part.deals():
            for _, item in changes:
                if isinstance(item, Change) and (stage := item.values.get("stage")) and stage not in stages:
                    found.stages[stage] += 1
            run = follow(deal, changes, end)
            if run is None:
                found.silent += not changes
                continue
            add(run)
            found.deals += 1
            found.changes += run.changes
            known[run.known] += 1
            found.currencies[run.currency] += 1
        for fields, deals in known.items():
            for name in fields:
                found.fields[name] += deals
        found.counts = self.counting.hand_over()
        found.failures, self.follower.failures = self.follower.failures, []
        return found


@lru_cache(maxsize=1)
def _runner(file: Path) -> _Runner:
    """What every job of one history shares, from the file that it was put into."""
    return _Runner(*pickle.loads(file.read_bytes()))


def _run_part(job: tuple[Part, Path]) -> _Counted:
    part, shared = job
    return _runner(shared).run(part)


def follow_all(
    source: Source,
    policy: Policy,
    count: Callable[[Policy], C],
    as_of: int | None = None,
    workers: int = 2,
    progress: Progress = lambda what, done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[C, HistoryInfo]:
    """Run every deal of a history; what was counted, and what was read.

    ``policy``: of the product's own patterns.
    ``count``: makes what counts the runs; it travels to other processes, so a function of a module or a partial of one.
    ``as_of``: nothing after this instant (epoch milliseconds) is known; by default the end is the last change.
    ``stop``: once it says yes, what was begun is finished, the rest is left out, and ``info.partial`` says so.
    Raises what the source raises for files that cannot be used at all.
    """
    counting, total = count(policy), _Counted()
    with (
        tempfile.TemporaryDirectory(prefix="wellwon-", ignore_cleanup_errors=True) as place,
        Workers(workers, stop) as pool,
    ):
        folder = Path(place)
        gathered = source.gather(folder, pool.spread, progress, stop)
        end = gathered.last_at if as_of is None else as_of
        shared = folder / "shared"
        shared.write_bytes(pickle.dumps((replace(policy, specs=()), count, end)))
        sizes = [gathered.size(part) for part in range(gathered.parts if gathered.complete else 0)]
        jobs = [(gathered.part(part), shared) for part in range(len(sizes))]
        done = finished = 0
        for number, part in enumerate(pool.spread(_run_part, jobs)):
            finished += 1
            done += sizes[number]
            progress("running", done, sum(sizes))
            counting.take(part.counts)
            total.take(part)
    info = HistoryInfo(
        files=gathered.files,
        rows=gathered.rows,
        changes=total.changes,
        rejected=sum(gathered.rejections.values()),
        rejected_file=gathered.rejected_file,
        first_at=gathered.first_at,
        last_at=gathered.last_at,
        as_of=end,
        deals=total.deals,
        partial=not gathered.complete or finished < gathered.parts,
        fields=dict(sorted(total.fields.items())),
        currencies=dict(total.currencies.most_common()),
        notes=tuple(_notes(gathered, total, compile_policy(policy))),
    )
    return counting, info


def _stages(ruleset: Ruleset) -> frozenset[str]:
    return frozenset(stage for pipeline in ruleset.pipelines.values() for stage in pipeline.stages)


def _notes(gathered: Gathered, total: _Counted, ruleset: Ruleset) -> Iterator[str]:
    """What the data cannot show, in sentences."""
    if gathered.rejections:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in sorted(gathered.rejections.items()))
        yield f"rows that cannot be used: {reasons}"
    stages = sorted(_stages(ruleset))
    for stage, count in total.stages.most_common(SHOWN):
        near = difflib.get_close_matches(stage, stages, 1, 0.5)
        hint = f"did you mean {near[0]!r}?" if near else "see pipelines in the policy"
        yield f"stage {stage!r} ({count:,} changes) is in no pipeline: {hint}"
    if len(total.stages) > SHOWN:
        yield f"{len(total.stages) - SHOWN:,} more stages are in no pipeline"
    if len(total.currencies) > 1:
        listed = ", ".join(f"{name or 'none named'} {count:,}" for name, count in total.currencies.most_common(SHOWN))
        yield f"amounts are in several currencies, by deals: {listed}"
    if total.silent:
        yield f"{total.silent:,} deals have no history in these files: nothing can be said of them"
    if unmapped := gathered.left_out.get("field_not_mapped", 0):
        yield f"{unmapped:,} rows are of fields that the policy does not map: they are not read"
    if repeated := gathered.left_out.get("repeated_row", 0):
        yield f"{repeated:,} rows have the id of another row: the last one counts"
    if total.failures:
        yield f"{len(total.failures):,} steps failed, please report: {total.failures[0]}"
