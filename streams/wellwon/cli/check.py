"""``wellwon check``: the settings, and the policy that they name."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from wellwon.cli.failure import FAILED
from wellwon.cli.output import columns
from wellwon.cli.policy import summary
from wellwon.policy import PolicyError
from wellwon.policy.delivery import VARIABLE, Sink
from wellwon.policy.problem import did_you_mean
from wellwon.runtime.policy_file import read_policy
from wellwon.runtime.settings import Settings, SettingsError


def _secrets(sinks: Sequence[Sink]) -> Iterator[str]:
    """What is to be said of the sinks' variables. Only `wellwon deliver` needs them, so nothing of it is wrong here."""
    wanted = {sink.variable: sink.name for sink in sinks}
    for variable, name in wanted.items():
        if not os.environ.get(variable):
            yield f"{variable} is not set: `wellwon deliver` needs it for the sink '{name}'"
    for variable in sorted(os.environ):
        # A sink may have more than one secret: what its variable begins with is its own.
        if variable.startswith(VARIABLE) and not variable.startswith(tuple(wanted)):
            yield f"{variable} is for no sink of the policy{did_you_mean(variable, wanted)}"


@click.command()
@click.option("--list", "listed", is_flag=True, help="List the settings: variable, default, what it is.")
def command(listed: bool) -> None:
    """Check the settings (environment variables) and the policy that WELLWON_POLICY names, without a broker.

    Exit code 1 if anything is wrong; all of it is told at once.
    """
    if listed:
        columns(("variable", "default", "what it is"), Settings.describe())
        return
    wrong = False
    try:
        settings = Settings.from_environment()
        click.echo(f"settings: good. Kafka at {settings.kafka}")
    except SettingsError as error:
        wrong = True
        click.echo(f"settings:\n  {str(error).replace(chr(10), chr(10) + '  ')}")
    for line in Settings.unknown():
        wrong = True
        click.echo(f"settings: {line}")
    file = os.environ.get("WELLWON_POLICY", "").strip()
    try:
        if not file or Path(file).is_file():
            policy = read_policy(Path(file) if file else None).policy
            click.echo(f"policy: good ({file or 'none named, so the defaults hold'}). {summary(policy)}")
            for line in _secrets(policy.deliver.sinks):
                click.echo(f"sinks: {line}")
    except PolicyError as error:
        wrong = True
        click.echo(f"policy:\n  {str(error).replace(chr(10), chr(10) + '  ')}")
    if wrong:
        sys.exit(FAILED)
