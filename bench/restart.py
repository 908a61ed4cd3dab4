"""How long a worker with many deals takes to be ready again: from its checkpoint, and from the changelog alone."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from typing import Any

from cluster import CACHE, PARTITIONS, ROOT, Group, Record, named, peak_mb, pinned, simulated, write
from contenders import worker
from latency import is_ready
from wellwon.core.partition import Partition
from wellwon.core.state import CONTROL_KEY, PREFIX, VERSION
from wellwon.policy import compile_text
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings
from wellwon.simulate.organisation import policy_text

LIVES = 2_000
LIMIT_S = 300.0


class _Record:
    __slots__ = ("key", "offset", "value")

    def __init__(self, key: bytes | None, value: bytes, offset: int) -> None:
        self.key, self.value, self.offset = key, value, offset


def states(deals: int) -> Iterator[tuple[bytes, bytes]]:
    """The states of a simulated quarter, told over and over under other ids until there are so many."""
    store: dict[bytes, bytes] = {}
    partition = Partition(0, policy_text(), store, compile_text)
    partition.apply([_Record(key, value, offset) for offset, (key, value) in enumerate(simulated(LIVES))])
    while partition.settle() is not None:
        pass
    store.pop(CONTROL_KEY, None)
    lives = []
    for key, value in store.items():
        wake_at = PREFIX.unpack_from(value)[4]
        lives.append((key, PREFIX.pack(VERSION, 0, 0, 0, wake_at) + value[PREFIX.size :]))
    for number in range(deals):
        key, value = lives[number % len(lives)]
        yield b"%s%05d" % (key, number // len(lives)), value


def measure(settings: Settings, deals: int) -> dict[str, Any]:
    """Fill the changelog, then start twice."""
    topics.create(settings)
    size = 0

    def counted() -> Iterator[Record]:
        nonlocal size
        for key, value in states(deals):
            size += len(value)
            yield key, value

    write(settings, topics.STATE, counted())
    # A log that reaches beyond what the states say they have applied.
    write(settings, topics.CHANGES, list(simulated(PARTITIONS * 10)))
    settings = named(settings, "restart")
    found: dict[str, Any] = {"deals": deals, "value_bytes": size // deals}
    for name in ("changelog", "checkpoint"):
        found[name] = _start(settings, name)
    return found


def _start(settings: Settings, name: str) -> dict[str, float]:
    command, variables = worker(ROOT / "streams")(settings)
    log = CACHE / "logs" / f"restart-{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    group = Group(settings, settings.group)
    began, assigned = time.monotonic(), 0.0
    with log.open("wb") as out:
        process = subprocess.Popen(pinned(command), env=variables, stdout=out, stderr=out)
    try:
        while not is_ready(settings):
            if process.poll() is not None or time.monotonic() - began > LIMIT_S:
                raise RuntimeError(f"the worker did not become ready; see {log}")
            if not assigned and group.has_members():
                assigned = time.monotonic()
            time.sleep(0.02)
        ready = time.monotonic()
    finally:
        process.terminate()  # in good order: it writes its checkpoint
        peak = peak_mb(process.pid)
        process.wait(timeout=LIMIT_S)
        group.close()
    return {"from_start": ready - began, "from_assignment": ready - (assigned or ready), "peak_mb": peak}
