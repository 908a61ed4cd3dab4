"""``wellwon worker``: run a detect worker."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Run a detect worker until SIGTERM or Ctrl-C, with the settings of the environment.

    `wellwon check --list` lists the settings; several workers share the partitions. Metrics and health: WELLWON_HTTP.
    """
    from wellwon.cli.broker import must_answer
    from wellwon.runtime.serving import leave
    from wellwon.runtime.settings import Settings
    from wellwon.runtime.worker import run

    settings = Settings.from_environment()
    for line in Settings.unknown():
        click.echo(f"warning: {line}", err=True)
    must_answer(settings)
    leave(run(settings))
