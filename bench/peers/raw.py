"""The limit: librdkafka's consumer and orjson, and nothing done with what was read. Not durable."""

from __future__ import annotations

import sys

import orjson
from confluent_kafka import Consumer


def main(kafka: str, topic: str, group: str) -> None:
    """Read until killed."""
    consumer = Consumer(
        {"bootstrap.servers": kafka, "group.id": group, "auto.offset.reset": "earliest"}
        | {"auto.commit.interval.ms": 1000, "queued.max.messages.kbytes": 65_536}
    )
    consumer.subscribe([topic])
    loads = orjson.loads
    while True:
        for message in consumer.consume(1_000, timeout=0.2):
            if message.error() is None:
                loads(message.value())


main(*sys.argv[1:])
