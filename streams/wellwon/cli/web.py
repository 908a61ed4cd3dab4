"""``wellwon web``: serve the live page."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Serve the live page until SIGTERM or Ctrl-C: open alerts, timelines of deals, how deals were won.

    By itself it listens on this machine alone (WELLWON_WEB=127.0.0.1:8080). To be reached by others it must know who
    looks: WELLWON_WEB_PROXIES, or WELLWON_WEB_TOKEN. Metrics and health: WELLWON_HTTP, which must be another than that
    of a worker on the same machine.
    """
    from wellwon.cli.broker import must_answer
    from wellwon.runtime.directory_files import read_directory
    from wellwon.runtime.serving import leave
    from wellwon.runtime.settings import Settings
    from wellwon.web.access import Access
    from wellwon.web.run import run

    settings = Settings.from_environment()
    for line in Settings.unknown():
        click.echo(f"warning: {line}", err=True)
    directory = read_directory(settings)
    Access(settings, directory.people, directory.policy)  # whether it may be reached is said first, broker or none
    must_answer(settings)
    if not settings.page:
        click.echo(f"The page is at http://{settings.web}", err=True)
    leave(run(settings))
