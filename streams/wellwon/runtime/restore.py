"""Bring back the states of the partitions that a worker gained: from the local checkpoint and the changelog's tail.

States stay encoded; a deal is decoded when it is next touched. Runs in a thread, with its own consumer.
"""

from __future__ import annotations

import json
import logging
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from wellwon.core.state import PREFIX, VERSION, NewerState, read_prefix
from wellwon.runtime import checkpoint, topics
from wellwon.runtime.connection import librdkafka
from wellwon.runtime.outlet import GENERATION
from wellwon.runtime.settings import Settings

log = logging.getLogger(__name__)

LINEAGE = b"\0lineage"
"""Key of the one changelog record per partition that belongs to the runtime: which log the states come from."""
IDLE_S = 30.0
"""Restoring gives up when the changelog brings nothing for so long."""
MOVE = (
    "deals would land where their states are not. Stop the workers and what feeds them, and run `wellwon topics"
    " repartition {}`: it brings the states where their deals are now"
)


def partitions_differ(settings: Settings, topic: str, has: int) -> tuple[str, str]:
    """Say that the change topic has other partitions than declared, and what to do about it."""
    wanted = settings.partitions
    said = f"{topic} has {has} partitions, declared are {wanted}"
    if has < wanted:
        return said, (
            f"WELLWON_PARTITIONS={has}; or stop the workers and what feeds them, and run `wellwon topics repartition"
            f" {wanted}`"
        )
    return said, (
        f"if it always had {has}, or `wellwon topics repartition` gave them: WELLWON_PARTITIONS={has}. If they were"
        f" added otherwise: {MOVE.format(has)}"
    )


class Refused(Exception):
    """The worker must not start on this log; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Lineage:
    """Which log a partition's states were made from."""

    topic_id: str
    partitions: int
    epoch: int

    def encode(self) -> bytes:
        """Return the value of the lineage record."""
        return json.dumps({"topic_id": self.topic_id, "partitions": self.partitions, "epoch": self.epoch}).encode()

    @classmethod
    def decode(cls, value: bytes) -> Lineage:
        """Read the value of a lineage record."""
        return cls(**json.loads(value))


@dataclass(slots=True)
class Restored:
    """One partition as it was when the changelog ended."""

    store: dict[bytes, bytes] = field(default_factory=dict)
    end: int = 0
    """The changelog's next offset."""
    lineage: Lineage | None = None
    generation: int = -1
    """The latest in which any of it was written; -1 where there is nothing."""
    stale: set[bytes] = field(default_factory=set)
    """Deals of which a worker that should have been gone wrote an older state after the newer one."""
    from_checkpoint: int = 0
    from_changelog: int = 0


@dataclass(frozen=True, slots=True)
class Log:
    """The change topic and the changelog as the broker has them now."""

    changes_id: str
    state_id: str
    partitions: int


def inspect(settings: Settings, flow: topics.Flow = topics.DETECT) -> Log:
    """Ask the broker for both topics. Raises Refused where one is missing or they do not go together."""
    if not settings.declare_topics and settings.kafka_version:
        return Log("", "", settings.partitions)  # the embedded broker keeps no topic ids, and starts empty
    pair = (flow.log, flow.states)
    found = topics.describe(settings, [topic for topic in topics.TOPICS if topic.name in pair])
    changes, state = found[flow.log], found[flow.states]
    if changes is None or state is None:
        raise Refused("topics are missing: run `wellwon topics create`, or set WELLWON_DECLARE_TOPICS=yes")
    if changes.partitions != state.partitions:
        raise Refused(
            f"{changes.name} has {changes.partitions} partitions, and its states in {state.name} have"
            f" {state.partitions}: {MOVE.format(max(changes.partitions, state.partitions))}"
        )
    return Log(changes.id, state.id, changes.partitions)


def restore(
    settings: Settings, source: Log, partitions: Iterable[int], folder: Path, *, state: str = topics.STATE
) -> dict[int, Restored]:
    """Return the states of `partitions`. Raises Refused, NewerState, KafkaException.

    States of a flow belong to offsets of one log, and are refused for another; the others know no such place.
    """
    topic = settings.topic(state)
    consumer = _consumer(settings)
    try:
        results: dict[int, Restored] = {}
        for partition in partitions:
            start, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
            found = _from_checkpoint(topic, source, folder, partition, end)
            found_at = found.end
            found.end = end
            results[partition] = found
            if (begin := max(start, found_at)) < end:
                _read_tail(consumer, topic, partition, begin, found)
            _by_whom(settings, topic, found)
            if state in topics.FLOWS:
                flow = topics.FLOWS[state]
                _check(settings, source, consumer, partition, found, flow)
                if found.lineage is None and source.state_id:
                    _refuse_lost_states(settings, partition, flow)
        return results
    finally:
        consumer.close()


def as_written(settings: Settings, state: str) -> dict[int, Restored]:
    """Return all states of a topic as the changelog alone has them, whatever log they belong to. Raises as `restore`.

    For commands that change them while no worker runs.
    """
    topic = settings.topic(state)
    consumer = _consumer(settings)
    try:
        results: dict[int, Restored] = {}
        about = consumer.list_topics(topic, timeout=10).topics[topic]
        if about.error is not None:
            raise KafkaException(about.error)
        for partition in sorted(about.partitions):
            start, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
            found = results[partition] = Restored(end=end)
            if start < end:
                _read_tail(consumer, topic, partition, start, found)
            _by_whom(settings, topic, found)
        return results
    finally:
        consumer.close()


def _consumer(settings: Settings) -> Consumer:
    return Consumer(
        librdkafka(settings)
        | {
            "group.id": f"{settings.group}-restore",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 100,
            "fetch.error.backoff.ms": 100,
            "queued.max.messages.kbytes": 65_536,
            "max.partition.fetch.bytes": 4 * 2**20,
        }
    )


def _from_checkpoint(topic: str, source: Log, folder: Path, partition: int, end: int) -> Restored:
    path = checkpoint.path_of(folder, topic, partition)
    try:
        header, store = checkpoint.load(path, topic_id=source.state_id, partition=partition)
        if header.offset > end:
            raise checkpoint.BadCheckpoint(f"{path.name}: ahead of its changelog")
    except checkpoint.BadCheckpoint as error:
        if path.exists():
            log.warning("checkpoint not used, reading the whole changelog: %s", error)
        return Restored()
    found = Restored(store, header.offset, from_checkpoint=len(store))
    _take_lineage(found)
    return found


def _take_lineage(found: Restored) -> None:
    value = found.store.pop(LINEAGE, None)
    if value is not None:
        found.lineage = Lineage.decode(value)


def _read_tail(consumer: Consumer, topic: str, partition: int, begin: int, found: Restored) -> None:
    consumer.assign([TopicPartition(topic, partition, begin)])
    store, stale, end, position = found.store, found.stale, found.end, begin
    get, pop, newest = store.get, store.pop, VERSION
    deadline = time.monotonic() + IDLE_S
    while position < end:
        batch = consumer.consume(10_000, timeout=0.2)
        for message in batch:
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    position = max(position, message.offset() or 0)  # compaction may have left nothing before the end
                elif not error.retriable():
                    raise KafkaException(error)
                continue
            position = (message.offset() or 0) + 1
            key, value = message.key() or b"", message.value()
            if value is None:
                if _outlived(message, get(key)):
                    stale.add(key)
                else:
                    pop(key, None)
                    stale.discard(key)
            elif key == LINEAGE:
                store[key] = value
            else:
                if value[0] > newest:
                    raise NewerState(
                        f"{topic} holds states of version {value[0]}, and this wellwon knows versions up to {newest}:"
                        " start the newer wellwon again, or restore the topic from before the upgrade"
                    )
                old = get(key)
                if old is None or _place(value) >= _place(old):
                    store[key] = value
                    stale.discard(key)
                else:
                    stale.add(key)
        if batch:
            deadline = time.monotonic() + IDLE_S
            found.from_changelog += len(batch)
        elif time.monotonic() > deadline:
            raise Refused(f"{topic}-{partition} stopped at offset {position} of {end}: is the broker well?")
    _take_lineage(found)


def _outlived(tombstone: Message, state: bytes | None) -> bool:
    """Tell whether a tombstone comes from a worker that should have been gone when the state was written."""
    by = [int(number) for name, number in tombstone.headers() or () if name == GENERATION]
    return bool(by) and state is not None and by[0] < read_prefix(state).generation


def _by_whom(settings: Settings, topic: str, found: Restored) -> None:
    """Note who wrote last. Refuse a later epoch: what we write would count as older, and its work be done again."""
    written = {value[1:9] for value in found.store.values()}
    newest = max((int.from_bytes(by[:4], "big") for by in written), default=0)
    found.generation = max((int.from_bytes(by[4:], "big") for by in written), default=-1)
    if found.lineage is not None:
        newest = max(newest, found.lineage.epoch)
    if newest > settings.epoch:
        raise Refused(
            f"{topic} was written with WELLWON_EPOCH={newest}, and here it is {settings.epoch}: set"
            f" WELLWON_EPOCH={newest}, for every worker alike; an epoch never goes back"
        )


def _refuse_lost_states(settings: Settings, partition: int, flow: topics.Flow) -> None:
    """Refuse a log that the group has read already, and of which nothing is left: each began by a lineage record."""
    topic = settings.topic(flow.log)
    group = Consumer(librdkafka(settings) | {"group.id": settings.group, "enable.auto.commit": False})
    try:
        (read,) = group.committed([TopicPartition(topic, partition)], timeout=10)
    finally:
        group.close()
    if read.offset > 0:
        raise Refused(
            f"{settings.topic(flow.states)}-{partition} is empty, though group {settings.group} has read"
            f" {topic}-{partition} up to offset {read.offset}, so states were lost: bring it back, or start over."
            f" A new WELLWON_GROUP reads {topic} from its beginning; what is not in it any more, ingest from history"
        )


def _check(
    settings: Settings, source: Log, consumer: Consumer, partition: int, found: Restored, flow: topics.Flow
) -> None:
    """Refuse a log that is not the one the states were made from."""
    was, topic = found.lineage, settings.topic(flow.log)
    if was is not None and was.partitions != source.partitions:
        raise Refused(
            f"the states were made when {topic} had {was.partitions} partitions, it now has"
            f" {source.partitions}: {MOVE.format(source.partitions)}"
        )
    if was is not None and was.epoch < settings.epoch:
        return  # the operator says that this is a new log
    made_anew = (
        f"; if the topic was made anew, set WELLWON_EPOCH={settings.epoch + 1}: states are kept, and the new log is"
        " read from its beginning. If not, the log lost its end: restore it"
    )
    if was is not None and was.topic_id and source.changes_id and was.topic_id != source.changes_id:
        raise Refused(f"{topic} is not the topic that the states were made from{made_anew}")
    epoch = settings.epoch.to_bytes(4, "big")
    guards = (int.from_bytes(value[9:17], "big", signed=True) for value in found.store.values() if value[1:5] == epoch)
    guard = max(guards, default=-1)
    if guard >= 0:
        _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)
        if guard >= end:
            raise Refused(
                f"{topic}-{partition} ends at offset {end}, and states were made from offset {guard} of it{made_anew}"
            )


def _place(value: bytes) -> tuple[int, int, int]:
    """What makes a state the newer one: epoch, source offset, and generation where only time went on.

    The offset is -1 for what time alone made in a new epoch.
    """
    epoch, generation, offset = _WRITTEN.unpack_from(value)
    return epoch, offset, generation


_WRITTEN = struct.Struct(">xIIq")
assert PREFIX.format == ">BIIqq", "the offsets above are those of the prefix"
