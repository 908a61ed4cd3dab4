"""Jobs spread over processes, with results in the order of the jobs and an end in order when it is asked for."""

from __future__ import annotations

import gc
import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, TimeoutError
from itertools import islice
from types import TracebackType
from typing import Final, TypeVar

J = TypeVar("J")
R = TypeVar("R")

AHEAD: Final = 2
"""Jobs per process that are handed out before their turn: results that nobody has taken yet are held in memory."""
_LOOK_S: Final = 0.2
"""How often a wait looks whether it should stop."""


class Workers:
    """Processes that run jobs; with fewer than two the jobs run here. Functions and jobs must be picklable."""

    def __init__(self, count: int, stop: Callable[[], bool]) -> None:
        """``stop``: asked between jobs; once it says yes no further job begins."""
        self._count = count
        self._stop = stop
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def spread(self, function: Callable[[J], R], jobs: Sequence[J]) -> Iterator[R]:
        """Results in the order of the jobs; fewer than there are jobs when it was stopped."""
        if self._count < 2 or len(jobs) < 2:
            for job in jobs:
                if self._stop():
                    return
                yield _without_collector(function, job)
            return
        if self._pool is None:
            # Spawned: a fork of a process with threads (a progress bar's) may never run.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._count, context, initializer=_ignore_interrupts)
        waiting: deque[Future[R]] = deque()
        left = iter(jobs)
        try:
            while True:
                for job in islice(left, self._count * AHEAD - len(waiting)):
                    waiting.append(self._pool.submit(_without_collector, function, job))
                if not waiting:
                    return
                if self._stop():
                    # What has begun is finished, and counts.
                    begun = [future for future in waiting if not future.cancel()]
                    yield from (future.result() for future in begun)
                    return
                try:
                    result = waiting[0].result(_LOOK_S)
                except TimeoutError:
                    continue
                waiting.popleft()
                yield result
        finally:
            for future in waiting:
                future.cancel()


def _without_collector(function: Callable[[J], R], job: J) -> R:
    """Run a job; what it makes by the million has no cycles to be looked for."""
    was = gc.isenabled()
    gc.disable()
    try:
        return function(job)
    finally:
        if was:
            gc.enable()


def _ignore_interrupts() -> None:
    """Ctrl-C reaches every process of the terminal; the one that gave out the jobs decides when they end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
