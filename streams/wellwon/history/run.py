"""Every deal of a history through the core: the engine of a backtest, in bounded memory and several processes."""

from __future__ import annotations

import difflib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec

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

    def only(self, part: int) -> Gathered:
        """The same for a job on one part, which may travel to another process."""

    def deals(self, part: int) -> Iterator[tuple[str, list[tuple[int, DealItem]]]]:
        """The deals of a part with their changes, each with the time that the log had told when it came."""


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


@dataclass(slots=True)
class _Part:
    """What a part came to."""

    runs: bytes
    """The runs of its deals, encoded."""
    changes: int = 0
    silent: int = 0
    """Deals without a history."""
    fields: Counter[str] = field(default_factory=Counter)
    currencies: Counter[str] = field(default_factory=Counter)
    stages: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[DealRun]).decode


def _run_part(job: tuple[Gathered, int, Policy, int]) -> _Part:
    gathered, part, policy, end = job
    # A rule's function does not travel between processes: its name does, and here it is again.
    ruleset = compile_policy(replace(policy, specs=RULES))
    follower, known = Follower(ruleset), _stages(ruleset)
    found, runs, stages = _Part(b""), list[DealRun](), Counter[str]()
    for deal, changes in gathered.deals(part):
        for _, item in changes:
            if isinstance(item, Change) and (stage := item.values.get("stage")) and stage not in known:
                stages[stage] += 1
        run = follower.follow(deal, changes, end)
        if run is None:
            found.silent += not changes
            continue
        runs.append(run)
        found.changes += run.changes
        found.fields.update(run.known)
        found.currencies[run.currency] += 1
    found.stages = stages
    found.runs, found.failures = _encode(runs), follower.failures
    return found


class Runs:
    """The runs of all deals, once: iterate, then read ``info``."""

    def __init__(
        self,
        source: Source,
        policy: Policy,
        as_of: int | None,
        workers: int,
        progress: Progress,
        stop: Callable[[], bool],
    ) -> None:
        self._source = source
        self._policy = policy
        self._as_of = as_of
        self._workers = workers
        self._progress = progress
        self._stop = stop
        self._info: HistoryInfo | None = None

    @property
    def info(self) -> HistoryInfo:
        """What was read; there once the runs have been iterated."""
        assert self._info is not None, "iterate the runs first"
        return self._info

    def __iter__(self) -> Iterator[DealRun]:
        ruleset, travels = compile_policy(self._policy), replace(self._policy, specs=())
        with (
            tempfile.TemporaryDirectory(prefix="wellwon-", ignore_cleanup_errors=True) as folder,
            Workers(self._workers, self._stop) as workers,
        ):
            gathered = self._source.gather(Path(folder), workers.spread, self._progress, self._stop)
            end = gathered.last_at if self._as_of is None else self._as_of
            total, deals = _Part(b""), 0
            done, size = 0, sum(map(gathered.size, range(gathered.parts)))
            parts = range(gathered.parts if gathered.complete else 0)
            jobs = [(gathered.only(part), part, travels, end) for part in parts]
            finished = 0
            for number, part in enumerate(workers.spread(_run_part, jobs)):
                finished += 1
                done += gathered.size(number)
                self._progress("running", done, size)
                total.changes += part.changes
                total.silent += part.silent
                total.fields.update(part.fields)
                total.currencies.update(part.currencies)
                total.stages.update(part.stages)
                total.failures += part.failures
                runs = _decode(part.runs)
                deals += len(runs)
                yield from runs
            self._info = HistoryInfo(
                files=gathered.files,
                rows=gathered.rows,
                changes=total.changes,
                rejected=sum(gathered.rejections.values()),
                rejected_file=gathered.rejected_file,
                first_at=gathered.first_at,
                last_at=gathered.last_at,
                as_of=end,
                deals=deals,
                partial=not gathered.complete or finished < gathered.parts,
                fields=dict(sorted(total.fields.items())),
                currencies=dict(total.currencies.most_common()),
                notes=tuple(_notes(gathered, total, ruleset)),
            )


def runs(
    source: Source,
    policy: Policy,
    as_of: int | None = None,
    workers: int = 2,
    progress: Progress = lambda what, done, total: None,
    stop: Callable[[], bool] = lambda: False,
) -> Runs:
    """Run every deal of a history.

    ``policy``: of the product's own patterns.
    ``as_of``: nothing after this instant (epoch milliseconds) is known; by default the end is the last change.
    ``stop``: once it says yes, what was begun is finished, the rest is left out, and ``info.partial`` says so.
    Iterating raises what the source raises for files that cannot be used at all.
    """
    return Runs(source, policy, as_of, workers, progress, stop)


def _stages(ruleset: Ruleset) -> frozenset[str]:
    return frozenset(stage for pipeline in ruleset.pipelines.values() for stage in pipeline.stages)


def _notes(gathered: Gathered, total: _Part, ruleset: Ruleset) -> Iterator[str]:
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
