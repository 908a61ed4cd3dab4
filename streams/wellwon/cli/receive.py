"""``wellwon receive``: what a CRM posts, into its raw topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from wellwon.cli.broker import must_answer
from wellwon.cli.failure import BadInput

if TYPE_CHECKING:
    from wellwon.runtime.settings import Settings


@click.command()
@click.argument("source", type=click.Choice(["hubspot"]))
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:8081", show_default=True, help="Where to listen.")
def command(source: str, listen: str) -> None:
    """Take the webhooks of SOURCE until SIGTERM or Ctrl-C: each is answered when Kafka has its events.

    What they mean is found by `wellwon ingest hubspot-webhooks --follow hubspot`, another process. Requests need
    HubSpot's signature (WELLWON_HUBSPOT_SECRET, WELLWON_HUBSPOT_URL). TLS ends at a proxy in front. Metrics and health:
    WELLWON_HTTP.
    """
    from wellwon.runtime import logs, serving
    from wellwon.runtime.settings import Settings

    settings = Settings.from_environment()
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
