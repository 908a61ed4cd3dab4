"""More partitions for the log: each deal's state goes where its changes will be from now on.

Kafka can add partitions and never takes one away. It leaves records where they are, so afterwards a deal's changes come
by another partition than its state, and workers refuse to start. This brings the states after them.

What was read of the log stays read: each partition's control record says up to where. What was not is written once
more behind it, each deal's changes in their order, where the deal is now.

It may be interrupted at any point and run again: until the last step, in which the partitions get the record that
names their new number, workers refuse the log.
"""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from confluent_kafka import KafkaException, Message

from wellwon.core import wire
from wellwon.core.items import Clock, PolicyRecord
from wellwon.core.state import CONTROL_KEY, PREFIX, decode_control, encode_control, read_prefix
from wellwon.core.stored import Control
from wellwon.runtime import restore, topics
from wellwon.runtime.at_rest import ANSWER_S, Group, Reading, Writing, must_be_at_rest
from wellwon.runtime.lookup import partition_of_key
from wellwon.runtime.restore import Lineage, Refused, Restored
from wellwon.runtime.settings import Settings

ORIGIN: Final = "origin"
"""Header of what is written once more: partition and offset where it was first written."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What was done."""

    before: int
    """Partitions that the log had."""
    deals: int
    moved: int
    """Deals whose partition is another one now."""
    changes: int
    """Changes that no worker had read yet."""


class _Unread(NamedTuple):
    """A record that no worker has read."""

    at: int
    """When it was written; no earlier than those before it in its partition."""
    key: bytes | None
    value: bytes | None
    origin: tuple[int, int]
    """Partition and offset where it was first written."""

    @property
    def is_control(self) -> bool:
        """Whether it is time or a policy, which concern every partition."""
        try:
            return isinstance(wire.decode(self.value or b"").item, Clock | PolicyRecord)
        except wire.DecodeError:
            return False


def repartition(settings: Settings, wanted: int) -> Moved | None:
    """Give the log and its states ``wanted`` partitions; None where they have them and nothing is left to do.

    Raises Refused where workers run, where ``wanted`` is fewer than there are, or where something else writes into the
    log meanwhile; NewerState, KafkaException, KafkaError.
    """
    groups = {settings.group: "worker", settings.deliver_group: "deliver"}
    must_be_at_rest(settings, groups)
    parts = restore.as_written(settings, topics.STATE)
    with Reading(settings) as reading:
        bounds = reading.bounds(topics.CHANGES)
        has = max(len(bounds), len(parts))
        if wanted < has:
            raise Refused(f"{settings.topic(topics.CHANGES)} has {has} partitions: Kafka takes none away")
        lineages = [part.lineage for part in parts.values() if part.lineage is not None]
        made_for = {lineage.partitions for lineage in lineages}
        if len(bounds) == len(parts) == wanted and made_for <= {wanted}:
            return None
        if wrong := {lineage.epoch for lineage in lineages} - {settings.epoch}:
            raise Refused(f"the states are of epoch {wrong.pop()}: set WELLWON_EPOCH as the workers have it")
        before = min(made_for, default=len(bounds))
        unread = _unread(settings, reading, bounds, parts)
        known = _common(parts.values())
        if known is None and unread:
            raise Refused("no worker has read this log yet: start one, wait until it is ready, and stop it")
        changes_id = _grow(settings, wanted)
        ends = {number: bounds[number][1] if number in bounds else 0 for number in range(wanted)}
        writing = Writing(settings)
        _name(writing, Lineage(changes_id, before, settings.epoch), wanted)  # now a worker refuses every partition
        moved = _move(writing, parts, wanted)
        added = _again(writing, unread, wanted)
        if any(end != ends[number] + added[number] for number, (_, end) in reading.bounds(topics.CHANGES).items()):
            raise Refused(
                f"something wrote into {settings.topic(topics.CHANGES)} meanwhile. Stop what feeds it (ingest, receive,"
                " web, `wellwon policy apply`), and run the command again: it goes on where it was"
            )
    if known is not None:
        generation = max(part.generation for part in parts.values())
        for number, end in ends.items():  # in each partition, time and policy, and that what the log held is read
            control = encode_control(known, epoch=settings.epoch, generation=generation, offset=end - 1)
            writing.put(topics.STATE, number, CONTROL_KEY, control)
        writing.confirm()
    _name(writing, Lineage(changes_id, wanted, settings.epoch), wanted)
    deals = {key for part in parts.values() for key in _deals(part)}
    return Moved(before, len(deals), moved, sum(not record.is_control for record in unread))


def _deals(part: Restored) -> dict[bytes, bytes]:
    return {key: value for key, value in part.store.items() if key != CONTROL_KEY}


# --- what was not read ------------------------------------------------------------------------------------------------


def _unread(
    settings: Settings, reading: Reading, bounds: dict[int, tuple[int, int]], parts: dict[int, Restored]
) -> list[_Unread]:
    """Each once, in the order of time as far as each partition's own order allows."""
    with Group(settings, settings.group) as group:
        read = group.committed(topics.CHANGES)
    originals, copies = list[list[_Unread]](), list[list[_Unread]]()
    for number, (start, end) in bounds.items():
        store = parts[number].store if number in parts else {}
        begin = max(start, read.get(number, start), _place(store.get(CONTROL_KEY), settings.epoch) + 1)
        records = [
            record
            for record in reading.records(topics.CHANGES, number, begin, end)
            if (record.offset() or 0) > _place(store.get(record.key() or b""), settings.epoch)
        ]
        originals.append(list(_in_order(record for record in records if _origin(record) is None)))
        copies.append(list(_in_order(record for record in records if _origin(record) is not None)))
    # A run that was interrupted left copies of what may be unread itself.
    there = {record.origin for log in originals for record in log}
    once = {record.origin: record for log in copies for record in log if record.origin not in there}
    return list(heapq.merge(*originals, sorted(once.values(), key=_at), key=_at))


def _at(record: _Unread) -> int:
    return record.at


def _in_order(records: Iterable[Message]) -> Iterator[_Unread]:
    at = 0
    for record in records:
        at = max(at, record.timestamp()[1])
        here = record.partition() or 0, record.offset() or 0
        yield _Unread(at, record.key(), record.value(), _origin(record) or here)


def _origin(record: Message) -> tuple[int, int] | None:
    for name, place in record.headers() or ():
        if name == ORIGIN:
            number, _, offset = place.decode().partition("/")
            return int(number), int(offset)
    return None


def _place(stored: bytes | None, epoch: int) -> int:
    """The last offset of the log that a stored value knows of; -1 for none."""
    prefix = None if stored is None else read_prefix(stored)
    return -1 if prefix is None or prefix.epoch != epoch else prefix.offset


def _again(writing: Writing, unread: Iterable[_Unread], wanted: int) -> Counter[int]:
    """Write what was not read behind what was; how many records by partition."""
    added: Counter[int] = Counter()
    told: set[bytes | None] = set()
    for record in unread:
        if not record.is_control:
            places = [record.origin[0] if record.key is None else partition_of_key(record.key, wanted)]
        else:
            places = [] if record.value in told else list(range(wanted))
            told.add(record.value)
        headers = [(ORIGIN, b"%d/%d" % record.origin)]
        for number in places:
            writing.put(topics.CHANGES, number, record.key, record.value, at=record.at, headers=headers)
            added[number] += 1
    writing.confirm()
    return added


# --- the states -------------------------------------------------------------------------------------------------------


def _common(parts: Iterable[Restored]) -> Control | None:
    """What the partitions know together; None where no worker has run.

    Whatever is due by a clock in one of them is due by it wherever it goes; the latest policy reaches who has not got
    it yet.
    """
    controls = [decode_control(part.store[CONTROL_KEY]) for part in parts if CONTROL_KEY in part.store]
    if not controls:
        return None
    clocks = sorted({clock for control in controls for clock in control.clocks})
    latest = max(controls, key=lambda control: control.policy_at)
    spreads = any(control.policy_spreads or control.policy != latest.policy for control in controls)
    return Control(clocks, latest.policy, latest.policy_at, spreads)


def _grow(settings: Settings, wanted: int) -> str:
    """Add the partitions, and wait until they can be used; the id of the change topic."""
    names = [settings.topic(topics.STATE), settings.topic(topics.CHANGES)]
    with topics.admin(settings) as client:
        for name in names:
            if len(client.describe_topics([name])[0]["partitions"]) < wanted:
                client.create_partitions({name: wanted})
        client.wait_for_topics(names)
        changes_id = str(client.describe_topics(names[1:])[0]["topic_id"] or "")
    deadline = time.monotonic() + ANSWER_S
    while True:
        try:
            with Reading(settings) as reading:
                if all(len(reading.bounds(name)) == wanted for name in (topics.STATE, topics.CHANGES)):
                    return changes_id
        except KafkaException:  # a new partition has no leader yet
            if time.monotonic() > deadline:
                raise
        if time.monotonic() > deadline:
            raise Refused(f"{' and '.join(names)} did not get {wanted} partitions in time: run the command again")


def _name(writing: Writing, lineage: Lineage, wanted: int) -> None:
    for number in range(wanted):
        writing.put(topics.STATE, number, restore.LINEAGE, lineage.encode())
    writing.confirm()


def _move(writing: Writing, parts: dict[int, Restored], wanted: int) -> int:
    """Write each deal where it is now, and when all are there take them from where they were."""
    moving = [
        (number, key, place, value)
        for number, part in parts.items()
        for key, value in _deals(part).items()
        if (place := partition_of_key(key, wanted)) != number
    ]
    for _, key, place, value in moving:
        writing.put(topics.STATE, place, key, _of_no_offset(value))
    writing.confirm()
    for number, key, _, _ in moving:
        writing.put(topics.STATE, number, key, None)
    writing.confirm()
    return len(moving)


def _of_no_offset(value: bytes) -> bytes:
    """A state that no record of its new partition has touched yet."""
    version, epoch, generation, _, wake_at = PREFIX.unpack_from(value)
    return PREFIX.pack(version, epoch, generation, -1, wake_at) + value[PREFIX.size :]
