"""Imports point one way; the ranks are below."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "streams" / "wellwon"

# A part may import those of a lower rank, and itself; parts of one rank know nothing of each other.
RANK = {
    "core": 0,
    "rules": 1,
    "policy": 2,
    "sources": 3,
    "deliver": 3,
    "history": 3,
    "simulate": 3,
    "sinks": 4,
    "runtime": 5,
    "web": 6,
    "cli": 7,
}
PURE = ["core", "rules", "policy", "deliver"]
IMPURE = ["faust", "mode", "kafka", "aiokafka", "aiohttp", "prometheus_client", "confluent_kafka", "rich", "click"]
# What each pure part may use beyond the standard library.
ALLOWED = {"core": {"msgspec", "orjson"}, "rules": set[str](), "policy": {"msgspec", "yaml"}, "deliver": {"msgspec"}}


def modules(part: str) -> list[Path]:
    return sorted((PACKAGE / part).rglob("*.py"))


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """The dotted names that a file imports; a relative import is made absolute."""
    parent = path.relative_to(PACKAGE.parent).parent.parts
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (tuple(alias.name.split(".")) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = parent[: len(parent) - node.level + 1] if node.level else ()
            base = (*start, *(node.module.split(".") if node.module else ()))
            # `from wellwon import core` imports a part as much as `import wellwon.core` does
            yield from ((*base, alias.name) for alias in node.names) if base == ("wellwon",) else [base]


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter has loaded after a statement."""
    script = f"{statement}\nimport sys, json\nprint(json.dumps(sorted({{n.split('.')[0] for n in sys.modules}})))"
    # -I: neither the current directory nor PYTHON* variables; the source root is given by hand.
    start = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r})\n"
    output = subprocess.run([sys.executable, "-I", "-c", start + script], check=True, capture_output=True, text=True)
    return set(json.loads(output.stdout))


def test_every_part_has_its_place() -> None:
    parts = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.glob("*.py"))}
    assert parts <= RANK.keys(), "a new part needs its rank here"
    assert set(PURE) <= parts


@pytest.mark.parametrize("part", RANK)
def test_imports_point_one_way(part: str) -> None:
    wrong = [
        f"{path.relative_to(PACKAGE.parent)} imports {'.'.join(name)}"
        for path in modules(part)
        for name in imported(path)
        if name[0] == "wellwon" and len(name) > 1 and name[1] in RANK
        if name[1] != part and RANK[name[1]] >= RANK[part]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("part", PURE)
def test_pure_parts_use_little_beyond_the_standard_library(part: str) -> None:
    wrong = [
        f"{path.relative_to(PACKAGE.parent)} imports {'.'.join(name)}"
        for path in modules(part)
        for name in imported(path)
        if name[0] not in sys.stdlib_module_names and name[0] != "wellwon" and name[0] not in ALLOWED[part]
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("part", PURE)
def test_pure_parts_load_nothing_that_talks_to_the_world(part: str) -> None:
    names = [
        ".".join(("wellwon", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
        for path in modules(part)
    ]
    loaded = loaded_by("import " + ", ".join(names))
    assert not loaded & set(IMPURE)
    if part in ("core", "rules"):
        assert "yaml" not in loaded


def test_pure_parts_do_not_ask_the_time() -> None:
    clocks = {"time.time", "time.time_ns", "time.monotonic", "datetime.now", "datetime.utcnow", "date.today"}
    wrong = [
        f"{path.relative_to(PACKAGE.parent)}:{node.lineno} calls {ast.unparse(node.func)}"
        for part in PURE
        for path in modules(part)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).removeprefix("datetime.") in clocks
    ]
    assert not wrong, "\n".join(wrong)
