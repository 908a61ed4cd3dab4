"""How commands print: columns for people, JSON for machines."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

STDIN = "-"


def is_terminal() -> bool:
    """Whether a person reads this."""
    return sys.stdout.isatty()


def columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows in columns. In a terminal the last column is folded to its width; in a pipe a row is a line."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header) - 1)]
    indent = sum(width + 2 for width in widths)
    room = max(24, shutil.get_terminal_size().columns - indent - 1) if is_terminal() else 10_000
    for number, row in enumerate((header, *rows)):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        folded = textwrap.wrap(row[-1], room) or [""]
        line = "  ".join((*cells, f"\n{' ' * indent}".join(folded))).rstrip()
        click.echo(click.style(line, bold=True) if number == 0 else line)


def json_lines(value: Any, err: bool = False) -> None:
    """Print one JSON document, on standard error where standard output holds something else."""
    import orjson

    click.echo(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode(), err=err)


def read_text(file: str) -> str:
    """A file's text; ``-`` is standard input."""
    if file == STDIN:
        return sys.stdin.buffer.read().decode()
    return Path(file).read_text(encoding="utf-8")


def shown_name(file: str) -> str:
    """A file's name as messages give it."""
    return "standard input" if file == STDIN else file


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 rule``, ``2 rules``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


class Group(click.Group):
    """A command of commands. Its help gives the first sentence of each, folded, never cut."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of the help."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.sentences().items()))

    def sentences(self) -> dict[str, str]:
        """What each command does, by name."""
        return {name: command.get_short_help_str(10_000) for name, command in self.commands.items()}


def page(markdown: str) -> None:
    """Print a page: laid out in a terminal, as plain text in a pipe or where NO_COLOR is set."""
    if is_terminal() and not os.environ.get("NO_COLOR"):
        from rich.console import Console
        from rich.markdown import Markdown

        Console().print(Markdown(markdown))
        return
    fenced = False
    for line in markdown.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        else:
            click.echo(f"    {line}".rstrip() if fenced else line.lstrip("#").lstrip() if line[:1] == "#" else line)
