"""``wellwon norms``: what is usual in each segment, from history, into a file for the policy."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from wellwon.cli.failure import FAILED, BadInput
from wellwon.cli.output import STDIN, counted, read_text, shown_name
from wellwon.cli.reading import (
    KINDS_HELP,
    dialect,
    files,
    instant,
    kept_apart,
    kind_argument,
    none_read,
    options_of,
    shown_rejections,
)
from wellwon.core.norms import Norms
from wellwon.core.units import day_of, format_date, format_percent
from wellwon.history.norms import WonDeals
from wellwon.policy import Policy, load_policy
from wellwon.policy.norms import DEFAULT_FILE, INSUFFICIENT, Figure, NormsFile, written
from wellwon.policy.published import NormsText, norms_file_of
from wellwon.sources.change import Rejected
from wellwon.sources.feed import Feed
from wellwon.sources.kinds import kind_named
from wellwon.sources.mapping import SourceView
from wellwon.sources.unknown import Unknown


@click.command(epilog=KINDS_HELP)
@kind_argument
@files
@click.option(
    "--policy", "policy_file", envvar="WELLWON_POLICY", help="The policy; default $WELLWON_POLICY, else defaults."
)
@click.option("--to", help="File to write; default the policy's norms_file; - is standard output.")
@click.option("--until", metavar="TIME", help="Only history up to this date (its midnight) or instant.")
@dialect
def command(
    kind: str,
    files: tuple[str, ...],
    policy_file: str | None,
    to: str | None,
    until: str | None,
    zone: str,
    dayfirst: bool,
) -> None:
    """Write the segments' norms from FILES of a KIND, the kinds of `wellwon replay`.

    The 75th percentile of the discount on wins outside the window, the median days in each stage, and the 10th
    percentile of the days from each stage to won; each with the number of wins behind it. The file is yours to review.
    The exit code is 1 if something in the files cannot be used.
    """
    kept_apart((*files, policy_file or STDIN), to)
    text = read_text(policy_file) if policy_file else ""
    today = day_of(datetime.now(UTC).date())
    policy = _without_norms(text, shown_name(policy_file) if policy_file else "policy.yaml", today)
    rejected: list[Rejected] = []
    feed = Feed(kind_named(kind), files, SourceView.of(policy), options_of(zone, dayfirst), rejected.append)
    unknown = Unknown(policy)
    deals = WonDeals(policy)
    deals.read(unknown.watch(feed), instant(until, policy))
    shown_rejections(rejected)
    if not deals.changes:
        unread = "" if rejected else none_read(kind_named(kind), files, policy.fields)
        raise BadInput(f"nothing in the input can be used{unread}")
    norms = deals.norms(today)
    named = norms_file_of(text)
    target = to or (str(Path(policy_file).parent / named) if policy_file and named else None)
    if target is None:
        target = str(Path(policy_file).parent / DEFAULT_FILE) if policy_file and policy_file != STDIN else DEFAULT_FILE
    if target == STDIN:
        click.echo(written(norms), nl=False)
    else:
        Path(target).write_text(written(norms), encoding="utf-8")
    for line in (*_told(norms), *unknown.lines()):
        click.echo(line, err=True)
    if target != STDIN:
        click.echo(f"{target}: written", err=True)
    if to is None and named is None:
        click.echo(f"the policy does not name it yet: norms_file: {Path(target).name}", err=True)
    if rejected:
        sys.exit(FAILED)


def _without_norms(text: str, file: str, today: int) -> Policy:
    """The policy without the norms that are about to be written: the old file may be missing or out of date."""
    if norms_file_of(text) is None:
        return load_policy(text, file)
    return load_policy(text, file, norms=NormsText(written(NormsFile(today, today, today, {})), "norms"))


def _told(norms: NormsFile) -> list[str]:
    lines = [f"history from {format_date(norms.first)} to {format_date(norms.last)}"]
    for name, segment in norms.segments.items():
        lines.append(f"{name}: {counted(segment.wins, 'win')}, discount {_discount(segment.discount_p75)}")
        stages = segment.stage_days_median
        known = sum(known.value is not None for known in stages.values())
        if segment.wins < Norms.MIN_WINS:
            lines[-1] = f"{name}: {counted(segment.wins, 'win')}: {INSUFFICIENT}, no figure is used"
        elif stages:
            lines[-1] += f", times for {known} of {counted(len(stages), 'stage')}"
    return lines or ["no wins in this history"]


def _discount(figure: Figure | None) -> str:
    if figure is None:
        return "not known"
    if figure.value is None:
        return f"{INSUFFICIENT} (n = {figure.n})"
    return f"{format_percent(figure.value)} % at the 75th percentile (n = {figure.n})"
