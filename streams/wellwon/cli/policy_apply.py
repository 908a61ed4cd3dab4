"""``wellwon policy apply``: an edit of the policy takes effect in the running system."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from wellwon.cli.failure import FAILED, BadInput, Failed
from wellwon.cli.output import counted, json_lines, shown_name
from wellwon.cli.policy import FILE, shown
from wellwon.cli.reading import load
from wellwon.policy import Policy, PolicyError, load_policy
from wellwon.policy.diff import ValueChange, value_changes

if TYPE_CHECKING:
    from wellwon.runtime.policy_record import Applied

AT_START = ("deliver.", "crm.")
"""Values that detection does not read."""


@click.command("apply")
@FILE
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@click.option("--timeout", default=60.0, show_default=True, help="Seconds to wait until all partitions took it up.")
@click.option("--json", "as_json", is_flag=True, help="What changed, and what came of it, as JSON.")
def command(file: str | None, dry_run: bool, timeout: float, as_json: bool) -> None:
    """Put FILE (- is standard input; default $WELLWON_POLICY) in force in the running system.

    Every open deal is asked anew, in every partition. Alerts that open or resolve by it carry the reason `policy` and
    reach people as one digest; patterns of owners, teams and periods follow at the next full hour. A worker publishes
    its own WELLWON_POLICY when it starts: put the file there, too.
    The exit code is 1 if not every partition took it up in time.
    """
    if not file:
        raise BadInput("name the policy file, or set WELLWON_POLICY")
    text, policy = load(file)

    from confluent_kafka import KafkaException

    from wellwon.cli.broker import must_answer
    from wellwon.core.state import NewerState
    from wellwon.runtime.policy_record import apply, in_force
    from wellwon.runtime.restore import Refused
    from wellwon.runtime.settings import Settings

    settings = Settings.from_environment()
    must_answer(settings)
    try:
        before = in_force(settings)
        differs = [number for number, found in before.items() if found != text]
        changes = _changes(before.values(), policy)
        if not as_json:
            for line in _compared(shown_name(file), before, differs, changes):
                click.echo(line)
        applied = None if dry_run or not differs else apply(settings, text, timeout)
    except (Refused, NewerState, KafkaException) as error:
        raise Failed(str(error)) from None
    if as_json:
        json_lines(_plain(policy, changes, differs, applied))
    elif applied is not None:
        for line in _came(applied, timeout):
            click.echo(line)
    if applied is not None and applied.waiting:
        sys.exit(FAILED)


def _changes(texts: Iterable[str | None], policy: Policy) -> list[ValueChange] | None:
    """What differs from the policy that most partitions have; None where none has one that can be read."""
    found = Counter(text for text in texts if text is not None)
    if not found:
        return None
    try:
        return value_changes(load_policy(found.most_common(1)[0][0]), policy)
    except PolicyError:
        return None


def _compared(
    name: str, before: dict[int, str | None], differs: list[int], changes: list[ValueChange] | None
) -> Iterable[str]:
    if not differs:
        yield f"{name} is in force in every partition already"
        return
    if len(set(before.values())) > 1:
        yield f"the partitions do not have the same policy: {counted(len(differs), 'partition')} will change"
    if changes is None:
        yield "there is no policy in force that this wellwon can compare with"
        return
    yield f"{counted(len(changes), 'value')} changed" if changes else "only words changed (comments, order): no value"
    for change in changes:
        yield f"  {change.key}: {_value(change.old)} to {_value(change.new)}"
    if any(change.key.startswith(AT_START) for change in changes):
        yield "routes, sinks and what goes into the CRM are read by `wellwon deliver` when it starts with this file"


def _value(value: Any) -> str:
    return "nothing" if value is None else shown(value)


def _came(applied: Applied, timeout: float) -> Iterable[str]:
    taken = applied.partitions - len(applied.waiting)
    yield f"taken up by {taken} of {counted(applied.partitions, 'partition')}"
    if applied.waiting:
        numbers = ", ".join(map(str, sorted(applied.waiting)))
        yield (
            f"partition {numbers}: not within {timeout:g} s. It is published, and takes effect when a worker reads it;"
            " `wellwon doctor` says whether one runs, `wellwon dead-letters list` whether one refused it"
        )
    by_rule: dict[str, list[str]] = {}
    for (rule, transition), count in sorted(applied.transitions.items()):
        by_rule.setdefault(rule, []).append(f"{count:,} {transition}")
    for rule, parts in by_rule.items():
        yield f"  {rule}: {', '.join(parts)}"
    if not by_rule:
        yield "no alert changed by it"


def _plain(
    policy: Policy, changes: list[ValueChange] | None, differs: list[int], applied: Applied | None
) -> dict[str, Any]:
    transitions: dict[str, dict[str, int]] = {}
    for (rule, transition), count in sorted((applied.transitions if applied else {}).items()):
        transitions.setdefault(rule, {})[transition] = count
    return {
        "fingerprint": policy.fingerprint,
        "changed": None
        if changes is None
        else [{"key": change.key, "old": change.old, "new": change.new} for change in changes],
        "partitions": differs,
        "waiting": sorted(applied.waiting) if applied else None,
        "alerts": transitions,
    }
