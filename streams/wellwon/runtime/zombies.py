"""Records in a partition's changelog that its owner did not write.

A worker that was stopped (SIGSTOP, a frozen machine) for longer than its session may still send what it had queued when
it goes on, after its successor has written newer states. The successor's records carry offsets without gaps, so a gap
shows it at once, at no cost (`outlet.Changelog`). The owner then reads just the gap, and writes what it knows of those
deals again, so that the last record of each key is right before compaction drops the others.

Each side sees the other's records as a gap. Their generation tells which of the two should have been gone.
"""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from wellwon.core.state import read_prefix
from wellwon.runtime.connection import librdkafka
from wellwon.runtime.outlet import GENERATION
from wellwon.runtime.restore import LINEAGE
from wellwon.runtime.settings import Settings


def generation_of(message: Message) -> int:
    """Return the generation in which a record of the state topic was written."""
    value = message.value()
    if value is not None and message.key() != LINEAGE:
        return read_prefix(value).generation
    return next((int(number) for name, number in message.headers() or () if name == GENERATION), -1)


class Superseded(Exception):
    """Somebody else owns the partition by now: this worker is the one that should have been gone."""


def overwritten(
    settings: Settings, topic: str, partition: int, ranges: Iterable[tuple[int, int]], generation: int
) -> set[bytes]:
    """Return the keys of the records in these ranges of offsets (end excluded). Blocks; run it in a thread.

    Raises Superseded when one of them is of a later generation than `generation`.
    """
    consumer = Consumer(
        librdkafka(settings)
        | {"group.id": f"{settings.group}-restore", "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        | {"enable.partition.eof": True}
    )
    keys: set[bytes] = set()
    try:
        for start, end in ranges:
            consumer.assign([TopicPartition(topic, partition, start)])
            position = start
            while position < end:
                for message in consumer.consume(1_000, timeout=1.0):
                    error, offset = message.error(), message.offset() or 0
                    if error is not None:
                        if error.code() == KafkaError._PARTITION_EOF:
                            position = max(position, offset)
                        continue
                    position = offset + 1
                    if offset < end and (key := message.key()):
                        keys.add(key)
                        if generation_of(message) > generation:
                            raise Superseded(f"{topic}-{partition} belongs to another worker by now")
    finally:
        consumer.close()
    keys.discard(LINEAGE)
    return keys
