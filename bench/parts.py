"""What a change costs, part by part: the core's parts by wrapping them, the runtime's by doing only that.

The runtime's figures are CPU time of the thread that does the work. The core's are elapsed time, which is the same on a
core of its own, because asking for CPU time costs more than some of the parts.
"""

from __future__ import annotations

import asyncio
import cProfile
import gc
import io
import pstats
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import aiokafka

from cluster import Log, fill, named
from machine import calibrate
from wellwon.core import engine, partition, wire
from wellwon.core.outcome import Outcomes
from wellwon.core.output import Output
from wellwon.core.partition import Partition
from wellwon.core.state import Held
from wellwon.policy import compile_text
from wellwon.runtime.metrics import Metrics
from wellwon.runtime.outlet import Changelog, Outlet
from wellwon.runtime.pipeline import Entry, Pipeline
from wellwon.runtime.settings import Settings
from wellwon.runtime.worker import GC_THRESHOLDS
from wellwon.simulate.organisation import policy_text

SLICE = 250
"""Records per slice: what a fetch of 1,000 brings of each of 4 partitions."""
REFERENCE_US = 0.61
"""The calibration on the machine of the budget."""
PROFILED = 25

Slices = list[list[Any]]


class Clocks:
    """Time by part: each part's own, without the parts that it calls, and without what the timing costs."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inner = [0.0]
        self._inside = self._outside = 0.0
        self._calibrate()

    def wrap(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, timed."""
        now, inner, seconds = time.perf_counter, self._inner, self.seconds
        inside, outside = self._inside, self._outside
        seconds[part] = 0.0

        def timed(*arguments: Any, **named: Any) -> Any:
            inner.append(0.0)
            began = now()
            try:
                return function(*arguments, **named)
            finally:
                spent = now() - began
                seconds[part] += spent - inside - inner.pop()
                inner[-1] += spent + outside

        return timed

    def _calibrate(self) -> None:
        count = 50_000
        nothing = self.wrap("", _nothing)
        began = time.perf_counter()
        for _ in range(count):
            nothing(None)
        timed = (time.perf_counter() - began) / count
        began = time.perf_counter()
        for _ in range(count):
            _nothing(None)
        bare = (time.perf_counter() - began) / count
        self._inside = self.seconds.pop("") / count - bare
        self._outside = timed - bare - self._inside
        self._inner[:] = [0.0]


def _nothing(_argument: object) -> None:
    return None


CORE = (
    (wire, "decode", "decode"),
    (Held, "decode", "state"),
    (partition, "restore", "state: the tail folded again"),
    (partition, "step", "guard and fold"),
    (engine, "absorb", "guard and fold"),
    (engine, "_evaluate", "rules"),
    (Outcomes, "conclude", "reconcile, alerts, wins"),
    (Partition, "_flush", "serialise"),
)


@contextmanager
def wrapped(clocks: Clocks) -> Iterator[None]:
    """The core with its parts timed."""
    originals = [(owner, name, getattr(owner, name)) for owner, name, _ in CORE]
    for owner, name, part in CORE:
        setattr(owner, name, clocks.wrap(part, getattr(owner, name)))
    try:
        yield
    finally:
        for owner, name, original in originals:
            setattr(owner, name, original)


def measure(settings: Settings, changes: int, rounds: int) -> dict[str, Any]:
    """All parts; the best of some rounds, because whatever disturbs only adds."""
    gc.set_threshold(*GC_THRESHOLDS)
    log = fill(settings, changes, clock=False)
    slices, fetch = asyncio.run(_fetch(log))
    totals: list[float] = []
    split: dict[str, float] = {}
    outputs: list[Output] = []
    for _ in range(rounds):
        began = time.thread_time()
        outputs = apply(slices)
        totals.append((time.thread_time() - began) / changes)
        clocks = Clocks()
        with wrapped(clocks):
            apply(slices)
        for part, seconds in clocks.seconds.items():
            split[part] = min(split.get(part, 1e9), seconds / changes)
    split["fetch and FIFO"] = fetch / changes
    split["produce"] = asyncio.run(_produce(named(settings, "parts"), outputs)) / changes
    split["metrics"] = _metrics(outputs) / changes
    total = min(totals)
    core = {part for _, _, part in CORE}
    split["the rest of the core"] = max(0.0, total - sum(split[part] for part in core))
    split["sum"] = total + split["fetch and FIFO"] + split["produce"] + split["metrics"]
    speed = calibrate()
    rows = [
        {
            "part": part,
            "budget": BUDGET.get(part),
            "us": split[part] * 1e6,
            "scaled": split[part] * 1e6 * REFERENCE_US / speed,
        }
        for part in (*BUDGET, *sorted(set(split) - set(BUDGET) - {"sum"}), "sum")
    ]
    return {"changes": changes, "slice": SLICE, "orjson_us": speed, "rows": rows, "profile": profile(slices)}


BUDGET = {
    "fetch and FIFO": 4.0,
    "decode": 2.0,
    "state": 2.5,
    "guard and fold": 3.5,
    "rules": 4.5,
    "reconcile, alerts, wins": 1.0,
    "serialise": 1.5,
    "produce": 2.0,
    "metrics": 0.5,
}


def apply(slices: Slices) -> list[Output]:
    """The core alone over the log."""
    parts: dict[int, Partition] = {}
    outputs = []
    for records in slices:
        number = records[0].partition
        if number not in parts:
            parts[number] = Partition(number, policy_text(), {}, compile_text)
        output: Output | None = parts[number].apply(records)
        while output is not None:
            outputs.append(output)
            output = parts[number].settle()
    return outputs


def profile(slices: Slices) -> list[str]:
    """Where the core spends its time, in lines."""
    profiler = cProfile.Profile(time.thread_time)
    profiler.runcall(apply, slices)
    text = io.StringIO()
    pstats.Stats(profiler, stream=text).strip_dirs().sort_stats("tottime").print_stats(PROFILED)
    lines = text.getvalue().splitlines()
    start = next(i for i, line in enumerate(lines) if "ncalls" in line)
    return [line.rstrip() for line in lines[start:] if line.strip()]


async def _fetch(log: Log) -> tuple[Slices, float]:
    """The log as slices, and the CPU that fetching them took."""
    consumer = aiokafka.AIOKafkaConsumer(
        bootstrap_servers=log.settings.kafka, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    parts = [aiokafka.TopicPartition(log.topic, number) for number in log.ends]
    consumer.assign(parts)
    slices: Slices = []
    left, began = sum(log.ends.values()), time.thread_time()
    while left:
        for records in (await consumer.getmany(timeout_ms=1_000, max_records=4 * SLICE)).values():
            left -= len(records)
            slices += [records[start : start + SLICE] for start in range(0, len(records), SLICE)]
    spent = time.thread_time() - began
    await consumer.stop()
    return slices, spent


async def _produce(settings: Settings, outputs: list[Output]) -> float:
    """The CPU that the loop's thread spends on handing states to librdkafka and on their acknowledgements."""
    failed: list[BaseException] = []
    outlet = Outlet(settings, failed.append)
    changelog = Changelog(0, 0, 0)
    pipeline = Pipeline(lambda lot, written: outlet.states(changelog, lot, written))
    assert threading.current_thread() is threading.main_thread()
    began = time.thread_time()
    for output in outputs:
        pipeline.push(Entry(output.end_offset, 0, output.states))
        await asyncio.sleep(0)
    while not pipeline.empty and not failed:
        await asyncio.sleep(0.05)
    spent = time.thread_time() - began
    outlet.close()
    if failed:
        raise failed[0]
    return spent


def _metrics(outputs: list[Output]) -> float:
    metrics = Metrics()
    began = time.thread_time()
    for output in outputs:
        metrics.count(SLICE, output.counts)
    return time.thread_time() - began
