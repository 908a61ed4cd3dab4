"""``wellwon backtest``: what the rules would have said about an organisation's own history, and what became of it."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from wellwon.cli.failure import FAILED, INTERRUPTED, BadInput
from wellwon.cli.output import STDIN, counted, json_lines, shown_name
from wellwon.cli.progress import progress
from wellwon.cli.reading import (
    KINDS_HELP,
    dialect,
    files,
    instant,
    kept_apart,
    kind_option,
    load,
    none_read,
    options_of,
    shown_rejections,
)
from wellwon.core.units import format_instant
from wellwon.history.replay import Change
from wellwon.history.report.page import page
from wellwon.history.retention import BadOutcomes, Fate, read_outcomes
from wellwon.history.run import Progress, follow_all
from wellwon.history.stats import Backtest
from wellwon.history.tally import Tally
from wellwon.history.trained import trained
from wellwon.policy import Policy
from wellwon.sources.by_deal import Exports
from wellwon.sources.feed import Feed
from wellwon.sources.kinds import Kind, guess_kind, kind_named
from wellwon.sources.mapping import SourceView

REJECTS = "rejected.jsonl"


@click.command(epilog=KINDS_HELP)
@files
@kind_option
@click.option(
    "--policy", "policy_file", envvar="WELLWON_POLICY", help="The policy; default $WELLWON_POLICY, else defaults."
)
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="Write the report here: one HTML page.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON instead of tables.")
@click.option("--as-of", metavar="TIME", help="Nothing after this date (its midnight) or instant is known.")
@click.option("--split", metavar="TIME", help="Norms from the history before it, flags judged from it on.")
@click.option("--outcomes", metavar="FILE", help="What became of customers: deal id, churned or renewed, date (CSV).")
@click.option("--rejects", default=REJECTS, show_default=True, help="File for rows that cannot be used, and why.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Processes that share the work.")
@dialect
def command(
    files: tuple[str, ...],
    kind: str | None,
    policy_file: str | None,
    report: Path | None,
    as_json: bool,
    as_of: str | None,
    split: str | None,
    outcomes: str | None,
    rejects: str,
    workers: int,
    zone: str,
    dayfirst: bool,
) -> None:
    """What wellwon would have said about FILES of your own history, and what became of the deals.

    Nothing leaves this machine. For each rule: the flagged deals and what became of them, against deals like them that
    were not flagged; how the wins were won, by period; what the data cannot show.

    Ctrl-C ends it with what is there, and the report says so. The exit code is 1 if rows cannot be used, 130 if it was
    stopped.
    """
    kept_apart((*files, policy_file or STDIN, outcomes or STDIN), report, rejects)
    _, policy = load(policy_file)
    end = instant(as_of, policy, "--as-of")
    since = instant(split, policy, "--split")
    fates = _fates(outcomes)
    view, options = SourceView.of(policy), options_of(zone, dayfirst)
    with _stopping() as stop, progress() as bars:
        chosen = _kind(kind, files, twice=since is not None)
        if since is not None:
            feed = Feed(chosen, files, view, options, lambda _: None)  # what is rejected is told below
            policy = trained(policy, _watched(feed, bars, stop.is_set), since)
        exports = Exports(chosen, files, view, options, Path(rejects))
        found = _backtest(exports, policy, end, since, fates, workers, bars, stop.is_set)
    if end is not None and 0 < end < found.info.first_at:
        raise BadInput(f"--as-of: the history begins at {format_instant(found.info.first_at)}: nothing was known then")
    if not found.info.changes and not found.info.partial:
        if not found.info.rows:
            raise BadInput(f"{', '.join(map(shown_name, files))}: no row behind the header: was the export finished?")
        shown_rejections(found.info.first_rejected, found.info.rejected)
        why = "".join(f"\n{note}" for note in found.info.notes)
        unread = "" if found.info.rejected else none_read(chosen, files, view.fields)
        raise BadInput(f"nothing in {counted(found.info.rows, 'row')} can be used{why}{unread}")
    if since is not None and since >= found.info.as_of and not found.info.partial:
        raise BadInput(f"--split: the history ends at {format_instant(found.info.as_of)}: nothing is left to judge")
    if report is not None:
        report.write_text(page(found), encoding="utf-8")
    _show(found, report, as_json)
    sys.exit(INTERRUPTED if found.info.partial else FAILED if found.info.rejected else 0)


def _backtest(
    exports: Exports,
    policy: Policy,
    end: int | None,
    since: int | None,
    fates: dict[str, Fate] | None,
    workers: int,
    bars: Progress,
    stop: Callable[[], bool],
) -> Backtest:
    count = partial(Tally, fates=fates, since=since or 0)
    tally, info = follow_all(exports, policy, count, end, workers, bars, stop)
    return tally.result(info)


def _kind(kind: str | None, files: Sequence[str], *, twice: bool) -> Kind:
    """The kind of the files; ``twice``: they are read more than once."""
    if STDIN in files and (twice or kind is None):
        why = "--split reads the history twice" if twice else "its kind is not known: say --kind"
        raise BadInput(f"standard input cannot be used here, {why}")
    chosen = kind_named(kind) if kind else guess_kind(files)
    if not chosen.is_history:
        raise BadInput(f"{chosen.name} are events as they come, not a history: `wellwon replay` plays them")
    return chosen


def _watched(feed: Feed, bars: Progress, stop: Callable[[], bool]) -> Iterator[Change]:
    """The changes of the training part, until it is to be stopped."""
    total = feed.lines() or 0
    for number, change in enumerate(feed):
        if stop():
            return
        if number % 1_000 == 0:
            bars("training", min(feed.read, total), total)
        yield change


def _fates(outcomes: str | None) -> dict[str, Fate] | None:
    if outcomes is None:
        return None
    try:
        with Path(outcomes).open(encoding="utf-8-sig", newline="") as lines:
            return read_outcomes(lines, shown_name(outcomes))
    except BadOutcomes as error:
        raise BadInput(str(error)) from None


def _show(found: Backtest, report: Path | None, as_json: bool) -> None:
    if as_json:
        from wellwon.history.report.data import as_dict

        json_lines(as_dict(found))
    else:
        from wellwon.cli.backtest_screen import show

        show(found)
    if found.info.rejected:
        shown_rejections(found.info.first_rejected, found.info.rejected)
        click.echo(
            f"left out: {counted(found.info.rejected, 'row')} that cannot be used{_see(found)}; mend them in the export"
            " and run it again",
            err=True,
        )
    if found.info.partial:
        click.echo("stopped before the end: what is said is partial", err=True)
    if report is not None:
        click.echo(f"{report}: the report, for any browser", err=True)


def _see(found: Backtest) -> str:
    return f": see {found.info.rejected_file}" if found.info.rejected_file else ""


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Set by the first Ctrl-C or SIGTERM; the second one ends the command at once."""
    stop = threading.Event()
    before = {int(number): signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def handle(number: int, frame: object) -> None:
        signal.signal(number, before[number])
        stop.set()

    for number in before:
        signal.signal(number, handle)
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
