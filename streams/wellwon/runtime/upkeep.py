"""What a detect worker does beside slices, each a task on the event loop until it is cancelled."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from aiokafka.errors import KafkaError
from faust.exceptions import ConsumerNotStarted
from faust.types import TP

from wellwon.core.wire import encode_clock
from wellwon.runtime import checkpoint, zombies
from wellwon.runtime.detect import Detect
from wellwon.runtime.member import Member, now_ms
from wellwon.runtime.owned import Owned

log = logging.getLogger(__name__)


async def keep_clock(detect: Detect) -> None:
    """Write the time into every partition owned. Time is a record of the log: a replay meets it where it was met."""
    while True:
        if not detect.suspended and detect.outlet is not None:
            value = encode_clock(now_ms())
            for number in detect.owned:
                detect.outlet.control(number, value)
        await asyncio.sleep(detect.settings.clock_seconds)


async def notice_crash(member: Member) -> None:
    """End when Faust has given up by itself: nothing would be processed any more. Raises the reason."""
    app: Any = member.app
    await app._crashed.wait()
    raise app.crash_reason or RuntimeError("Faust crashed and gave no reason")


async def observe(detect: Detect) -> None:
    """Update the gauges every second."""
    topic = detect.settings.topic(detect.flow.log)
    while True:
        if not detect.suspended:
            for number, owned in detect.owned.items():
                owned.observe(_log_end(detect, TP(topic, number)))
        await asyncio.sleep(1.0)


def _log_end(detect: Detect, tp: TP) -> int | None:
    consumer: Any = detect.app.consumer
    try:
        end: int | None = consumer.highwater(tp)
    except (AssertionError, ConsumerNotStarted):  # aiokafka asserts that the partition is still assigned
        return None
    return end


async def watch_changelog(detect: Detect) -> None:
    """Find records in the changelog that others wrote, and write those deals again; see `zombies`."""
    topic = detect.settings.topic(detect.flow.states)
    while True:
        await asyncio.sleep(detect.settings.session_seconds / 2)
        if detect.suspended:
            continue
        owned_now = dict(detect.owned)
        quiet = {owned: owned.changelog.next for owned in owned_now.values() if owned.pipeline.empty}
        try:
            ends = await detect.app.consumer.highwaters(*[TP(topic, owned.number) for owned in quiet])
        except (KafkaError, AssertionError, ConsumerNotStarted) as error:
            log.warning("the end of the changelog is not known: %s", error)
            continue
        for owned, expected in quiet.items():
            end = ends.get(TP(topic, owned.number), expected)
            # Only if nothing of ours went out meanwhile does an end beyond ours mean that somebody else wrote.
            if owned.pipeline.empty and owned.changelog.next == expected < end:
                owned.changelog.ended(end)
        for owned in owned_now.values():
            await _rewrite_foreign(detect, topic, owned)


async def _rewrite_foreign(detect: Detect, topic: str, owned: Owned) -> None:
    """Look at what others wrote. Raises Superseded when it is they who own the partition."""
    changelog = owned.changelog
    if not (ranges := changelog.foreign[:]):
        return
    keys = await asyncio.to_thread(
        zombies.overwritten, detect.settings, topic, owned.number, ranges, changelog.generation
    )
    changelog.foreign = [found for found in changelog.foreign if found not in ranges]
    if detect.owned.get(owned.number) is owned and detect.failure is None:
        log.warning(
            "a worker that had lost a partition wrote states; rewriting them",
            extra={"partition": owned.number, "deals": len(keys)},
        )
        owned.rewrite(keys)


async def write_checkpoints(detect: Detect) -> None:
    """Write each partition's checkpoint now and then, and delete those that are too old."""
    while True:
        await asyncio.sleep(detect.settings.checkpoint_seconds)
        await asyncio.to_thread(checkpoint.delete_old, detect.checkpoints)
        for owned in list(detect.owned.values()):
            if not detect.suspended:
                await save(detect, owned)


async def save(detect: Detect, owned: Owned) -> None:
    """Write one partition's checkpoint, once what it holds is in the changelog."""
    snapshot = owned.snapshot()
    while owned.pipeline.finished < snapshot.after:
        if owned.pipeline.broken:
            return
        await detect.wait_for_room(1.0)
    # A checkpoint stands for all records below its offset, others' too: they must be known to be the older ones.
    await _rewrite_foreign(detect, detect.settings.topic(detect.flow.states), owned)
    await asyncio.to_thread(_write, detect, owned.number, snapshot.offset, snapshot.store)


def _write(detect: Detect, number: int, offset: int, store: dict[bytes, bytes]) -> None:
    topic = detect.settings.topic(detect.flow.states)
    header = checkpoint.Header(detect.state_topic_id, number, offset, time.time())
    try:
        checkpoint.write(checkpoint.path_of(detect.checkpoints, topic, number), header, store)
    except OSError as error:
        log.warning("no checkpoint written, the next start reads the whole changelog: %s", error)


TASKS = (keep_clock, observe, watch_changelog, write_checkpoints)
