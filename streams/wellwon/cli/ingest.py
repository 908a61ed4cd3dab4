"""``wellwon ingest``: files to Kafka."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wellwon.cli.broker import must_answer
from wellwon.cli.failure import FAILED, INTERRUPTED, BadInput
from wellwon.cli.output import counted
from wellwon.cli.reading import KINDS_HELP, dialect, instant, kept_apart, kind_argument, load, options_of
from wellwon.history.clock import Tick, with_clock
from wellwon.sources.change import Rejected
from wellwon.sources.feed import Feed
from wellwon.sources.kinds import KINDS, kind_named
from wellwon.sources.mapping import SourceView
from wellwon.sources.normalise import Outgoing
from wellwon.sources.unknown import Unknown

if TYPE_CHECKING:
    from wellwon.policy import Policy
    from wellwon.runtime.settings import Settings


class _Speed(click.ParamType):
    """``3600`` or ``3600x``."""

    name = "speed"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            speed = float(str(value).removesuffix("x"))
        except ValueError:
            speed = 0.0
        if not 0.01 <= speed <= 1e9:
            self.fail(f"{value!r} is no speed: 3600x plays an hour in a second", param, ctx)
        return speed


@click.command(epilog=KINDS_HELP)
@kind_argument
@click.argument("files", nargs=-1, metavar="FILE|-...")
@click.option("--follow", metavar="SOURCE", help="Read the topic raw.SOURCE, which a connector fills, until stopped.")
@click.option("--speed", type=_Speed(), help="Replay in event time, so many times as fast as it was (3600x).")
@click.option(
    "--clock", is_flag=True, help="Write clock records too: for history, with workers under WELLWON_CLOCK=log."
)
@click.option("--until", metavar="TIME", help="With --clock: up to this date (its midnight) or instant.")
@click.option("--rejects", type=click.Path(dir_okay=False), help="File for what cannot be used; default dead letters.")
@dialect
def command(
    kind: str,
    files: tuple[str, ...],
    follow: str | None,
    speed: float | None,
    clock: bool,
    until: str | None,
    rejects: str | None,
    zone: str,
    dayfirst: bool,
) -> None:
    """Send FILES of a KIND (- is standard input) to Kafka as changes.

    The policy's field mapping and writers apply ($WELLWON_POLICY). What cannot be used goes to the dead letters; the
    exit code is 1 then. With --follow, metrics and health are served at WELLWON_HTTP.
    """
    from wellwon.runtime.ingest import Ingest
    from wellwon.runtime.settings import Settings

    if bool(files) == bool(follow):
        raise BadInput("give files, or - for standard input, or --follow SOURCE")
    kept_apart(files, rejects)
    if follow and kind_named(kind).records is None:
        streams = ", ".join(name for name, one in KINDS.items() if one.records is not None)
        raise BadInput(f"{kind} is read from files: give its file; --follow reads {streams}")
    if follow and (speed or clock or until or rejects or dayfirst or zone != "UTC"):
        raise BadInput("--follow reads what a connector writes, as it comes: of the options only KIND goes with it")
    if until and not clock:
        raise BadInput("--until says how far time goes, so it needs --clock")
    settings = Settings.from_environment()
    _, policy = load(str(settings.policy) if settings.policy else None)
    must_answer(settings)
    if follow:
        _follow(settings, kind, follow, policy)
        return
    end = instant(until, policy)
    began = time.monotonic()
    unknown, stopping = Unknown(policy), _stopping()
    with ExitStack() as stack:
        ingest = stack.enter_context(Ingest(settings, speed=speed, stopping=stopping))
        reject = stack.enter_context(_rejects(rejects)) if rejects else ingest.reject
        feed = Feed(kind_named(kind), files, SourceView.of(policy), options_of(zone, dayfirst), reject)
        log: Iterable[Outgoing | Tick] = with_clock(feed, policy.calendar.build(), end) if clock else feed
        with _progress(feed) as advance:
            ingest.send(unknown.watch(_counted(log, advance)))
        if stopping.is_set():
            confirmed = ingest.stop()
            said = f"stopped: {confirmed:,} of {ingest.sent.changes:,} sent; running it again is safe"
            click.echo(said, err=True)
            sys.exit(INTERRUPTED)
        ingest.confirm()
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
    for line in unknown.lines():
        click.echo(line, err=True)
    if feed.rejections:
        listed = ", ".join(f"{why} {n:,}" for why, n in sorted(feed.rejections.items()))
        click.echo(f"cannot be used: {listed}; see {rejects or '`wellwon dead-letters list`'}", err=True)
        sys.exit(FAILED)


def _stopping(then: Callable[[], None] = lambda: None) -> threading.Event:
    """Set by SIGTERM or Ctrl-C, before ``then`` is called: what is under way is finished, and nothing else is begun."""
    stop = threading.Event()

    def told(*_signal: Any) -> None:
        stop.set()
        then()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    return stop


def _follow(settings: Settings, kind: str, source: str, policy: Policy) -> None:
    """A connector's own topic, until SIGTERM or Ctrl-C."""
    from wellwon.runtime import logs, serving
    from wellwon.runtime.normalise import NoRawTopic, RawTopic

    logs.set_up(settings)
    stop = _stopping(serving.leave_in_time)
    try:
        raw = RawTopic(settings, kind_named(kind), source, SourceView.of(policy))
    except NoRawTopic as error:
        raise BadInput(str(error)) from None
    with raw:
        serving.run(raw.serve(settings.http, stop))
    click.echo(f"{counted(raw.followed.read, 'record')} read; " + _listed(raw.counts()), err=True)
    serving.leave(0)


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{what} {n:,}" for what, n in counts.items())


@contextmanager
def _rejects(name: str) -> Iterator[Callable[[Rejected], None]]:
    """A writer of a file of rejects."""
    with Path(name).open("wb") as file:

        def write(rejected: Rejected) -> None:
            file.write(rejected.record() + b"\n")

        yield write


def _counted(log: Iterable[Outgoing | Tick], advance: Callable[[], None]) -> Iterator[Outgoing | Tick]:
    for record in log:
        advance()
        yield record


@contextmanager
def _progress(feed: Feed) -> Iterator[Callable[[], None]]:
    """How far it is, how fast, and how long it will take, where a person watches."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    shown = (BarColumn(), TextColumn("{task.completed:,.0f} read"), TextColumn("{task.fields[rate]:,.0f}/s"))
    with Progress(
        *shown, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True), transient=True
    ) as bar:
        task = bar.add_task("sent", total=feed.lines(), rate=0)
        began, calls = time.monotonic(), 0

        def advance() -> None:
            nonlocal calls
            calls += 1
            if calls % 500 == 0:
                bar.update(task, completed=feed.read, rate=feed.read / (time.monotonic() - began))

        yield advance
