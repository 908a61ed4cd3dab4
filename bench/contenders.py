"""Who is compared, and how each is measured: from outside, and all by the same rule.

A contender's time runs from the moment that its consumer group has its partitions until its committed offsets reach the
end of the log; what it had committed when the time limit cut it off counts otherwise. Every contender commits once a
second.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cluster import (
    CACHE,
    ROOT,
    Group,
    Log,
    cpu_seconds,
    environment,
    forget_results,
    log_ends,
    named,
    peak_mb,
    pinned,
)
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings

PEERS = Path(__file__).resolve().parent / "peers"
BENCH_PYTHON = ROOT / ".cache" / "bench-venv" / "bin" / "python"
COMPILED = "wellwon-compiled"
START_S = 60.0
STOP_S = 30.0


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to work through the log."""

    name: str
    title: str
    start: Callable[[Settings], tuple[list[str], dict[str, str] | None]]
    """The command and the environment of its process (None: this one's)."""
    limit_s: float = 300.0
    is_wellwon: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement of one contender."""

    contender: str
    changes: int
    """Changes worked through."""
    seconds: float
    cpu_seconds: float
    peak_mb: float
    alerts: int
    complete: bool

    @property
    def rate(self) -> float:
        """Changes per second."""
        return self.changes / self.seconds

    def as_dict(self) -> dict[str, Any]:
        """For the report's JSON."""
        return asdict(self)


def _peer(script: str, python: Path, *more: str) -> Callable[[Settings], tuple[list[str], dict[str, str] | None]]:
    def start(settings: Settings) -> tuple[list[str], dict[str, str] | None]:
        settings.data.mkdir(parents=True)
        arguments = [settings.kafka, settings.topic(topics.CHANGES), settings.group]
        if script != "raw.py":
            arguments += [str(settings.data), *more]
        return [str(python), str(PEERS / script), *arguments], None

    return start


def worker(streams: Path) -> Callable[[Settings], tuple[list[str], dict[str, str]]]:
    """The worker as it is shipped, with wellwon from this folder."""

    def start(settings: Settings) -> tuple[list[str], dict[str, str]]:
        return [sys.executable, "-m", "wellwon.runtime.worker"], environment(settings, streams)

    return start


RAW = Contender("raw", "librdkafka + orjson, nothing done", _peer("raw.py", Path(sys.executable)))
FAUST = Contender("faust", "Faust as documented, push counter", _peer("plain_faust.py", Path(sys.executable)), 40.0)
QUIX = Contender(
    "quix", "Quix Streams, push counter, a write for every change", _peer("quix.py", BENCH_PYTHON, "every")
)
QUIX_BARE = Contender(
    "quix-bare",
    "Quix Streams, push counter, a write for every close date",
    _peer("quix.py", BENCH_PYTHON, "bare"),
)
PLAIN = Contender("wellwon", "**wellwon, every rule**", worker(ROOT / "streams"), is_wellwon=True)


def compiled(folder: Path) -> Contender:
    """The worker with its core compiled into this folder."""
    return Contender(COMPILED, "**wellwon, every rule, compiled**", worker(folder), is_wellwon=True)


def measure(contender: Contender, log: Log, number: int) -> Run:
    """Run a contender over the log once."""
    forget_results(log.settings)
    settings = named(log.settings, f"bench-{contender.name}-{number}")
    command, variables = contender.start(settings)
    output = CACHE / "logs" / f"{contender.name}-{number}.log"
    output.parent.mkdir(parents=True, exist_ok=True)
    group = Group(settings, settings.group)
    with output.open("wb") as out:
        process = subprocess.Popen(pinned(command), env=variables, stdout=out, stderr=out)
    try:
        return _watch(contender, log, settings, group, process, output)
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        process.kill()
        process.wait()
        group.close()


def _watch(
    contender: Contender, log: Log, settings: Settings, group: Group, process: subprocess.Popen[bytes], output: Path
) -> Run:
    def alive() -> None:
        if process.poll() is not None:
            raise RuntimeError(f"{contender.name} ended with {process.returncode}; see {output}")

    deadline = time.monotonic() + START_S
    while not group.has_members():
        alive()
        if time.monotonic() > deadline:
            raise RuntimeError(f"{contender.name} got no partitions within {START_S:.0f} s; see {output}")
        time.sleep(0.02)
    began, cpu = time.monotonic(), cpu_seconds(process.pid)
    while True:
        time.sleep(0.05)
        alive()
        now = time.monotonic()
        done = {number: min(offset, log.ends[number]) for number, offset in group.committed().items()}
        if done == log.ends or now - began > contender.limit_s:
            break
    share = sum(done.values()) / sum(log.ends.values())
    return Run(
        contender=contender.name,
        changes=round(log.changes * share),
        seconds=now - began,
        cpu_seconds=cpu_seconds(process.pid) - cpu,
        peak_mb=peak_mb(process.pid),
        alerts=sum(log_ends(settings, topics.ALERTS).values()) if contender.is_wellwon else 0,
        complete=done == log.ends,
    )
