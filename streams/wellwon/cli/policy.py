"""``wellwon policy``: what RevOps decides, checked and shown."""

from __future__ import annotations

import sys
from datetime import datetime
from importlib import import_module
from typing import Any
from zoneinfo import ZoneInfo

import click

from wellwon.cli.failure import FAILED, BadInput
from wellwon.cli.output import Group, columns, counted, json_lines, shown_name
from wellwon.cli.reading import load
from wellwon.core.units import day_of
from wellwon.policy import Policy, PolicyError, PolicyProblem
from wellwon.policy.notes import notes

FILE = click.argument("file", required=False, envvar="WELLWON_POLICY")


MORE = {
    "apply": "Put a policy in force in the running system.",
    "explain": "Why each rule holds for a deal, or does not.",
    "coverage": "Which patterns the fields of real records can support.",
    "diff": "What another policy would have said otherwise, of values and of a history.",
    "init": "A commented first policy, from what an export shows.",
    "test": "Play timelines, compare what is told with what is expected.",
}
"""Commands with a file of their own, ``cli/policy_<name>.py``, which is imported when it is run."""


class _Commands(Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*super().list_commands(ctx), *MORE]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in MORE:
            return super().get_command(ctx, name)
        found: click.Command = import_module(f"wellwon.cli.policy_{name}").command
        return found

    def sentences(self) -> dict[str, str]:
        """Those of the commands here, and `MORE`."""
        return super().sentences() | MORE


@click.group(cls=_Commands)
def command() -> None:
    """Check a policy, show what is in force, try it on deals and on history."""


@command.command()
@FILE
@click.option("--json", "as_json", is_flag=True, help="The problems as JSON; an empty list if there are none.")
def check(file: str | None, as_json: bool) -> None:
    """Everything that is wrong with FILE (- is standard input; default $WELLWON_POLICY), at once.

    Exit code 1 if anything is.
    """
    if not file:
        raise BadInput("name the policy file, or set WELLWON_POLICY")
    found: list[PolicyProblem] = []
    policy = None
    try:
        policy = load(file)[1]
    except PolicyError as error:
        found = error.errors
    if as_json:
        json_lines([_plain(problem) for problem in found])
    elif policy is not None:
        click.echo(f"{shown_name(file)}: good. {summary(policy)}")
        today = day_of(datetime.now(ZoneInfo(policy.calendar.zone)).date())
        for note in notes(policy, today):
            click.echo(f"{note.file}:{note.place.line}: note: {note.message}")
    else:
        for problem in found:
            click.echo(str(problem))
        click.echo(f"{counted(len(found), 'problem')} in {shown_name(file)}", err=True)
    if found:
        sys.exit(FAILED)


@command.command()
@FILE
@click.option("--json", "as_json", is_flag=True, help="As JSON: key, value, origin.")
@click.option("--written", is_flag=True, help="Only what the file says.")
@click.option("--published", is_flag=True, help="The one text that the partitions get: FILE with its norms inside.")
def show(file: str | None, as_json: bool, written: bool, published: bool) -> None:
    """Every value in force and where it comes from: FILE's line, or default.

    Without FILE (and $WELLWON_POLICY): the defaults.
    """
    from wellwon.policy.show import rows

    text, policy = load(file)
    if published:
        click.echo(text, nl=False)
        return
    found = [row for row in rows(policy) if not written or row.is_written]
    if as_json:
        json_lines([row._asdict() for row in found])
    else:
        columns(("key", "origin", "value"), [(row.key, row.origin, shown(row.value)) for row in found])


def summary(policy: Policy) -> str:
    """A policy in a line."""
    from wellwon.policy.show import waits

    modes = [rule.mode for rule in policy.rules.values()]
    waiting = ", ".join(f"{spec.name} ({spec.where})" for spec in waits(policy))
    return (
        f"{counted(len(policy.pipelines), 'pipeline')}, {counted(len(policy.segments), 'segment')}, rules: "
        f"{modes.count('alert')} alert, {modes.count('shadow')} shadow, {modes.count('off')} off. "
        f"{f'Waiting: {waiting}. ' if waiting else ''}Fingerprint {policy.fingerprint}"
    )


def _plain(problem: PolicyProblem) -> dict[str, Any]:
    return {
        "file": problem.file,
        "line": problem.place.line,
        "column": problem.place.column,
        "message": problem.message,
    }


def shown(value: Any) -> str:
    """A value in a line."""
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)
