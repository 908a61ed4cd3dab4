"""The tutorial is run as it stands, line by line, and prints what it says, but for the figures."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "tutorial.md"


class Typed(NamedTuple):
    """A command, and what the page says that it prints."""

    command: str
    printed: list[str]


def typed() -> Iterator[Typed]:
    for block in re.findall(r"^```console\n(.*?)^```", PAGE.read_text(), re.M | re.S):
        commands = re.split(r"^\$ ", block, flags=re.M)
        assert commands[0] == "", "a block begins with a command"
        for one in commands[1:]:
            command, *printed = one.splitlines()
            yield Typed(command, printed)


def plain(line: str) -> str:
    """A line without what a newer version, another simulator or a narrower column may change."""
    figures = re.sub(r"\d[\d,.]*|(?<= )-(?= |$)", "0", line)
    return re.sub(r"\s+", " ", figures).strip()


def assert_printed(expected: list[str], lines: list[str]) -> None:
    """Every line in order; ``...`` stands for any lines."""
    said = [plain(line) for line in lines if line.strip()]
    place, anywhere = 0, False
    for line in expected:
        if line == "...":
            anywhere = True
            continue
        wanted = plain(line)
        rest = said[place:]
        assert wanted in rest if anywhere else rest[:1] == [wanted], f"{line!r} is not what is printed: {lines}"
        place += rest.index(wanted) + 1
        anywhere = False
    assert anywhere or place == len(said), f"more is printed: {lines[place:]}"


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment in which ``wellwon`` is this checkout's."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    wellwon = bin_folder / "wellwon"
    wellwon.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m wellwon "$@"\n')
    wellwon.chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WELLWON_")}
    return {**clean, "PATH": f"{bin_folder}:{clean['PATH']}", "PYTHONPATH": str(ROOT / "streams")}


def test_every_line_of_it(shell: dict[str, str], tmp_path: Path) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    commands = list(typed())
    assert len(commands) > 8
    for command, printed in commands:
        done = subprocess.run(
            ["bash", "-c", command], cwd=folder, env=shell, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, timeout=300, check=False,
        )  # fmt: skip
        # `policy diff` says by its exit code that something is different.
        assert done.returncode == 0 or (done.returncode == 1 and "policy diff" in command), f"{command}\n{done.stdout}"
        assert_printed(printed, done.stdout.splitlines())
    assert "<svg" in (folder / "report.html").read_text()


def test_what_is_printed_is_compared() -> None:
    assert_printed(["...", " rule  12 %  -", "..."], ["", "a", "rule 7 %   0.5", "b"])
    with pytest.raises(AssertionError, match="is not what is printed"):
        assert_printed(["...", "rule 12 %"], ["rule 12 deals"])
    with pytest.raises(AssertionError, match="more is printed"):
        assert_printed(["rule"], ["rule", "and more"])
