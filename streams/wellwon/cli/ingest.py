"""``wellwon ingest``: files to Kafka."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import click

from wellwon.cli.failure import FAILED
from wellwon.cli.output import counted
from wellwon.cli.reading import KINDS_HELP, dialect, files, kind_argument, load, options_of
from wellwon.history.clock import Tick, with_clock
from wellwon.sources.feed import Feed
from wellwon.sources.kinds import kind_named
from wellwon.sources.mapping import SourceView
from wellwon.sources.normalise import Outgoing


@click.command(epilog=KINDS_HELP)
@kind_argument
@files
@click.option(
    "--speed", type=click.FloatRange(0.01, 1e9), help="Replay in event time, so many times as fast as it was."
)
@click.option(
    "--clock", is_flag=True, help="Write clock records too: for history, with workers under WELLWON_CLOCK=log."
)
@dialect
def command(kind: str, files: tuple[str, ...], speed: float | None, clock: bool, zone: str, dayfirst: bool) -> None:
    """Send FILES of a KIND (- is standard input) to Kafka as changes.

    The policy's field mapping and writers apply ($WELLWON_POLICY). What cannot be used goes to the dead letters; the
    exit code is 1 then.
    """
    from wellwon.runtime.ingest import Ingest
    from wellwon.runtime.settings import Settings

    settings = Settings.from_environment()
    _, policy = load(str(settings.policy) if settings.policy else None)
    began = time.monotonic()
    with Ingest(settings, speed=speed) as ingest:
        feed = Feed(kind_named(kind), files, SourceView.of(policy), options_of(zone, dayfirst), ingest.reject)
        log: Iterable[Outgoing | Tick] = with_clock(feed, policy.calendar.build()) if clock else feed
        with _progress() as advance:
            ingest.send(_counted(log, advance))
    sent, seconds = ingest.sent, time.monotonic() - began
    click.echo(
        f"{counted(sent.changes, 'change')} of {counted(len(sent.deals), 'deal')} sent in {seconds:.1f} s"
        f" ({sent.changes / max(seconds, 1e-9):,.0f}/s)",
        err=True,
    )
    for what, count in (("clock records", sent.clocks), ("requests to read again", sent.rereads)):
        if count:
            click.echo(f"{what}: {count:,}", err=True)
    if feed.left_out:
        click.echo("left out: " + ", ".join(f"{why} {n:,}" for why, n in sorted(feed.left_out.items())), err=True)
    if sent.dead_letters:
        listed = ", ".join(f"{why} {n:,}" for why, n in sorted(feed.rejections.items()))
        click.echo(f"cannot be used: {listed}; see `wellwon dead-letters list`", err=True)
        sys.exit(FAILED)


def _counted(log: Iterable[Outgoing | Tick], advance: Callable[[], None]) -> Iterator[Outgoing | Tick]:
    for record in log:
        advance()
        yield record


@contextmanager
def _progress() -> Iterator[Callable[[], None]]:
    """Count and rate while it runs, where a person watches."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    shown = (BarColumn(), TextColumn("{task.completed:,.0f} records"), TextColumn("{task.fields[rate]:,.0f}/s"))
    with Progress(*shown, TimeElapsedColumn(), console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("sent", total=None, rate=0)
        began, waiting = time.monotonic(), 0

        def advance() -> None:
            nonlocal waiting
            waiting += 1
            if waiting == 500:
                done = progress.tasks[0].completed + waiting
                progress.update(task, advance=waiting, rate=done / (time.monotonic() - began))
                waiting = 0

        yield advance
