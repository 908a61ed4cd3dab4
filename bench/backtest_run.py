"""One backtest in a process of its own, with whatever wellwon ``PYTHONPATH`` has: what it took, and whom it flagged.

PYTHONPATH=streams python bench/backtest_run.py HISTORY.csv POLICY.yaml
"""

from __future__ import annotations

import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import orjson

from wellwon.core import engine
from wellwon.core.lifecycle import RETRACTED
from wellwon.history.deal_run import DealRun
from wellwon.history.run import follow_all
from wellwon.history.tally import Tally
from wellwon.policy import Policy, load_policy
from wellwon.sources.by_deal import Exports
from wellwon.sources.history import Options
from wellwon.sources.kinds import kind_named
from wellwon.sources.mapping import SourceView

RULES = ("close-date-push", "late-discount", "past-due-close-date")
"""Those that are written as queries, too."""


class Flagged:
    """A backtest's own counts, and which deals the compared rules flagged."""

    def __init__(self, policy: Policy) -> None:
        self.tally = Tally(policy)
        self.tell, self.result = self.tally.tell, self.tally.result
        self.flags: dict[str, set[str]] = {rule: set() for rule in RULES}

    def add(self, run: DealRun) -> None:
        self.tally.add(run)
        for flag in run.flags:
            if flag.rule in self.flags and flag.ended != RETRACTED:  # a query sees the correction before the mistake
                self.flags[flag.rule].add(run.deal_id)

    def hand_over(self) -> Any:
        flags, self.flags = self.flags, {rule: set() for rule in RULES}
        return self.tally.hand_over(), flags

    def take(self, counts: Any) -> None:
        counted, flags = counts
        self.tally.take(counted)
        for rule, deals in flags.items():
            self.flags[rule] |= deals


def run(file: Path, text: str) -> dict[str, Any]:
    """A whole backtest of a history, on every core."""
    policy = load_policy(text)
    source = Exports(kind_named("salesforce-history"), [str(file)], SourceView.of(policy), Options())
    began = time.perf_counter()
    found, info = follow_all(source, policy, Flagged, workers=os.cpu_count() or 1, progress=_progress)
    found.result(info)
    seconds = time.perf_counter() - began
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "compiled": not str(engine.__file__).endswith(".py"),
        "rows": info.rows,
        "changes": info.changes,
        "seconds": seconds,
        "cpu_seconds": sum(one.ru_utime + one.ru_stime for one in used),
        "peak_mb": max(one.ru_maxrss for one in used) / 1024,
        "flags": {rule: sorted(deals) for rule, deals in found.flags.items()},
    }


def _progress(what: str, done: int, total: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{what} {done / max(total, 1):.0%} ", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(run(Path(sys.argv[1]), Path(sys.argv[2]).read_text())))
