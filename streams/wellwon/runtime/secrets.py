"""Secrets of the policy's sinks: environment variables, or files that they name. They are never logged."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from wellwon.runtime.settings import FILE


def secret(variable: str, environment: Mapping[str, str] | None = None) -> Callable[[], str] | None:
    """Return what reads the secret in ``variable``, or in the file that ``variable_FILE`` names; None for neither.

    A file is read anew each time, so that a rotated token is taken up; while it cannot be read, the last one holds.
    """
    source = os.environ if environment is None else environment
    if text := source.get(variable, "").strip():
        return lambda: text
    if not (name := source.get(variable + FILE, "").strip()):
        return None
    path, last = Path(name), ""

    def read() -> str:
        nonlocal last
        try:
            last = path.read_text(encoding="utf-8").strip() or last
        except OSError:
            if not last:
                raise
        return last

    return read
