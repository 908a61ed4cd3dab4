"""``wellwon rollup``: run a rollup worker."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Run a rollup worker until SIGTERM or Ctrl-C: what holds for owners, teams and periods.

    It reads the facts that the detect workers write, with the settings of the environment. One works, others stand by.
    Metrics and health: WELLWON_HTTP, which must be another than that of a worker on the same machine.
    """
    from wellwon.cli.broker import must_answer
    from wellwon.runtime.rollup import build_rollup
    from wellwon.runtime.serving import leave
    from wellwon.runtime.settings import Settings
    from wellwon.runtime.worker import run

    settings = Settings.from_environment()
    for line in Settings.unknown():
        click.echo(f"warning: {line}", err=True)
    must_answer(settings)
    leave(run(settings, build_rollup))
