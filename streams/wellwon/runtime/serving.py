"""Run a worker: start, wait for a signal or a failure, stop in good order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, NoReturn, TypeVar

from confluent_kafka import KafkaException

from wellwon.core.state import NewerState
from wellwon.policy import PolicyError
from wellwon.runtime import upkeep
from wellwon.runtime.endpoint import Endpoint
from wellwon.runtime.member import Member
from wellwon.runtime.outlet import DeliveryFailed
from wellwon.runtime.restore import Refused
from wellwon.runtime.settings import Settings, SettingsError
from wellwon.runtime.zombies import Superseded

log = logging.getLogger(__name__)

T = TypeVar("T")

STOP_S = 15.0
"""How long Faust may take to drain, commit and leave the group."""
CANCEL_S = 3.0
"""How long a task may take to end once it is cancelled."""
LEAVE_S = 25.0
"""A process that was told to stop ends within this time, whatever it waits for; Kubernetes kills after 30."""
FORESEEN = (Refused, NewerState, DeliveryFailed, Superseded, OSError, KafkaException)
"""Failures whose message says it all; others are logged with where they came from."""


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a worker to its end; return what it returns. Follow with `leave`.

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


def as_process(run: Callable[[Settings], int]) -> NoReturn:
    """Run with the settings of the environment, and end the process with the exit code; 2 where settings are wrong."""
    try:
        code = run(Settings.from_environment())
    except (SettingsError, PolicyError) as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    leave(code)


def leave_in_time() -> None:
    """Let the process end `LEAVE_S` from now, with exit code 1, if it has not ended by itself by then."""

    def overdue() -> None:
        log.error("not stopped after %.0f s, leaving; what was not committed is done again", LEAVE_S)
        leave(1)

    timer = threading.Timer(LEAVE_S, overdue)
    timer.daemon = True
    timer.start()


async def until_signal(stopping: asyncio.Event | None = None) -> None:
    """Return at SIGTERM or SIGINT, or when ``stopping`` is set; from then on the process ends in time."""
    stopping = stopping or asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    await stopping.wait()
    leave_in_time()


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
        await asyncio.wait(tasks, timeout=CANCEL_S)  # one of Faust's was seen to ignore it
        await _stop(member)
        if member.failure is None:
            await stopped()
        assert member.outlet is not None
        await asyncio.to_thread(member.outlet.close)
        await endpoint.stop()


async def _stop(member: Member) -> None:
    """Drain, commit, leave the group."""
    stopping = asyncio.ensure_future(member.app.stop())
    limit = STOP_S if member.failure is None else STOP_S / 5
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
    told = asyncio.ensure_future(until_signal(stopping))
    async with working as endpoint:
        where = {"port": endpoint.port, "group": member.group, "kafka": settings.kafka}
        log.info("%s", started, extra={**where, **about})
        failing = asyncio.ensure_future(member.failed.wait())
        await asyncio.wait([told, failing], return_when=asyncio.FIRST_COMPLETED)
        failing.cancel()
        stopping.set()
        log.info("stopping")
    if member.failure is not None:
        foreseen = isinstance(member.failure, FORESEEN)
        log.error("%s", member.failure, exc_info=None if foreseen else member.failure)
        return 1
    log.info("stopped")
    return 0
