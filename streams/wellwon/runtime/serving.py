"""Run a worker: start, wait for a signal or a failure, stop in good order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, NoReturn

from confluent_kafka import KafkaException

from wellwon.core.state import NewerState
from wellwon.runtime import upkeep
from wellwon.runtime.endpoint import Endpoint
from wellwon.runtime.member import Member
from wellwon.runtime.outlet import DeliveryFailed
from wellwon.runtime.restore import Refused
from wellwon.runtime.zombies import Superseded

log = logging.getLogger(__name__)

STOP_S = 30.0
FORESEEN = (Refused, NewerState, DeliveryFailed, Superseded, OSError, KafkaException)
"""Failures whose message says it all; others are logged with where they came from."""


def run(work: Coroutine[Any, Any, int]) -> int:
    """Run a worker to its end; return its exit code. Follow with `leave`.

    Unlike ``asyncio.run`` it does not wait for what is left then: a task of Faust's that does not end when it is
    cancelled would keep a process whose work is done.
    """
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    return loop.run_until_complete(work)


def leave(code: int) -> NoReturn:
    """End the process, whatever threads clients that lost their broker still have."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


@contextlib.asynccontextmanager
async def serving(
    member: Member,
    page: Callable[[], bytes],
    duties: Iterable[Coroutine[Any, Any, None]],
    stopped: Callable[[], Awaitable[None]],
) -> AsyncIterator[Endpoint]:
    """Run a worker, and its duties beside it, for the length of an ``async with`` block.

    ``page`` is what /metrics says; ``stopped`` is awaited at the end if nothing failed.
    """
    endpoint = Endpoint(member.settings.http, page=page, live=member.live, ready=member.ready)
    await endpoint.start()
    member.open()
    tasks = [asyncio.ensure_future(work) for work in (member.app.start(), upkeep.notice_crash(member), *duties)]

    def ended(task: asyncio.Future[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            member.fail(error)

    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield endpoint
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await _stop(member)
        if member.failure is None:
            await stopped()
        assert member.outlet is not None
        await asyncio.to_thread(member.outlet.close)
        await endpoint.stop()


async def _stop(member: Member) -> None:
    """Drain, commit, leave the group."""
    stopping = asyncio.ensure_future(member.app.stop())
    limit = STOP_S if member.failure is None else STOP_S / 10
    await asyncio.wait([stopping], timeout=limit)
    if not stopping.done():
        log.warning("Faust did not stop within %.0f s", limit)


async def until_told(
    member: Member,
    working: contextlib.AbstractAsyncContextManager[Endpoint],
    started: str,
    about: Mapping[str, Any],
) -> int:
    """Work until SIGTERM, SIGINT or a failure; the process's exit code. ``started`` and ``about`` are logged."""
    settings = member.settings
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with working as endpoint:
        where = {"port": endpoint.port, "group": member.group, "kafka": settings.kafka}
        log.info("%s", started, extra={**where, **about})
        waits = [asyncio.ensure_future(stopping.wait()), asyncio.ensure_future(member.failed.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        log.info("stopping")
    if member.failure is not None:
        foreseen = isinstance(member.failure, FORESEEN)
        log.error("%s", member.failure, exc_info=None if foreseen else member.failure)
        return 1
    log.info("stopped")
    return 0
