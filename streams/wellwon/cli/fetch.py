"""``wellwon fetch``: a CRM's own history, into files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from wellwon.cli.failure import BadInput
from wellwon.cli.output import counted
from wellwon.cli.reading import load


@click.command()
@click.argument("source", type=click.Choice(["hubspot"]))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--policy",
    "policy_file",
    envvar="WELLWON_POLICY",
    help="Whose mapped fields are asked for; default: HubSpot's own.",
)
@click.option("--api", default="https://api.hubapi.com", show_default=True, help="Address of HubSpot's API.")
def command(source: str, folder: Path, policy_file: str | None, api: str) -> None:
    """Write every deal of SOURCE, with the history of its properties, into files in FOLDER.

    The files are what `hubspot-history` reads: for `wellwon backtest`, `norms`, `replay` and `ingest`. The token of a
    private app with the scope crm.objects.deals.read: WELLWON_CRM_HUBSPOT_TOKEN (or ..._FILE).
    """
    from wellwon.runtime.hubspot_fetch import DEALS, HISTORY, STAGES, HubSpotApi, fetch
    from wellwon.runtime.secrets import secret

    variable = "WELLWON_CRM_HUBSPOT_TOKEN"
    read = secret(variable)
    if read is None:
        raise BadInput(f"set {variable}: the token of a private app of {source}")
    # HubSpot's internal names are lower case; Salesforce's are not.
    properties = sorted(name for name in load(policy_file)[1].fields if name == name.lower())

    async def run() -> None:
        async with HubSpotApi(read(), api) as client:
            fetched = await fetch(client, properties, folder)
        click.echo(f"{counted(fetched.deals, 'deal')}, {counted(fetched.values, 'value')} in {folder}", err=True)

    asyncio.run(run())
    for name in (HISTORY, DEALS, STAGES):
        click.echo(folder / name)
