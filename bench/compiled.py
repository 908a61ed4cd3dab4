"""wellwon with its core compiled, as the image has it, in the cache and never in the source tree."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

from cluster import CACHE, ROOT

sys.path.append(str(ROOT))

from hatch_build import compile_core


def build() -> Path:
    """Return the folder that holds the compiled package, made anew when the sources have changed."""
    source = ROOT / "streams" / "wellwon"
    digest = hashlib.blake2b(digest_size=8)
    for path in [*sorted(source.rglob("*.py")), ROOT / "hatch_build.py"]:
        digest.update(path.read_bytes())
    folder = CACHE / "compiled" / digest.hexdigest()
    if not (folder / "complete").exists():
        shutil.rmtree(CACHE / "compiled", ignore_errors=True)
        compile_core(source, folder)
        (folder / "complete").touch()
    return folder


if __name__ == "__main__":
    print(build())
