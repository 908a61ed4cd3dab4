"""Records in a partition's changelog that its owner did not write.

A worker that was stopped (SIGSTOP, a frozen machine) for longer than its session may still send what it had queued when
it goes on, after its successor has written newer states. The successor's records carry offsets without gaps, so a gap
shows it at once, at no cost (`outlet.Changelog`). The owner then reads just the gap, and writes what it knows of those
deals again, so that the last record of each key is right before compaction drops the others.
"""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import Consumer, TopicPartition

from wellwon.runtime.connection import librdkafka
from wellwon.runtime.restore import LINEAGE
from wellwon.runtime.settings import Settings


def overwritten(settings: Settings, topic: str, partition: int, ranges: Iterable[tuple[int, int]]) -> set[bytes]:
    """Return the keys of the records in these ranges of offsets (end excluded). Blocks; run it in a thread."""
    consumer = Consumer(
        librdkafka(settings)
        | {"group.id": f"{settings.group}-restore", "enable.auto.commit": False, "auto.offset.reset": "error"}
    )
    keys: set[bytes] = set()
    try:
        for start, end in ranges:
            consumer.assign([TopicPartition(topic, partition, start)])
            position = start
            while position < end:
                for message in consumer.consume(1_000, timeout=1.0):
                    if message.error() is None and (offset := message.offset()) is not None:
                        position = offset + 1
                        if offset < end and (key := message.key()):
                            keys.add(key)
                position = max(position, consumer.position([TopicPartition(topic, partition)])[0].offset)
    finally:
        consumer.close()
    keys.discard(LINEAGE)
    return keys
