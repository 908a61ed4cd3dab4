"""The facts of the last days, read at once: the latest of each deal."""

from __future__ import annotations

from kafka import KafkaConsumer, TopicPartition

from wellwon.core.facts import Batch, Fact, read
from wellwon.runtime import topics
from wellwon.runtime.connection import kafka_python
from wellwon.runtime.settings import Settings


def latest_facts(settings: Settings) -> list[Fact]:
    """Return the latest fact of each deal that the topic still has. Blocks; run it in a thread. Raises KafkaError."""
    consumer = KafkaConsumer(**kafka_python(settings), enable_auto_commit=False, auto_offset_reset="earliest")
    latest: dict[str, Fact] = {}
    try:
        part = TopicPartition(settings.topic(topics.FACTS), 0)
        consumer.assign([part])
        end = consumer.end_offsets([part])[part]
        consumer.seek_to_beginning(part)
        while consumer.position(part) < end:
            for records in consumer.poll(timeout_ms=500).values():
                for record in records:
                    try:
                        item = read(record.value)
                    except (TypeError, ValueError):
                        continue  # the rollup's to refuse
                    for fact in item.facts if isinstance(item, Batch) else ():
                        known = latest.get(fact.deal)
                        if known is None or fact.revision >= known.revision:
                            latest[fact.deal] = fact
    finally:
        consumer.close()
    return list(latest.values())
