"""Run the live page's server: read, serve, until a signal or a failure."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable

from aiohttp import web
from confluent_kafka import KafkaException
from kafka.errors import KafkaError

from wellwon.policy import PolicyError
from wellwon.runtime import logs, serving, topics
from wellwon.runtime.directory_files import modified, read_directory
from wellwon.runtime.endpoint import Endpoint
from wellwon.runtime.replies import Replies
from wellwon.runtime.settings import Settings, SettingsError
from wellwon.web.reader import Reader
from wellwon.web.server import Server

log = logging.getLogger(__name__)

FILES_S = 10.0
"""How often it is looked whether the people or the policy were edited."""


async def _follow_files(settings: Settings, server: Server) -> None:
    """Let who sees what follow the file of people and the policy; while these are wrong, what held before holds."""
    known = modified(settings)
    while True:
        await asyncio.sleep(FILES_S)
        if (now := modified(settings)) == known:
            continue
        known = now
        try:
            directory = read_directory(settings)
            server.use(directory.people, directory.policy)
            log.info("people and policy read again")
        except (PolicyError, SettingsError, OSError, UnicodeDecodeError) as error:
            log.error("people and policy not read again: %s", error)


@contextlib.asynccontextmanager
async def serving_page(
    settings: Settings, server: Server, failed: Callable[[BaseException], None]
) -> AsyncIterator[int]:
    """Read the topics and serve the page for the length of an ``async with`` block, which is given its port.

    ``failed`` is told, on the event loop, what ends the reading. Raises OSError when the address is taken.
    """
    reader = server.reader = Reader(settings, server.take, failed)
    server.replies = Replies(settings)
    # Streams of events have no end: whoever looks on when it stops is cut off at once, and comes back.
    runner = web.AppRunner(server.app(), access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    following: asyncio.Future[None] | None = None
    try:
        await runner.setup()
        host, _, port = settings.web.rpartition(":")
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
        reader.start()
        following = asyncio.ensure_future(_follow_files(settings, server))
        yield runner.addresses[0][1]
    finally:
        if following is not None:
            following.cancel()
        await reader.stop()
        await runner.cleanup()
        await asyncio.to_thread(server.replies.close)


async def _run(settings: Settings, server: Server) -> int:
    if settings.declare_topics:
        created = await asyncio.to_thread(topics.create, settings)
        if created:
            log.info("topics created", extra={"topics": created})
    stopping = asyncio.Event()
    failure: list[BaseException] = []

    def fail(error: BaseException) -> None:
        failure.append(error)
        stopping.set()

    told = asyncio.ensure_future(serving.until_signal(stopping))
    health = Endpoint(
        settings.http,
        page=server.metrics.page,
        live=lambda: str(failure[0]) if failure else None,
        ready=lambda: None if server.reader is not None and server.reader.caught_up else "still reading the topics",
    )
    try:
        await health.start()
        async with serving_page(settings, server, fail) as port:
            log.info("page served", extra={"port": port, "http": health.port, "kafka": settings.kafka})
            await told
            log.info("stopping")
    finally:
        await health.stop()
    if failure:
        foreseen = isinstance(failure[0], KafkaException | KafkaError | OSError)
        log.error("%s", failure[0], exc_info=None if foreseen else failure[0])
        return 1
    log.info("stopped")
    return 0


def run(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; return the process's exit code: 0, or 1 with the reason in the log.

    Raises PolicyError, SettingsError, OSError or UnicodeDecodeError for what is wrong before anything is started.
    """
    directory = read_directory(settings)
    server = Server(settings, directory.people, directory.policy)
    logs.set_up(settings)
    try:
        return serving.run(_run(settings, server))
    except (KafkaException, KafkaError, OSError) as error:
        log.error("%s", error)
        return 1


def main() -> None:
    """Run the server with the settings of the environment."""
    serving.as_process(run)


if __name__ == "__main__":
    main()
