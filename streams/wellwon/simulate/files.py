"""Write a simulation to files: changes and labels, one JSON document a line."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import BinaryIO

from wellwon.simulate.stream import Simulation, label_line

_BUFFER = 1 << 20


def write_changes(simulation: Simulation, out: BinaryIO, progress: Callable[[int], None] | None = None) -> int:
    """Write every change and return how many; ``progress`` hears the count now and then."""
    return _write((delivery.value + b"\n" for delivery in simulation), out, progress)


def write_labels(simulation: Simulation, file: Path) -> int:
    """Write the label of every deal and return how many."""
    with file.open("wb", _BUFFER) as out:
        return _write(map(label_line, simulation.labels()), out)


def _write(lines: Iterable[bytes], out: BinaryIO, progress: Callable[[int], None] | None = None) -> int:
    written = 0
    for written, line in enumerate(lines, start=1):
        out.write(line)
        if progress is not None and written % 50_000 == 0:
            progress(written)
    return written
