"""What must hold for every file of the repository."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import wellwon

ROOT = Path(__file__).parent.parent
LOCKS = ["requirements.lock", "requirements-pubsub.lock", "requirements-compile.lock", "requirements-dev.lock"]


def tracked() -> list[Path]:
    """The files that git has, or would take: those of a checkout, or of an unpacked archive."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


def found(pattern: str, paths: list[Path]) -> list[str]:
    hits = []
    for path in paths:
        try:
            lines = path.read_text().splitlines()
        except UnicodeDecodeError:
            continue
        hits += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
            for number, line in enumerate(lines, 1)
            if re.search(pattern, line)
        ]
    return hits


def texts() -> list[Path]:
    return [path for path in tracked() if path.name not in ("LICENSE", Path(__file__).name)]


def test_no_environment_and_no_lock_that_names_an_index() -> None:
    unwanted = {"uv.lock", "poetry.lock", "Pipfile.lock", ".venv", "node_modules", "__pycache__", ".cache"}
    assert not [str(path) for path in tracked() if unwanted & set(path.relative_to(ROOT).parts)]


def test_no_registry_is_named() -> None:
    hosts = r"files\.pythonhosted|pypi\.org/simple|repo1?\.maven|registry\.npmjs|deb\.debian|proxy\.golang|crates\.io"
    options = r"^(--index-url|-i |--extra-index-url|--find-links)"
    addresses = r"https?://[^ \"]+/(simple|packages|maven2|@v|pool/main)/"
    assert found(f"{hosts}|{options}|{addresses}", texts()) == []


def test_no_path_of_a_machine() -> None:
    assert found(r"(?<![\w.$}])/(work|farm|root|Users|home/(?!wellwon)\w+|tmp/(v|lab|plan))/", texts()) == []


def test_no_test_skips_or_waits_for_time_to_pass() -> None:
    tests = [path for path in texts() if "tests" in path.parts and path.suffix == ".py"]
    assert found(r"pytest\.(mark\.)?(skip|xfail)|importorskip|unittest\.skip", tests) == []
    assert found(r"\bTODO\b|\bFIXME\b|\bXXX\b", texts()) == []


def test_a_file_has_one_subject() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {lines} lines"
        for path in tracked()
        if path.suffix == ".py" and (lines := len(path.read_text().splitlines())) >= 400
    ]
    assert not long


def test_modules_say_what_they_are() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in tracked()
        if path.suffix == ".py"
        and path.stat().st_size
        and not path.read_text().lstrip().startswith(('"""', 'r"""', "#!"))
    ]
    assert not silent


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock: str) -> None:
    text = (ROOT / lock).read_text()
    pins = re.findall(r"^([\w.-]+)==\S+.*\\$", text, re.MULTILINE)
    entries = [line for line in text.splitlines() if line and not line.startswith((" ", "#"))]
    assert len(pins) == len(entries) > 20
    assert text.count("--hash=sha256:") > len(pins)


def test_the_locks_agree_and_cover_the_dependencies() -> None:
    runs, extra, compiles, tests = (
        dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE)) for lock in LOCKS
    )
    assert runs.items() < extra.items() < compiles.items() < tests.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names, optional = (
        {re.split(r"[<>=]", name)[0].lower() for name in listed}
        for listed in (project["project"]["dependencies"], project["project"]["optional-dependencies"]["pubsub"])
    )
    groups = {name.lower() for group in project["dependency-groups"].values() for name in group}
    assert names <= runs.keys()
    assert optional <= extra.keys() - runs.keys()
    assert groups <= tests.keys()


def test_one_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == wellwon.__version__
