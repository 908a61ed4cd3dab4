"""``wellwon replay``: the core alone over files, with the records that the topics would hold."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import click

from wellwon.cli.failure import FAILED, BadInput
from wellwon.cli.output import STDIN, counted, json_lines
from wellwon.cli.reading import (
    KINDS_HELP,
    SHOWN,
    dialect,
    files,
    instant,
    kept_apart,
    kind_argument,
    load,
    options_of,
    shown_rejections,
)
from wellwon.core.output import DeadLetter
from wellwon.history.replay import Replay, Summary
from wellwon.policy import compile_policy
from wellwon.sources.change import Rejected
from wellwon.sources.feed import Feed
from wellwon.sources.kinds import kind_named
from wellwon.sources.mapping import SourceView
from wellwon.sources.unknown import Unknown

OUT = click.Path(dir_okay=False, path_type=str)


@click.command(epilog=KINDS_HELP)
@kind_argument
@files
@click.option(
    "--policy", "policy_file", envvar="WELLWON_POLICY", help="The policy; default $WELLWON_POLICY, else defaults."
)
@click.option("--alerts", type=OUT, help="File for the alert records, one JSON object a line; - is standard output.")
@click.option("--wins", type=OUT, help="File for the win records.")
@click.option("--rejects", type=OUT, help="File for rows and records that cannot be used, each with the reason.")
@click.option("--until", metavar="TIME", help="Play up to this date (its midnight) or instant, clock included.")
@dialect
@click.option("--json", "as_json", is_flag=True, help="The summary as JSON, on standard error if records go to output.")
def command(
    kind: str,
    files: tuple[str, ...],
    policy_file: str | None,
    alerts: str | None,
    wins: str | None,
    rejects: str | None,
    until: str | None,
    zone: str,
    dayfirst: bool,
    as_json: bool,
) -> None:
    """Run the core alone over FILES of a KIND, in event time, clock included: no Kafka.

    The records are those of the topics `alerts` and `wins`. Without --until time stops at the last change.
    The exit code is 1 if something cannot be used.
    """
    kept_apart((*files, policy_file or STDIN), alerts, wins, rejects)
    text, policy = load(policy_file)
    with ExitStack() as stack:
        alert, win, reject = (stack.enter_context(_lines(name)) for name in (alerts, wins, rejects))
        first_rejected: list[Rejected] = []

        def refused(what: Rejected) -> None:
            if len(first_rejected) < SHOWN:
                first_rejected.append(what)
            reject(what.record())

        def dead(letter: DeadLetter) -> None:
            detail = f"{letter.rule}: {letter.detail}" if letter.rule else letter.detail
            reject(Rejected(letter.reason, detail, letter.value or b"").record())

        feed = Feed(kind_named(kind), files, SourceView.of(policy), options_of(zone, dayfirst), refused)
        unknown = Unknown(policy)
        replay = Replay(text, lambda _: compile_policy(policy), alert=alert, win=win, dead_letter=dead)
        summary = replay.run(unknown.watch(feed), instant(until, policy))
    to_stderr = STDIN in (alerts, wins, rejects)
    rejected = feed.rejections.total()
    if rejected and not summary.changes:
        shown_rejections(first_rejected, rejected)
        raise BadInput("nothing in the input can be used")
    if as_json:
        left_out = {"rejected": dict(feed.rejections), "left_out": dict(feed.left_out)}
        json_lines({**summary.as_dict(), **left_out, **unknown.as_dict()}, err=to_stderr)
    else:
        shown_rejections(first_rejected, rejected)
        for line in (*_told(summary, feed), *unknown.lines()):
            click.echo(line, err=to_stderr)
    if rejected or summary.dead_letters:
        sys.exit(FAILED)


@contextmanager
def _lines(name: str | None) -> Iterator[Callable[[bytes], None]]:
    """A writer of lines to a file, to standard output, or to nowhere."""
    if name is None:
        yield lambda line: None
        return
    with ExitStack() as stack:
        file: IO[bytes] = sys.stdout.buffer if name == STDIN else stack.enter_context(Path(name).open("wb", 1 << 20))

        def write(line: bytes) -> None:
            file.write(line)
            file.write(b"\n")

        yield write
        file.flush()


def _told(summary: Summary, feed: Feed) -> Iterator[str]:
    yield f"{counted(summary.changes, 'change')} of {counted(summary.deals, 'deal')}" + _span(summary)
    if feed.rejections:
        yield f"cannot be used: {_listed(feed.rejections)}"
    if feed.left_out:
        yield f"left out: {_listed(feed.left_out)}"
    if summary.dead_letters:
        yield f"dead letters: {_listed(summary.dead_letters)}"
    transitions = summary.transitions
    yield (
        f"alerts: {transitions['opened']:,} opened, {transitions['changed']:,} changed, "
        f"{transitions['resolved']:,} resolved, {summary.open.total():,} open at the end"
    )
    for rule, opened in sorted(summary.opened.items()):
        standing = sum(count for (name, _), count in summary.open.items() if name == rule)
        yield f"  {rule}: {opened:,} opened, {summary.retracted[rule]:,} retracted, {standing:,} open at the end"
    if retracted := summary.retracted.total():
        yield f"{retracted:,} retracted: corrected or explained within minutes"
    if summary.wins:
        yield f"wins: {_listed(summary.wins)}"


def _span(summary: Summary) -> str:
    said = summary.as_dict()
    return f", {said['first_at']} to {said['last_at']}" if summary.changes else ""


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {count:,}" for reason, count in sorted(counts.items()))
