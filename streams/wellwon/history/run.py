"""Every deal of a history through the core: the engine of a backtest, in bounded memory and several processes."""

from __future__ import annotations

import pickle
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol, TypeVar

from wellwon.core.items import Change
from wellwon.core.model import DELETED
from wellwon.history.deal_run import DealRun, HistoryInfo
from wellwon.history.follow import Follower
from wellwon.history.gathered import Followed, Gathered, Part, notes, stages_of
from wellwon.history.group_facts import GroupFacts, Instants
from wellwon.history.group_judge import GroupJudge
from wellwon.history.workers import Workers
from wellwon.policy import Policy, compile_policy
from wellwon.rules import PATTERNS

Progress = Callable[[str, int, int], None]
"""Hears what is done: ``reading`` or ``running``, how much of it, and how much there is in all."""


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

    def tell(self, record: bytes) -> None:
        """Count an alert record about an owner or a team."""


C = TypeVar("C", bound=Counting)


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all jobs of a history have in common."""

    policy: Policy
    count: Callable[[Policy], Counting]
    recording: bool
    begin: int
    end: int


class _Runner:
    """Runs parts: what a process needs for it is made once."""

    def __init__(self, shared: _Shared, folder: Path) -> None:
        # A rule's function does not travel between processes: its name does, and here it is again.
        policy = replace(shared.policy, specs=PATTERNS)
        ruleset = compile_policy(policy)
        instants = Instants(ruleset, shared.begin, shared.end)
        self.end = shared.end
        self.groups = GroupFacts(ruleset, instants, folder) if ruleset.group_rules else None
        self.judge = GroupJudge(ruleset, instants, folder)
        self.follower = Follower(ruleset, self.groups, recording=shared.recording)
        self.stages = stages_of(ruleset)
        self.counting = shared.count(policy)

    def run(self, part: Part) -> Followed:
        """Follow the deals of a part."""
        found, stages, known = Followed(), self.stages, Counter[frozenset[str]]()
        follow, add, end = self.follower.follow, self.counting.add, self.end
        for deal, changes in part.deals(found.left_out):
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
            found.closed_at_once += 0 < run.closed_at <= run.first_at and run.status != DELETED
            known[run.known] += 1
            found.currencies[run.currency] += 1
        for fields, deals in known.items():
            for name in fields:
                found.fields[name] += deals
        if self.groups is not None:
            self.groups.keep()
        found.counts = self.counting.hand_over()
        found.failures, self.follower.failures = self.follower.failures, []
        return found


@lru_cache(maxsize=1)
def _runner(file: Path) -> _Runner:
    """What every job of one history shares, from the file that it was put into."""
    return _Runner(pickle.loads(file.read_bytes()), file.parent)


def _run_part(job: tuple[Part, Path]) -> Followed:
    part, shared = job
    return _runner(shared).run(part)


def _judge(job: tuple[Path, int, int]) -> tuple[list[bytes], list[str]]:
    shared, period, bucket = job
    judge = _runner(shared).judge
    found = judge.records(period, bucket)
    failures, judge.failures = judge.failures, []
    return found, failures


def follow_all(
    source: Source,
    policy: Policy,
    count: Callable[[Policy], C],
    as_of: int | None = None,
    workers: int = 2,
    progress: Progress = lambda what, done, total: None,
    stop: Callable[[], bool] = lambda: False,
    *,
    recording: bool = False,
) -> tuple[C, HistoryInfo]:
    """Run every deal of a history; what was counted, and what was read.

    ``policy``: of the product's own patterns.
    ``count``: makes what counts the runs; it travels to other processes, so a function of a module or a partial of one.
    ``as_of``: nothing after this instant (epoch milliseconds) is known; by default the end is the last change.
    ``stop``: once it says yes, what was begun is finished, the rest is left out, and ``info.partial`` says so.
    ``recording``: runs have the alert records.
    Raises what the source raises for files that cannot be used at all.
    """
    counting, total = count(policy), Followed()
    with (
        tempfile.TemporaryDirectory(prefix="wellwon-", ignore_cleanup_errors=True) as place,
        Workers(workers, stop) as pool,
    ):
        folder = Path(place)
        gathered = source.gather(folder, pool.spread, progress, stop)
        end = gathered.last_at if as_of is None else as_of
        shared = folder / "shared"
        begin = min(gathered.first_at, end)
        shared.write_bytes(pickle.dumps(_Shared(replace(policy, specs=()), count, recording, begin, end)))
        sizes = [gathered.size(part) for part in range(gathered.parts if gathered.complete else 0)]
        jobs = [(gathered.part(part), shared) for part in range(len(sizes))]
        done = finished = 0
        for number, part in enumerate(pool.spread(_run_part, jobs)):
            finished += 1
            done += sizes[number]
            progress("running", done, sum(sizes))
            counting.take(part.counts)
            total.take(part)
        ruleset = compile_policy(policy)
        partial = not gathered.complete or finished < gathered.parts
        if ruleset.group_rules and total.deals and not partial:
            judge = GroupJudge(ruleset, Instants(ruleset, begin, end), folder)
            several = pool.spread if len(jobs) > 1 else map
            for told, failures in several(_judge, [(shared, *job) for job in judge.jobs()]):
                total.failures += failures
                for record in told:
                    counting.tell(record)
    info = HistoryInfo(
        files=gathered.files,
        rows=gathered.rows,
        changes=total.changes,
        rejected=sum(gathered.rejections.values()),
        first_rejected=tuple(map(str, gathered.rejected)),
        rejected_file=gathered.rejected_file,
        first_at=gathered.first_at,
        last_at=gathered.last_at,
        as_of=end,
        deals=total.deals,
        partial=partial,
        fields=dict(sorted(total.fields.items())),
        currencies=dict(total.currencies.most_common()),
        notes=tuple(notes(gathered, total, ruleset)),
    )
    return counting, info
