"""How commands print: columns for people, JSON for machines."""

from __future__ import annotations

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
