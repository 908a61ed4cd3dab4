"""The measurements hold on to names of the core: here it is noticed when one goes."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from wellwon.simulate import Simulation

BENCH = Path(__file__).parent.parent / "bench"


def test_the_core_is_measured_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(BENCH), *sys.path])
    import parts

    log = [
        SimpleNamespace(key=item.key, value=item.value, offset=offset, partition=0)
        for offset, item in enumerate(Simulation(1, 20))
    ]
    half = len(log) // 2
    store: dict[bytes, bytes] = {}
    clocks = parts.Clocks()
    with parts.wrapped(clocks):
        for records in (log[:half], log[half:]):  # the second one finds the states of the first
            parts.Partition(0, "", store, parts.compile_text).apply(records)
    assert clocks.seconds.keys() == {part for _, _, part in parts.CORE}
    assert all(clocks.seconds.values()), clocks.seconds
