"""``wellwon crm``: make ready a CRM that facts are written back into, and show what would be written."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wellwon.cli.failure import FAILED, BadInput
from wellwon.cli.output import Group, counted, json_lines

if TYPE_CHECKING:
    from wellwon.sinks.hubspot import HubSpot
    from wellwon.sinks.salesforce import Salesforce

SYSTEMS = ("salesforce", "hubspot")


@click.group(cls=Group)
def command() -> None:
    """Facts back into the CRM: set it up, and look at what would be written.

    They are written by `wellwon deliver` where the policy's `crm` turns them on.
    """


@command.command()
@click.argument("system", type=click.Choice(SYSTEMS))
@click.option("--dry-run", is_flag=True, help="Say what would be made, and make nothing.")
def setup(system: str, dry_run: bool) -> None:
    """Make HubSpot's deal properties, or check that Salesforce has the fields of deploy/salesforce.

    What is there already stays as it is. Exit code 1 if the CRM does not let us, or (Salesforce) if fields are missing.
    """
    from wellwon.runtime import crm_systems
    from wellwon.runtime.settings import Settings

    settings = Settings.from_environment(broker=False)
    if system == "hubspot":
        asyncio.run(_hubspot(crm_systems.hubspot(settings), dry_run))
    else:
        asyncio.run(_salesforce(crm_systems.salesforce(settings)))


async def _hubspot(crm: HubSpot, dry_run: bool) -> None:
    from wellwon.sinks.hubspot import SetupFailed

    try:
        asked = await crm.missing()
        for method, path, body in asked:
            if not dry_run:
                await crm.make((method, path, body))
            options = f" ({counted(len(body['options']), 'option')})" if "options" in body else ""
            click.echo(
                f"{'would ask' if dry_run else 'asked'}: {method} {path} {body.get('name', '')}".rstrip() + options
            )
    except SetupFailed as error:
        click.echo(f"hubspot: {error}", err=True)
        sys.exit(FAILED)
    finally:
        await crm.close()
    if not asked:
        click.echo("hubspot: every property is there")


async def _salesforce(crm: Salesforce) -> None:
    try:
        lacking = await crm.lacking()
    finally:
        await crm.close()
    if not lacking:
        click.echo("salesforce: every field is there")
        return
    for line in lacking:
        click.echo(f"salesforce: {line}", err=True)
    click.echo(
        "Deploy the package, then give the permission set Wellwon_Writer to the user as whom wellwon writes:\n"
        "  sf project deploy start --metadata-dir deploy/salesforce",
        err=True,
    )
    sys.exit(FAILED)


@command.command()
@click.argument("alerts", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--system", type=click.Choice(SYSTEMS), default="salesforce", show_default=True, help="The CRM.")
def preview(alerts: Path, system: str) -> None:
    """Show what each deal would say after the alerts and wins in a file of JSON lines (-: standard input).

    Nothing is sent. Such a file is what `wellwon replay --alerts` writes. Wins are shown as they will be when they are
    old enough.
    """
    from wellwon.deliver import crm_facts
    from wellwon.deliver.crm_facts import DealFacts
    from wellwon.deliver.items import Alert, Unreadable, read_alert, read_win
    from wellwon.deliver.state import DealFile, Known
    from wellwon.policy.delivery import FACTS, Crm, CrmWrites
    from wellwon.sinks import hubspot_records, salesforce_records

    files: dict[str, DealFile] = {}
    with sys.stdin.buffer if str(alerts) == "-" else alerts.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                item = read_alert(line) if b'"fingerprint"' in line else read_win(line)
            except Unreadable as error:
                raise BadInput(f"{alerts}: record {number} is no alert and no win: {error}") from None
            file = files.setdefault(item.opportunity_id, DealFile())
            if not isinstance(item, Alert):
                file.win = item
            elif item.open:
                file.known[item.fingerprint] = Known(item)
            else:
                file.known.pop(item.fingerprint, None)
    every = CrmWrites(frozenset(FACTS))
    crm = Crm(salesforce=every, hubspot=every)
    for deal, file in files.items():
        for write in crm_facts.pending(file, deal, system, crm, crm_facts.win_due(file, crm) or 1):
            facts = write.facts
            if system == "hubspot" and isinstance(facts, DealFacts):
                json_lines(hubspot_records.update(facts))
            else:
                json_lines(salesforce_records.record(facts))
    left_out = sum(not crm_facts.is_of(system, deal) for deal in files)
    if left_out:
        click.echo(f"{counted(left_out, 'deal')} left out: their ids are not {system}'s", err=True)
