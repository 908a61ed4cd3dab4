"""``wellwon check``: the settings, and the policy that they name."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from wellwon.cli.failure import FAILED
from wellwon.cli.output import columns
from wellwon.cli.policy import summary
from wellwon.policy import PolicyError
from wellwon.runtime.policy_file import read_policy
from wellwon.runtime.settings import Settings, SettingsError


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
    except PolicyError as error:
        wrong = True
        click.echo(f"policy:\n  {str(error).replace(chr(10), chr(10) + '  ')}")
    if wrong:
        sys.exit(FAILED)
