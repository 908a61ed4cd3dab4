"""``wellwon reread``: what the CRM must be asked for, because no event says it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from wellwon.cli.broker import must_answer
from wellwon.cli.output import counted
from wellwon.cli.reading import load

if TYPE_CHECKING:
    from wellwon.policy import Policy
    from wellwon.runtime.settings import Settings


@click.command()
def command() -> None:
    """Serve the topic of re-reads until SIGTERM or Ctrl-C: each deal is read from its CRM and written as a snapshot.

    Needed are the CRM's secrets, as for facts (WELLWON_CRM_SALESFORCE_URL, ..._CLIENT_ID, ..._CLIENT_SECRET;
    WELLWON_CRM_HUBSPOT_TOKEN), and the policy whose fields are read. Of the day's API calls the policy's
    api_share_percent is used at most. One such process is enough. Metrics and health: WELLWON_HTTP.
    """
    from wellwon.runtime import logs, serving
    from wellwon.runtime.settings import Settings

    settings = Settings.from_environment()
    _, policy = load(str(settings.policy) if settings.policy else None)
    must_answer(settings)
    logs.set_up(settings)
    serving.run(_serve(settings, policy))
    serving.leave(0)


async def _serve(settings: Settings, policy: Policy) -> None:
    import logging

    from wellwon.deliver.crm_facts import writes_of
    from wellwon.runtime import crm_systems
    from wellwon.runtime.endpoint import Endpoint
    from wellwon.runtime.reread import Rereader
    from wellwon.runtime.reread_answers import Reader
    from wellwon.runtime.reread_hubspot import HubSpotReader
    from wellwon.runtime.reread_salesforce import SalesforceReader
    from wellwon.runtime.serving import until_signal
    from wellwon.sinks.salesforce import Salesforce
    from wellwon.sources.mapping import SourceView

    view = SourceView.of(policy)
    readers: dict[str, Reader] = {
        system: SalesforceReader(crm, view) if isinstance(crm, Salesforce) else HubSpotReader(crm, view)
        for system, crm in crm_systems.connected(settings).items()
    }
    shares = {system: writes_of(policy.crm, system).api_share_percent for system in readers}
    stopping = asyncio.Event()
    async with Rereader(settings, readers, shares) as rereader:
        endpoint = Endpoint(settings.http, page=rereader.metrics.page, live=rereader.live, ready=rereader.ready)
        await endpoint.start()
        logging.getLogger(__name__).info("rereading", extra={"crms": ", ".join(readers), "port": endpoint.port})
        told = asyncio.ensure_future(until_signal(stopping))
        try:
            await rereader.run(stopping)
        finally:
            told.cancel()
            await endpoint.stop()
    click.echo(f"stopped: {counted(rereader.written, 'change')} written", err=True)
