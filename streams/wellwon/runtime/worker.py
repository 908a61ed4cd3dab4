"""Run a detect worker: start, wait for a signal or a failure, stop in good order."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import Callable
from functools import partial

from kafka.errors import KafkaError

from wellwon.core.partition import Partition
from wellwon.policy import compile_text
from wellwon.runtime import logs, restore, serving, topics, upkeep
from wellwon.runtime.detect import Detect
from wellwon.runtime.endpoint import Endpoint
from wellwon.runtime.owned import Core
from wellwon.runtime.policy_file import read_policy
from wellwon.runtime.settings import Settings
from wellwon.runtime.zombies import Superseded

log = logging.getLogger(__name__)

GC_THRESHOLDS = (2_000, 5, 1_000)
"""At its defaults the collector takes 44 % of the CPU of the slice path, and finds nothing. It looks at little at a
time: at 50,000 objects a time it held up alerts for 40 ms."""


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


Build = Callable[[Settings], Detect]
"""Makes a worker of the operator's settings."""


def working(detect: Detect) -> contextlib.AbstractAsyncContextManager[Endpoint]:
    """Run a worker for the length of an ``async with`` block, which begins when the worker begins to start.

    `Detect.failed` is set when it has to stop early.
    """
    duties = [detect.settling(), upkeep.observe(detect), upkeep.watch_changelog(detect)]
    duties.append(upkeep.write_checkpoints(detect))
    if detect.settings.clock == "wall":
        duties.append(upkeep.keep_clock(detect))

    async def save() -> None:
        for owned in list(detect.owned.values()):
            if owned.pipeline.empty:
                with contextlib.suppress(Superseded):  # then it is the other's checkpoint that counts
                    await upkeep.save(detect, owned)

    return serving.serving(detect, detect.metrics.page, duties, save)


async def _run(settings: Settings, build: Build) -> int:
    if settings.declare_topics:
        created = await asyncio.to_thread(topics.create, settings)
        if created:
            log.info("topics created", extra={"topics": created})
    detect = build(settings)
    if not settings.declare_topics:  # a worker that waits for topics would look as if it worked
        await asyncio.to_thread(restore.inspect, settings, detect.flow)
    policy = {"policy": settings.policy or "defaults", "fingerprint": detect.fingerprint}
    return await serving.until_told(detect, working(detect), "worker started", policy)


def run(settings: Settings, build: Build = build_detect) -> int:
    """Run until SIGTERM or SIGINT; return the process's exit code: 0, or 1 with the reason in the log.

    Raises PolicyError, OSError or UnicodeDecodeError for a policy that is wrong, before anything is started.
    """
    read_policy(settings.policy)
    logs.set_up(settings)
    gc.set_threshold(*GC_THRESHOLDS)
    try:
        return serving.run(_run(settings, build))
    except (KafkaError, OSError, restore.Refused) as error:
        log.error("%s", error)
        return 1


def main(build: Build = build_detect) -> None:
    """Run a worker with the settings of the environment."""
    serving.as_process(partial(run, build=build))


if __name__ == "__main__":
    main()
