"""``wellwon policy diff OLD NEW``: what two policies say differently, of their values and of a history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from wellwon.cli.failure import BadInput
from wellwon.cli.output import STDIN, columns, counted, json_lines, shown_name
from wellwon.cli.progress import progress
from wellwon.cli.reading import KINDS_HELP, dialect, history, instant, load, options_of, replay_option, shown_rejections
from wellwon.history.hearing import Hearing
from wellwon.history.run import Progress, follow_all
from wellwon.policy import Policy
from wellwon.policy.diff import Heard, RuleDiff, Told, ValueChange, compare, value_changes
from wellwon.sources.by_deal import Exports
from wellwon.sources.change import Rejected
from wellwon.sources.feed import Feed
from wellwon.sources.history import Options
from wellwon.sources.kinds import CHANGES, Kind, kind_named
from wellwon.sources.mapping import SourceView

EXAMPLES = """\b
Examples:
  wellwon policy diff deploy/policy.yaml new.yaml
  wellwon policy diff deploy/policy.yaml new.yaml --replay salesforce-history OpportunityHistory.csv
  wellwon policy diff old.yaml new.yaml --replay changes changes.jsonl --json
"""


@click.command("diff", epilog=f"{EXAMPLES}\n{KINDS_HELP}")
@click.argument("old")
@click.argument("new")
@history
@replay_option
@click.option("--until", metavar="TIME", help="Play up to this date (its midnight) or instant.")
@click.option("--examples", default=3, show_default=True, help="How many alerts to show of each sort and rule.")
@click.option("--workers", type=click.IntRange(1), default=2, show_default=True, help="Processes that share the work.")
@dialect
@click.option("--json", "as_json", is_flag=True, help="Everything, all alerts included, as JSON.")
def command(
    old: str,
    new: str,
    kind: str | None,
    files: tuple[str, ...],
    until: str | None,
    examples: int,
    workers: int,
    zone: str,
    dayfirst: bool,
    as_json: bool,
) -> None:
    """What the policy NEW says otherwise than OLD: its values, and with --replay what people would have been told.

    With the FILES of a history: alerts gained and lost by rule with examples, those that became more or less serious,
    and messages per owner and week. Alerts that were taken back, in shadow, exempt, too small or told with another one
    are no messages.
    """
    if kind is None and (files or until):
        raise BadInput("files and --until are for --replay KIND FILE...")
    if kind is not None and (not files or STDIN in files):
        raise BadInput(f"name the files of --replay {kind}: they are read twice, so standard input cannot be one")
    (_, before), (_, after) = load(old), load(new)
    changes = value_changes(before, after)
    heard: tuple[Heard, Heard] | None = None
    diffs: dict[str, RuleDiff] = {}
    if kind is not None:
        with progress() as bars:
            told_before, told_after = (
                _hear(policy, kind_named(kind), files, until, options_of(zone, dayfirst), workers, bars)
                for policy in (before, after)
            )
        heard = told_before, told_after
        diffs = compare(told_before, told_after, after.rules)
    if as_json:
        json_lines(_plain(changes, diffs, heard))
        return
    for line in _values(changes, shown_name(old), shown_name(new)):
        click.echo(line)
    if heard is not None:
        _alerts(diffs, heard, examples)


def _hear(
    policy: Policy,
    kind: Kind,
    files: tuple[str, ...],
    until: str | None,
    options: Options,
    workers: int,
    bars: Progress,
) -> Heard:
    rejected: list[Rejected] = []
    view = SourceView.of(policy)
    with TemporaryDirectory(prefix="wellwon-") as folder:
        if not kind.is_history:
            feed = Feed(kind, files, view, options, rejected.append)
            kind, files = kind_named(CHANGES), (_changes(feed, Path(folder)),)
        exports = Exports(kind, files, view, options)
        end = instant(until, policy)
        hearing, info = follow_all(exports, policy, Hearing, end, workers, bars, recording=True)
    shown_rejections(rejected or info.first_rejected, len(rejected) or info.rejected)
    if not info.deals:
        raise BadInput("there is no change in these files that can be used")
    return hearing.result(info)


def _changes(feed: Feed, folder: Path) -> str:
    """Events as they come are no history by deal: the changes that they tell are, in a file."""
    file = folder / "changes.jsonl"
    with file.open("wb") as out:
        for change in feed:
            out.write(change.value + b"\n")
    return str(file)


# --- for people -----------------------------------------------------------------------------------------------


def _values(changes: list[ValueChange], old: str, new: str) -> Iterator[str]:
    yield click.style(f"VALUES  {old} to {new}", bold=True)
    if not changes:
        yield "  every value in force is the same"
    for change in changes:
        yield f"  {change.key}: {_side(change.old, change.old_origin)} to {_side(change.new, change.new_origin)}"


def _side(value: Any, origin: str) -> str:
    if value is None:
        return "nothing"
    shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"{shown} ({origin})"


def _alerts(diffs: dict[str, RuleDiff], heard: tuple[Heard, Heard], examples: int) -> None:
    old, new = heard
    click.echo()
    click.echo(click.style(f"ALERTS  {counted(old.deals, 'deal')}, {old.weeks:,.0f} weeks", bold=True))
    rows = [
        (
            rule,
            *(
                str(number)
                for number in (
                    diff.before,
                    diff.after,
                    len(diff.gained),
                    len(diff.lost),
                    len(diff.more_serious),
                    len(diff.less_serious),
                )
            ),
        )
        for rule, diff in diffs.items()
        if diff.before or diff.after
    ]
    if rows:
        columns(("rule", "before", "after", "gained", "lost", "more serious", "less serious"), rows)
    else:
        click.echo("  none under either policy")
    for rule, diff in diffs.items():
        for what in ("gained", "lost", "more_serious", "less_serious"):
            these: list[Told] = getattr(diff, what)
            if these and examples:
                click.echo()
                click.echo(click.style(f"{rule}: {what.replace('_', ' ')}", bold=True))
                for told in these[:examples]:
                    click.echo(f"  {told.opened_at}  {told.subject}  {told.severity}  {told.title}")
                    if what == "lost" and (rule, told.subject) in new.covered:
                        click.echo("    now told with another alert of the same save")
                    if said := told.evidence.get("threshold"):
                        click.echo(f"    {said}")
                if len(these) > examples:
                    click.echo(f"  ... and {len(these) - examples:,} more")
    click.echo()
    click.echo(click.style("MESSAGES", bold=True))
    who = "per owner and week" if old.owners else "per week (these files name no owners)"
    click.echo(f"  {who}: {old.per_owner_and_week:.2f} before, {new.per_owner_and_week:.2f} after")
    click.echo(f"  in all: {old.messages.total():,} before, {new.messages.total():,} after")
    if old.owners:
        click.echo(f"  most for one owner in a week: {old.most_in_a_week} before, {new.most_in_a_week} after")


# --- for machines ---------------------------------------------------------------------------------------------


def _plain(changes: list[ValueChange], diffs: dict[str, RuleDiff], heard: tuple[Heard, Heard] | None) -> dict[str, Any]:
    said: dict[str, Any] = {"values": [change._asdict() for change in changes]}
    if heard is not None:
        said["rules"] = {
            rule: {
                "before": diff.before,
                "after": diff.after,
                **{
                    what: [_told(told) for told in getattr(diff, what)]
                    for what in ("gained", "lost", "more_serious", "less_serious")
                },
            }
            for rule, diff in diffs.items()
        }
        said["messages"] = {
            name: {
                "total": one.messages.total(),
                "owners": one.owners,
                "weeks": round(one.weeks, 1),
                "per_owner_and_week": round(one.per_owner_and_week, 4),
                "most_for_one_owner_in_a_week": one.most_in_a_week if one.owners else None,
            }
            for name, one in zip(("before", "after"), heard, strict=True)
        }
        said["deals"] = heard[0].deals
    return said


def _told(told: Told) -> dict[str, Any]:
    return {
        "subject": told.subject,
        "opened_at": told.opened_at,
        "severity": told.severity,
        "title": told.title,
        "evidence": told.evidence,
    }
