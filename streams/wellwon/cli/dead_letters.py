"""``wellwon dead-letters``: what could not be processed, and the way back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click

from wellwon.cli.failure import BadInput
from wellwon.cli.output import Group, columns, counted, json_lines


@click.group(cls=Group)
def command() -> None:
    """List, show and redrive what could not be processed."""


def chosen(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that choose among the letters."""
    function = click.option("--reason", help="Only those with this reason.")(function)
    return click.option("--rule", help="Only those of this rule, which raised.")(function)


@command.command("list")
@chosen
@click.option("--json", "as_json", is_flag=True, help="As JSON, without the originals.")
def list_(reason: str | None, rule: str | None, as_json: bool) -> None:
    """Those that are kept now, oldest first."""
    letters = list(_read(reason, rule))
    if as_json:
        json_lines([_plain(letter) for letter in letters])
        return
    if not letters:
        click.echo("no dead letters")
        return
    rows = [
        (str(letter.position), letter.at, letter.reason, _place(letter), letter.rule or "", letter.detail)
        for letter in letters
    ]
    columns(("number", "at", "reason", "was at", "rule", "what is wrong"), rows)


@command.command()
@click.argument("number", type=int)
@click.option("--original", is_flag=True, help="Write the original bytes and nothing else.")
def show(number: int, original: bool) -> None:
    """One dead letter, by the NUMBER that `list` gives."""
    letter = next((letter for letter in _read(None, None) if letter.position == number), None)
    if letter is None:
        raise BadInput(f"there is no dead letter {number}: `wellwon dead-letters list` says which there are")
    if original:
        if letter.value is None:
            raise BadInput(f"dead letter {number} has no original: it was empty, or too large to copy")
        sys.stdout.buffer.write(letter.value)
        return
    for name, value in _plain(letter).items():
        if value is not None:
            click.echo(f"{name:10} {value}")
    if letter.value is not None:
        click.echo(f"\n{letter.value.decode(errors='backslashreplace')}")


@command.command()
@chosen
@click.option("--number", "numbers", type=int, multiple=True, help="Only this one; may be repeated.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def redrive(reason: str | None, rule: str | None, numbers: tuple[int, ...], yes: bool) -> None:
    """Send the originals again to the topics they came from, after what was wrong is mended.

    What is sent again stays in the list. What came from a file is not sent: mend the file and ingest it again.
    """
    from wellwon.runtime import deadletters
    from wellwon.runtime.settings import Settings

    letters = [letter for letter in _read(reason, rule) if not numbers or letter.position in numbers]
    files = sorted(letter.topic.removeprefix(deadletters.FILE) for letter in letters if _is_of_file(letter))
    letters = [letter for letter in letters if not _is_of_file(letter)]
    if files:
        names = ", ".join(dict.fromkeys(files))
        click.echo(f"{len(files):,} came from a file ({names}): mend it and ingest it again")
    if not letters:
        click.echo("nothing to send")
        return
    if not yes:
        if not sys.stdin.isatty():
            click.echo("without a terminal, --yes answers the question", err=True)
        click.confirm(f"Send {counted(len(letters), 'record')} again?", abort=True)
    sent, without = deadletters.redrive(Settings.from_environment(), iter(letters))
    click.echo(f"sent {counted(sent, 'record')}" + (f"; {without} without an original left out" if without else ""))
    click.echo("they stay in the list, as what once was refused")


def _read(reason: str | None, rule: str | None) -> Any:
    from wellwon.runtime import deadletters
    from wellwon.runtime.settings import Settings

    return deadletters.read(Settings.from_environment(), reason=reason, rule=rule)


def _is_of_file(letter: Any) -> bool:
    from wellwon.runtime import deadletters

    return bool(letter.topic.startswith(deadletters.FILE))


def _place(letter: Any) -> str:
    return f"{letter.topic}/{letter.partition}@{letter.offset}"


def _plain(letter: Any) -> dict[str, Any]:
    return {
        "number": letter.position,
        "at": letter.at,
        "reason": letter.reason,
        "detail": letter.detail,
        "rule": letter.rule,
        "was at": _place(letter),
        "key": None if letter.key is None else letter.key.decode(errors="backslashreplace"),
        "size": letter.size,
    }
