"""``wellwon dead-letters``: what could not be processed, and the way back."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import click

from wellwon.cli.failure import BadInput, Failed
from wellwon.cli.output import Group, columns, counted, json_lines

if TYPE_CHECKING:
    from wellwon.runtime.deadletters import DeadLetter


@click.group(cls=Group)
def command() -> None:
    """List, show and redrive what could not be processed."""


def chosen(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that choose among the letters."""
    function = click.option("--reason", help="Only those with this reason.")(function)
    return click.option("--rule", help="Only those of this rule, which raised.")(function)


def acting(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that does something about letters."""
    function = click.option("--yes", is_flag=True, help="Do not ask.")(function)
    numbers = click.option("--number", "numbers", type=int, multiple=True, help="Only this one; may be repeated.")
    return chosen(numbers(function))


@command.command("list")
@chosen
@click.option("--all", "every", is_flag=True, help="Those too that were sent again or dismissed.")
@click.option("--json", "as_json", is_flag=True, help="As JSON, without the originals.")
def list_(reason: str | None, rule: str | None, every: bool, as_json: bool) -> None:
    """Those that are open, oldest first: not sent again, and not dismissed."""
    plain, others = [], 0
    for letter in _read(reason, rule):
        if every or letter.closed is None:
            plain.append(_plain(letter))
        else:
            others += 1
    if as_json:
        json_lines(plain)
        return
    if plain:
        names = ("number", "at", "reason", "was_at", "rule", *(("closed",) if every else ()), "detail")
        rows = [[str(letter[name]) if letter[name] is not None else "" for name in names] for letter in plain]
        columns([{"was_at": "was at", "detail": "what is wrong"}.get(name, name) for name in names], rows)
    else:
        click.echo("no dead letters" if every else "no open dead letters")
    if others:
        click.echo(f"{others:,} more were sent again or dismissed: --all lists them", err=True)


@command.command()
@click.argument("number", type=int)
@click.option("--original", is_flag=True, help="Write the original bytes and nothing else.")
def show(number: int, original: bool) -> None:
    """One dead letter, by the NUMBER that `list` gives."""
    letter = next((letter for letter in _read(None, None) if letter.position == number), None)
    if letter is None:
        raise _not_there({number})
    if original:
        if letter.value is None:
            raise BadInput(f"dead letter {number} has no original: it was empty, or too large to copy")
        sys.stdout.buffer.write(letter.value)
        return
    for name, value in _plain(letter).items():
        if value is not None:
            click.echo(f"{name.replace('_', ' '):10} {value}")
    if letter.value is not None:
        click.echo(f"\n{letter.value.decode(errors='backslashreplace')}")


@command.command()
@acting
def redrive(reason: str | None, rule: str | None, numbers: tuple[int, ...], yes: bool) -> None:
    """Send the open ones' originals again to the topics they came from, after what was wrong is mended.

    What is refused again becomes a new dead letter. What came from a file is not sent: mend the file, ingest it again,
    and dismiss the letter.
    """
    from wellwon.runtime import deadletters
    from wellwon.runtime.settings import Settings

    left: Counter[str] = Counter()
    sendable = set()
    for letter in _open(reason, rule, numbers):
        if deadletters.can_be_sent(letter):
            sendable.add(letter.position)
        else:
            left[_why_not(letter)] += 1
    for why, count in left.items():
        click.echo(f"{count:,} {why}")
    if not sendable:
        click.echo("nothing to send")
        return
    _confirm(f"Send {counted(len(sendable), 'record')} again?", yes)
    again = (letter for letter in _read(reason, rule) if letter.position in sendable)
    sent, _ = deadletters.redrive(Settings.from_environment(), again)
    click.echo(f"sent {counted(sent, 'record')}")


@command.command()
@acting
def dismiss(reason: str | None, rule: str | None, numbers: tuple[int, ...], yes: bool) -> None:
    """Take off the list what needs no more: a file that was mended and ingested again, or what is given up.

    Nothing is sent and nothing is deleted.
    """
    from wellwon.runtime import deadletters
    from wellwon.runtime.settings import Settings

    found = [letter.position for letter in _open(reason, rule, numbers)]
    if not found:
        click.echo("nothing to dismiss")
        return
    _confirm(f"Dismiss {counted(len(found), 'dead letter')}?", yes)
    deadletters.dismiss(Settings.from_environment(), found)
    click.echo(f"dismissed {counted(len(found), 'dead letter')}")


def _open(reason: str | None, rule: str | None, numbers: tuple[int, ...]) -> Iterator[DeadLetter]:
    """The open ones that were asked for. Raises BadInput for a number that is not among them."""
    missing = set(numbers)
    for letter in _read(reason, rule):
        if numbers and letter.position not in numbers:
            continue
        missing.discard(letter.position)
        if letter.closed is None:
            yield letter
        elif numbers:
            raise BadInput(f"dead letter {letter.position} was {letter.closed.how} at {letter.closed.at}")
    if missing:
        raise _not_there(missing)


def _not_there(numbers: set[int]) -> BadInput:
    named = ", ".join(map(str, sorted(numbers)))
    return BadInput(f"there is no dead letter {named}: `wellwon dead-letters list --all` says which there are")


def _read(reason: str | None, rule: str | None) -> Iterator[DeadLetter]:
    from wellwon.cli.broker import must_answer
    from wellwon.runtime import deadletters, topics
    from wellwon.runtime.settings import Settings

    settings = Settings.from_environment()
    must_answer(settings)
    try:
        yield from deadletters.read(settings, reason=reason, rule=rule)
    except topics.NoTopic as error:
        raise Failed(str(error)) from None


def _confirm(question: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        click.echo("without a terminal, --yes answers the question", err=True)
    click.confirm(question, abort=True)


def _why_not(letter: DeadLetter) -> str:
    from wellwon.runtime import deadletters

    if letter.topic.startswith(deadletters.FILE):
        return f"came from a file ({letter.topic.removeprefix(deadletters.FILE)}): mend it and ingest it again"
    if letter.topic.startswith(deadletters.SINK):
        return f"for {letter.topic.removeprefix(deadletters.SINK)} have no way back: each says what was to be told"
    return "without an original left out"


def _plain(letter: DeadLetter) -> dict[str, Any]:
    closed = letter.closed
    return {
        "number": letter.position,
        "at": letter.at,
        "reason": letter.reason,
        "detail": letter.detail,
        "rule": letter.rule,
        "was_at": f"{letter.topic}/{letter.partition}@{letter.offset}",
        "key": None if letter.key is None else letter.key.decode(errors="backslashreplace"),
        "size": letter.size,
        "closed": None if closed is None else f"{closed.how} {closed.at}",
    }
