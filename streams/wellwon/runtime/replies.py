"""Into Kafka with what people said: a reply for deliver, and an answer as a change of the deal."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import msgspec
from confluent_kafka import KafkaException, Producer

from wellwon.deliver.items import ANSWERED, Reply
from wellwon.runtime import topics
from wellwon.runtime.connection import librdkafka
from wellwon.runtime.outlet import PARTITIONER
from wellwon.runtime.settings import Settings

log = logging.getLogger(__name__)

SOURCE = "wellwon"


def answer_change(reply: Reply) -> bytes:
    """The ``opportunity-change.v1`` of an answer. Its id is the reply's, so that a repeat is recognised."""
    return msgspec.json.encode(
        {
            "id": f"reply:{reply.id}",
            "opportunity_id": reply.opportunity_id,
            "source": SOURCE,
            "occurred_at": reply.at,
            "kind": "answer",
            "answer": reply.answer,
            "by": reply.by,
            "note": reply.note,
            "rule": reply.fingerprint.partition(":")[0],
            "writer": {"id": reply.by, "kind": "user"},
        }
    )


class Replies:
    """A producer of replies. `send` returns when Kafka has them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._producer = Producer(
            librdkafka(settings)
            | {
                "enable.idempotence": True,
                "acks": "all",
                "partitioner": PARTITIONER,
                "linger.ms": 0,
                "message.timeout.ms": 2_500,
                "request.timeout.ms": 2_000,
                "logger": log,
            }
        )

    async def send(self, reply: Reply) -> None:
        """Write a reply, and the answer in it. Raises KafkaException when Kafka does not take them in time."""
        key = (reply.opportunity_id or reply.fingerprint).encode()
        records = [(topics.REPLIES, msgspec.json.encode(reply))]
        if reply.kind == ANSWERED and reply.opportunity_id:
            records.insert(0, (topics.CHANGES, answer_change(reply)))
        await asyncio.to_thread(self._write, key, records)

    def _write(self, key: bytes, records: list[tuple[str, bytes]]) -> None:
        errors: list[Any] = []
        left = len(records)

        def done(error: Any, _message: Any) -> None:
            nonlocal left
            left -= 1
            if error is not None:
                errors.append(error)

        for topic, value in records:
            self._producer.produce(self._settings.topic(topic), value=value, key=key, on_delivery=done)
        while left:
            self._producer.poll(0.1)
        if errors:
            raise KafkaException(errors[0])

    def close(self) -> None:
        """Send what is left."""
        self._producer.flush(3.0)
