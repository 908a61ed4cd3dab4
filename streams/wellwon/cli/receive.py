"""``wellwon receive``: what a CRM tells, into its raw topic."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec
from typing import TYPE_CHECKING

import click

from wellwon.cli.broker import must_answer
from wellwon.cli.failure import BadInput

if TYPE_CHECKING:
    from wellwon.runtime.settings import Settings


@click.command()
@click.argument("source", type=click.Choice(["hubspot", "salesforce"]))
@click.option(
    "--listen", metavar="HOST:PORT", default="127.0.0.1:8081", show_default=True, help="Where HubSpot's webhooks come."
)
@click.option(
    "--channel", default="/data/ChangeEvents", show_default=True, help="Salesforce's channel of change events."
)
def command(source: str, listen: str, channel: str) -> None:
    """Write the events of SOURCE into its raw topic until SIGTERM or Ctrl-C.

    \b
    hubspot     takes webhooks, each answered when Kafka has its events. Requests need HubSpot's
                signature (WELLWON_HUBSPOT_SECRET, WELLWON_HUBSPOT_URL); TLS ends at a proxy in front.
    salesforce  subscribes by the Pub/Sub API and goes on where it stopped. Needs wellwon[pubsub], and
                WELLWON_CRM_SALESFORCE_URL, ..._CLIENT_ID, ..._CLIENT_SECRET.

    What events mean is found by another process: `wellwon ingest hubspot-webhooks --follow hubspot`, `wellwon ingest
    salesforce-cdc --follow salesforce`. One such process for each source. Metrics and health: WELLWON_HTTP.
    """
    from wellwon.runtime import logs, serving
    from wellwon.runtime.settings import Settings

    settings = Settings.from_environment()
    if source == "salesforce":
        _needs_pubsub()
        if not channel.startswith("/data/"):
            raise BadInput(f"--channel {channel}: /data/ChangeEvents, or a channel of your own, /data/Name__chn")
        must_answer(settings)
        logs.set_up(settings)
        serving.run(_subscribe(settings, channel))
        serving.leave(0)
    missing = [name for name in ("hubspot_secret", "hubspot_url") if not getattr(settings, name)]
    if missing:
        names = " and ".join(f"WELLWON_{name.upper()}" for name in missing)
        raise BadInput(f"set {names}: without them nobody can tell HubSpot's requests from forged ones")
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise BadInput(f"--listen {listen}: host:port, for instance 0.0.0.0:8081")
    must_answer(settings)
    logs.set_up(settings)
    serving.run(_receive(settings, source, listen))
    serving.leave(0)


def _needs_pubsub() -> None:
    missing = [name for name in ("grpc", "fastavro", "google.protobuf") if not _is_there(name)]
    if missing:
        raise BadInput(
            f"{', '.join(missing)} not installed: the Pub/Sub API needs the extra, pip install 'wellwon[pubsub]'"
        )


def _is_there(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


async def _subscribe(settings: Settings, channel: str) -> None:
    import logging

    from wellwon.runtime import crm_systems, topics
    from wellwon.runtime.endpoint import Endpoint
    from wellwon.runtime.ingest_metrics import SubscriberMetrics
    from wellwon.runtime.pubsub import Subscriber
    from wellwon.runtime.serving import until_signal

    address = crm_systems.pubsub_address(settings)
    _, login, client = crm_systems.salesforce_login(settings)
    if settings.declare_topics:
        topics.create(settings, [*topics.TOPICS, topics.raw_topic("salesforce")])
    metrics = SubscriberMetrics()
    subscriber = Subscriber(settings, login, address, channel, metrics)

    def ready() -> str | None:
        return None if subscriber.subscribed else "Salesforce has not said anything yet"

    endpoint = Endpoint(settings.http, page=metrics.page, live=lambda: None, ready=ready)
    await endpoint.start()
    try:
        async with subscriber:
            reading, told = asyncio.ensure_future(subscriber.run()), asyncio.ensure_future(until_signal())
            logging.getLogger(__name__).info("subscribing", extra={"channel": channel, "http": endpoint.port})
            await asyncio.wait([reading, told], return_when=asyncio.FIRST_COMPLETED)
            told.cancel()
            reading.cancel()
            await asyncio.wait([reading])
            if not reading.cancelled():
                reading.result()
    finally:
        await client.close()
        await endpoint.stop()


async def _receive(settings: Settings, source: str, listen: str) -> None:
    import logging

    from wellwon.runtime import topics
    from wellwon.runtime.endpoint import Endpoint
    from wellwon.runtime.ingest_metrics import ReceiverMetrics
    from wellwon.runtime.receiver import Receiver
    from wellwon.runtime.serving import until_signal

    if settings.declare_topics:
        topics.create(settings, [topics.raw_topic(source)])
    metrics = ReceiverMetrics()
    receiver = Receiver(settings, metrics)

    def ready() -> str | None:
        return None if receiver.port else "it does not listen yet"

    endpoint = Endpoint(settings.http, page=metrics.page, live=lambda: None, ready=ready)
    await endpoint.start()
    try:
        async with receiver.serving(listen):
            logging.getLogger(__name__).info("receiving", extra={"port": receiver.port, "http": endpoint.port})
            await until_signal()
    finally:
        await endpoint.stop()
