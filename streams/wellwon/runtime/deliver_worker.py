"""Run a deliver worker."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging

from kafka.errors import KafkaError

from wellwon.deliver.directory import Directory
from wellwon.runtime import crm_systems, logs, serving, sinks, topics
from wellwon.runtime.deliver import Deliver
from wellwon.runtime.directory_files import read_directory
from wellwon.runtime.interactions import Interactions
from wellwon.runtime.settings import Settings, SettingsError
from wellwon.runtime.worker import GC_THRESHOLDS
from wellwon.sinks.crm import CrmTransport
from wellwon.sinks.transport import Transport

log = logging.getLogger(__name__)


async def _run(
    settings: Settings, directory: Directory, transports: dict[str, Transport], crm: dict[str, CrmTransport]
) -> int:
    if settings.declare_topics:
        created = await asyncio.to_thread(topics.create, settings)
        if created:
            log.info("topics created", extra={"topics": created})
    deliver = Deliver(settings, directory, transports, crm)
    duties = [deliver.keeping_time(), deliver.observing(), deliver.watching()]
    working = serving.serving(deliver, deliver.metrics.page, duties, deliver.close)
    people = len(list(directory.people))
    about = {
        "policy": settings.policy or "defaults",
        "sinks": sorted(transports),
        "people": people,
        "crm": sorted(crm),
    }
    async with contextlib.AsyncExitStack() as stack:
        if settings.interactions:
            await stack.enter_async_context(Interactions(settings).serving())
        return await serving.until_told(deliver, working, "deliver started", about)


def run(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; return the process's exit code: 0, or 1 with the reason in the log.

    Raises PolicyError, SettingsError, OSError or UnicodeDecodeError for what is wrong before anything is started.
    """
    directory = read_directory(settings)
    transports = sinks.connect(settings, directory.delivery)
    crm = crm_systems.connect(settings, directory.policy.crm)
    if settings.interactions and not settings.slack_signing_secret:
        raise SettingsError("WELLWON_SLACK_SIGNING_SECRET is not set, and WELLWON_INTERACTIONS needs it")
    logs.set_up(settings)
    if not transports and not crm:
        log.warning("the policy names no sinks (deliver.sinks): nobody is told")
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        return serving.run(_run(settings, directory, transports, crm))
    except (KafkaError, OSError) as error:
        log.error("%s", error)
        return 1


def main() -> None:
    """Run a deliver worker with the settings of the environment."""
    serving.as_process(run)


if __name__ == "__main__":
    main()
