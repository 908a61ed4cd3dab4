"""What the pages tell people to type and to open is there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from wellwon.cli import COMMANDS, UNLISTED, cli

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
)
pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def code(page: Path) -> list[str]:
    """The lines of a page's code blocks, and what stands between backticks in its text."""
    text = page.read_text()
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S)
    return [line for block in blocks for line in block.splitlines()] + re.findall(r"`([^`\n]+)`", text)


@pages
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


@pages
def test_commands_exist(page: Path) -> None:
    used = {found for line in code(page) for found in re.findall(r"(?:^|[|$/=] ?|\d )wellwon ([a-z][a-z-]+)", line)}
    assert used <= COMMANDS.keys() | UNLISTED.keys()


def typed(line: str) -> Iterator[list[str]]:
    """The words behind `wellwon` in each command of a line, without what is said about it."""
    for found in re.findall(r"(?:^|[|$/=] ?|\d |-- )wellwon ((?:[^|&;<>\"'(]|\"[^\"]*\")*)", line):
        yield re.split(r"\s{2,}|\s#", found)[0].split()


@pages
def test_options_exist(page: Path) -> None:
    for line in code(page):
        for words in typed(line):
            command: click.Command = cli
            while words and isinstance(command, click.Group):
                found = command.get_command(click.Context(command), words[0])
                if found is None:
                    break
                command, words = found, words[1:]
            known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
            used = {word.partition("=")[0] for word in words if re.match(r"--\w", word)}
            assert used <= known, line


@pages
def test_make_targets_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.M))
    used = {found for line in code(page) for found in re.findall(r"^make ((?:[a-z]+ ?)+)", line)}
    assert all(names.split()[0] in targets for names in used), used


def test_the_two_commands_are_at_the_top() -> None:
    top = (ROOT / "README.md").read_text()[:1500]
    assert "make demo" in top
    assert "make test" in top
