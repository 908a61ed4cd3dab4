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

NOT_COMPILED = {"__init__", "envelope", "facts", "moves", "stored", "timeline"}
CORE = sorted(path.stem for path in (ROOT / "streams/wellwon/core").glob("*.py") if path.stem not in NOT_COMPILED)
RULES = sorted(path.stem for path in (ROOT / "streams/wellwon/rules").glob("[a-z]*.py"))
MODULES = (*(f"core/{name}.py" for name in CORE), *(f"rules/{name}.py" for name in RULES))
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
