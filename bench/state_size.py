"""How many bytes a deal's state takes over a simulated quarter."""

from __future__ import annotations

from typing import Any

from cluster import simulated
from wellwon.core.partition import Partition
from wellwon.core.state import CONTROL_KEY
from wellwon.policy import compile_text
from wellwon.simulate.organisation import policy_text

SLICE = 500


class _Record:
    __slots__ = ("key", "offset", "value")

    def __init__(self, key: bytes | None, value: bytes, offset: int) -> None:
        self.key, self.value, self.offset = key, value, offset


def measure(deals: int) -> dict[str, Any]:
    """Sizes at the end of the quarter, and the largest that each deal's state ever was."""
    store: dict[bytes, bytes] = {}
    largest: dict[bytes, int] = {}
    partition = Partition(0, policy_text(), store, compile_text)

    def note(states: dict[bytes, bytes | None]) -> None:
        for key, value in states.items():
            if value is not None and key != CONTROL_KEY and len(value) > largest.get(key, 0):
                largest[key] = len(value)

    waiting: list[_Record] = []
    for offset, (key, value) in enumerate(simulated(deals)):
        waiting.append(_Record(key, value, offset))
        if len(waiting) < SLICE:
            continue
        note(partition.apply(waiting).states)
        while (settled := partition.settle()) is not None:
            note(settled.states)
        waiting = []
    note(partition.apply(waiting).states)
    end = [len(value) for key, value in store.items() if key != CONTROL_KEY]
    return {"deals": deals, "end": _quantiles(end), "largest": _quantiles(list(largest.values()))}


def _quantiles(sizes: list[int]) -> dict[str, int]:
    ordered = sorted(sizes)
    shares = {"median": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    return {name: ordered[min(len(ordered) - 1, int(len(ordered) * share))] for name, share in shares.items()}
