"""The how-to pages, run: files are written as the page shows them, commands print what it says they print."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from cli.test_commands import wellwon

PAGES = sorted((Path(__file__).parents[2] / "docs" / "how-to").glob("*.md"))
FILE = re.compile(r"`([\w.-]+)`:\n\n```(?:csv|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FAILS = re.compile(r"\s+# exit code (\d)$")


def steps(block: str) -> list[tuple[str, int, list[str]]]:
    """Each command of a block, how it ends, and the lines that it prints among others."""
    found: list[tuple[str, int, list[str]]] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            ends = FAILS.search(line)
            found.append((FAILS.sub("", line[2:]), int(ends.group(1)) if ends else 0, []))
        else:
            found[-1][2].append(line)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_is_what_happens(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = page.read_text()
    for name, content in FILE.findall(text):
        (tmp_path / name).write_text(content)
    commands = [step for block in CONSOLE.findall(text) for step in steps(block)]
    assert commands
    for command, code, printed in commands:
        program, *arguments = shlex.split(command)
        assert program == "wellwon"
        result = wellwon(*arguments)
        assert result.exit_code == code, f"{command}\n{result.output}"
        missing = [line for line in printed if line not in result.output]
        assert not missing, f"{command}\n{result.output}"
