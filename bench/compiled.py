"""wellwon with its core compiled by mypyc, into the cache and never into the source tree.

The modules that hold msgspec's structs stay as they are: mypyc drops the annotations that msgspec reads. So do those
whose dataclasses are read by others.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from cluster import CACHE, ROOT

MODULES = (
    "core/units.py",
    "core/zone.py",
    "core/price.py",
    "core/fold.py",
    "core/hindsight.py",
    "core/wire.py",
    "core/rule.py",
    "core/engine.py",
    "core/lifecycle.py",
    "core/win.py",
    "core/outcome.py",
    "core/wakes.py",
    "core/partition.py",
    "rules/reading.py",
    "rules/amount_cut_before_close.py",
    "rules/close_date_push.py",
    "rules/commit_slip.py",
    "rules/discount_creep.py",
    "rules/late_discount.py",
    "rules/past_due_close_date.py",
    "rules/period_end_push.py",
    "rules/pull_in_without_progress.py",
    "rules/push_to_close.py",
    "rules/reopened_deal.py",
)
"""What is compiled, relative to the package."""

BUILD = """
import sys
from setuptools import setup
from mypyc.build import mypycify
modules = sys.argv[1:]
sys.argv[1:] = ["--quiet", "build_ext", "--inplace"]
setup(name="wellwon-compiled", packages=[], ext_modules=mypycify(["--config-file=mypy.ini", *modules], opt_level="3"))
"""
CONFIG = """[mypy]
python_executable = {python}
namespace_packages = true
explicit_package_bases = true
follow_imports_for_stubs = false
[mypy-wellwon.policy.*,wellwon.runtime.*,wellwon.cli.*]
ignore_errors = true
"""


def build(python: Path) -> Path:
    """Return the folder that holds the compiled package; `python` has mypy and setuptools, and this version."""
    source = ROOT / "streams" / "wellwon"
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(source.rglob("*.py")):
        digest.update(path.read_bytes())
    digest.update("".join(MODULES).encode())
    folder = CACHE / "compiled" / digest.hexdigest()
    if (folder / "complete").exists():
        return folder
    shutil.rmtree(CACHE / "compiled", ignore_errors=True)
    shutil.copytree(source, folder / "wellwon", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for module in MODULES:  # a compiled module has no docstring, and mypyc believes that it has one
        path = folder / "wellwon" / module
        path.write_text(path.read_text().replace("doc=__doc__", 'doc=""'))
    (folder / "mypy.ini").write_text(CONFIG.format(python=sys.executable))
    modules = [f"wellwon/{module}" for module in MODULES]
    done = subprocess.run([str(python), "-c", BUILD, *modules], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"mypyc could not compile the core:\n{(done.stdout + done.stderr)[-4000:]}")
    (folder / "complete").touch()
    return folder


if __name__ == "__main__":
    print(build(ROOT / ".cache" / "bench-venv" / "bin" / "python"))
