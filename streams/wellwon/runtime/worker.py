"""Run a detect worker: start, wait for a signal or a failure, stop in good order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from confluent_kafka import KafkaException
from kafka.errors import KafkaError

from wellwon.core.partition import Partition
from wellwon.core.state import NewerState
from wellwon.policy import PolicyError, compile_text
from wellwon.runtime import logs, topics, upkeep
from wellwon.runtime.detect import Detect
from wellwon.runtime.endpoint import Endpoint
from wellwon.runtime.outlet import DeliveryFailed
from wellwon.runtime.owned import Core
from wellwon.runtime.policy_file import read_policy
from wellwon.runtime.restore import Refused
from wellwon.runtime.settings import Settings, SettingsError
from wellwon.runtime.zombies import Superseded

log = logging.getLogger(__name__)

GC_THRESHOLDS = (50_000, 20, 100)
"""At its defaults the collector takes 44 % of the CPU of the slice path, and finds nothing."""
STOP_S = 30.0
FORESEEN = (Refused, NewerState, DeliveryFailed, Superseded, OSError, KafkaException)
"""Failures whose message says it all; others are logged with where they came from."""


def build_detect(settings: Settings) -> Detect:
    """Return a detect worker, not started. Raises PolicyError, OSError, UnicodeDecodeError for a policy."""
    policy = read_policy(settings.policy).text

    def make_core(number: int, store: dict[bytes, bytes], generation: int) -> Core:
        return Partition(
            number,
            policy,
            store,
            compile_text,
            epoch=settings.epoch,
            generation=generation,
            seconds=time.perf_counter,
        )

    return Detect(settings, make_core, policy)


@contextlib.asynccontextmanager
async def working(detect: Detect) -> AsyncIterator[Endpoint]:
    """Run a worker for the length of an ``async with`` block, which begins when the worker begins to start.

    `Detect.failed` is set when it has to stop early.
    """
    settings = detect.settings
    endpoint = Endpoint(settings.http, page=detect.metrics.page, live=detect.live, ready=detect.ready)
    await endpoint.start()
    detect.open()
    starting = asyncio.ensure_future(detect.app.start())
    duties = [detect.settling(), upkeep.notice_crash(detect), upkeep.observe(detect)]
    duties += [upkeep.watch_changelog(detect), upkeep.write_checkpoints(detect)]
    if settings.clock == "wall":
        duties.append(upkeep.keep_clock(detect))
    tasks = [starting, *map(asyncio.ensure_future, duties)]

    def ended(task: asyncio.Future[Any]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            detect.fail(error)

    for task in tasks:
        task.add_done_callback(ended)
    try:
        yield endpoint
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await _stop(detect)
        await endpoint.stop()


async def _stop(detect: Detect) -> None:
    """Drain, commit, leave the group, write checkpoints."""
    stopping = asyncio.ensure_future(detect.app.stop())
    limit = STOP_S if detect.failure is None else STOP_S / 10
    await asyncio.wait([stopping], timeout=limit)
    if not stopping.done():
        log.warning("Faust did not stop within %.0f s", limit)
    if detect.failure is None:
        for owned in list(detect.owned.values()):
            if owned.pipeline.empty:
                with contextlib.suppress(Superseded):  # then it is the other's checkpoint that counts
                    await upkeep.save(detect, owned)
    assert detect.outlet is not None
    await asyncio.to_thread(detect.outlet.close)


async def _run(settings: Settings) -> int:
    if settings.declare_topics:
        created = await asyncio.to_thread(topics.create, settings)
        if created:
            log.info("topics created", extra={"topics": created})
    detect = build_detect(settings)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with working(detect) as endpoint:
        policy = {"policy": settings.policy or "defaults", "fingerprint": detect.fingerprint}
        where = {"port": endpoint.port, "group": settings.group, "kafka": settings.kafka}
        log.info("worker started", extra=where | policy)
        waits = [asyncio.ensure_future(stopping.wait()), asyncio.ensure_future(detect.failed.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        log.info("stopping")
    if detect.failure is not None:
        foreseen = isinstance(detect.failure, FORESEEN)
        log.error("%s", detect.failure, exc_info=None if foreseen else detect.failure)
        return 1
    log.info("stopped")
    return 0


def run(settings: Settings) -> int:
    """Run until SIGTERM or SIGINT; return the process's exit code: 0, or 1 with the reason in the log.

    Raises PolicyError, OSError or UnicodeDecodeError for a policy that is wrong, before anything is started.
    """
    read_policy(settings.policy)
    logs.set_up(settings)
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        return asyncio.run(_run(settings))
    except (KafkaError, OSError) as error:
        log.error("%s", error)
        return 1


def main() -> None:
    """Run a worker with the settings of the environment."""
    try:
        code = run(Settings.from_environment())
    except (SettingsError, PolicyError) as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    logging.shutdown()
    os._exit(code)  # a thread of a client that lost its broker must not keep the process


if __name__ == "__main__":
    main()
