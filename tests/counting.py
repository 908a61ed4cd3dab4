"""A core that only counts: what the runtime promises can be checked without rules.

Every fifth change of a deal is an alert. The state holds the count and a checksum over all values in order, so a change
that was lost, repeated or reordered shows.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

import orjson

from wellwon.core.output import DeadLetter, Output
from wellwon.core.partition import CONTROL_KEY
from wellwon.core.state import PREFIX
from wellwon.runtime import worker
from wellwon.runtime.detect import Detect


class Counting:
    """Has the contract of `wellwon.core.partition.Partition`."""

    def __init__(self, number: int, store: dict[bytes, bytes], generation: int = 0) -> None:
        self.number = number
        self.generation = generation
        self.policy = ""
        self.open_findings: dict[tuple[str, str], int] = {}
        self._store = store

    def apply(self, slice_: Iterable[Any]) -> Output:
        out = Output()
        for record in slice_:
            out.end_offset = record.offset
            if record.key is None:
                self._save(out, CONTROL_KEY, record.offset, 0, 0)
            elif record.value == b"bad":
                out.dead_letters.append(DeadLetter(record.key, record.value, record.offset, "not_json", "bad"))
            else:
                self._count(out, record)
        out.counts.changes["test", "changed"] = len(out.states)
        return out

    def _count(self, out: Output, record: Any) -> None:
        stored = self._store.get(record.key)
        guard, count, crc = -1, 0, 0
        if stored is not None:
            guard = PREFIX.unpack_from(stored)[3]
            count, crc = orjson.loads(stored[PREFIX.size :])
        if record.offset <= guard:
            out.counts.skipped += 1
            return
        count, crc = count + 1, zlib.crc32(record.value, crc)
        self._save(out, record.key, record.offset, count, crc)
        if count % 5 == 0:
            out.alerts.append((record.key, orjson.dumps({"id": record.key.decode(), "revision": count, "crc": crc})))

    def _save(self, out: Output, key: bytes, offset: int, count: int, crc: int) -> None:
        value = PREFIX.pack(1, 0, self.generation, offset, -1) + orjson.dumps([count, crc])
        self._store[key] = out.states[key] = value

    def settle(self) -> Output | None:
        return None


def main() -> None:
    """A worker with this core, in a process of its own."""
    worker.build_detect = lambda settings: Detect(settings, Counting, "")
    worker.main()


if __name__ == "__main__":
    main()
