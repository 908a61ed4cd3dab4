"""Compiles the core while a wheel is built, where WELLWON_COMPILE=1 asks for it; otherwise the wheel is pure Python.

    WELLWON_COMPILE=1 pip wheel --no-build-isolation --no-deps .      # with requirements-compile.lock, and a C compiler

The core and the rules are strictly typed, so mypyc can compile them, and with them what a backtest does for each deal.
The sources stay in the wheel for tracebacks; Python prefers what is compiled. Both say the same:
`tests/deploy/test_image.py`.
"""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NOT_COMPILED = {"__init__", "envelope", "facts", "moves", "norms", "rollup", "stored", "tallies", "timeline"}
"""Of the core: modules of msgspec's structs, whose annotations mypyc does not keep; what travels between processes; the
rollup, which is asked once an hour; and the language of the tests."""

BY_DEAL = (
    "sources/stage_history",
    "sources/story",
    "sources/part",
    "sources/piece",
    "history/course",
    "history/follow",
    "history/forecast",
    "history/group_facts",
    "history/like_deals",
    "history/money",
    "history/tally",
    "history/wins",
)
"""What a backtest does for each deal of a history, beside the core."""

MYPYC = """
import sys
from mypyc.build import mypycify
from setuptools import setup
modules, sys.argv[1:] = sys.argv[1:], ["--quiet", "build_ext", "--inplace"]
setup(name="wellwon-core", packages=[], ext_modules=mypycify(["--config-file=mypy.ini", *modules], opt_level="3"))
"""
CONFIG = """[mypy]
python_executable = {python}
namespace_packages = true
explicit_package_bases = true
follow_imports_for_stubs = false
ignore_missing_imports = true
[mypy-wellwon.rules,wellwon.policy.*,wellwon.runtime.*,wellwon.cli.*]
ignore_errors = true
"""


def modules(package: Path) -> list[Path]:
    """The modules to compile, of the package ``wellwon`` in this folder."""
    core = [path for path in sorted(package.glob("core/*.py")) if path.stem not in NOT_COMPILED]
    rules = [path for path in sorted(package.glob("rules/*.py")) if path.stem != "__init__"]
    return [*core, *rules, *(package / f"{name}.py" for name in BY_DEAL)]


def compile_core(source: Path, folder: Path) -> list[Path]:
    """Copy the package into a folder and compile its core there; return what the compiler made.

    Raises RuntimeError with the compiler's words where it cannot.
    """
    package = folder / "wellwon"
    shutil.copytree(source, package, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    for path in modules(package):
        text = path.read_text()
        if "doc=__doc__" in text:  # a compiled module has no docstring of its own
            page = ast.get_docstring(ast.parse(text), clean=False)
            path.write_text(text.replace("doc=__doc__", f"doc={page!r}"))
    (folder / "mypy.ini").write_text(CONFIG.format(python=sys.executable))
    names = [str(path.relative_to(folder)) for path in modules(package)]
    command = [sys.executable, "-c", MYPYC, *names]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(
            "the core could not be compiled; it takes requirements-compile.lock and a C compiler (apt install gcc), or"
            f" a wheel without WELLWON_COMPILE=1:\n{(done.stdout + done.stderr)[-4000:]}"
        )
    return [*sorted(folder.glob("*.so")), *sorted(package.rglob("*.so"))]


class CompiledCore(BuildHookInterface):
    """See the module."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add what was compiled to the wheel."""
        if os.environ.get("WELLWON_COMPILE") != "1" or version == "editable":
            return
        self._folder = Path(mkdtemp(prefix="wellwon-"))
        made = compile_core(Path(self.root) / "streams" / "wellwon", self._folder)
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
        build_data["force_include"].update({str(path): str(path.relative_to(self._folder)) for path in made})

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Clean up."""
        if hasattr(self, "_folder"):
            shutil.rmtree(self._folder)
