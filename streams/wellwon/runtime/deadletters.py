"""Dead letters: what could not be processed, kept as it came, with the place and the reason; and the way back."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from wellwon.core import output
from wellwon.core.units import format_instant
from wellwon.runtime import topics
from wellwon.runtime.connection import kafka_python

if TYPE_CHECKING:
    from wellwon.runtime.settings import Settings

MAX_ORIGINAL_BYTES = (topics.DEAD_LETTER_BYTES - 65_536) * 3 // 4
"""A longer original than this cannot be copied; its place in the log says where it is."""

SINK = "sink:"
"""What stands before a sink's name where it would not take a message: there is nowhere to send that again."""

FILE = "file:"
"""What stands before a file's name where ingest refused a row of it: mend the file and send it again."""


def encode(refusal: output.DeadLetter, topic: str, number: int, at: int) -> bytes:
    """Return the ``dead-letter.v1`` record of a refused one; `at` in milliseconds."""
    value = refusal.value
    return orjson.dumps(
        {
            "at": format_instant(at),
            "topic": topic,
            "partition": number,
            "offset": refusal.offset,
            "reason": refusal.reason,
            "detail": refusal.detail[:2000],
            "rule": refusal.rule,
            "key": None if refusal.key is None else base64.b64encode(refusal.key[:4096]).decode(),
            "size": None if value is None else len(value),
            "value": None if value is None or len(value) > MAX_ORIGINAL_BYTES else base64.b64encode(value).decode(),
        }
    )


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A dead letter as it is kept; `position` is its own offset in the topic of dead letters."""

    position: int
    at: str
    topic: str
    partition: int
    offset: int
    reason: str
    detail: str
    rule: str | None
    key: bytes | None
    value: bytes | None
    size: int | None

    @classmethod
    def decode(cls, position: int, data: bytes) -> DeadLetter:
        """Read a ``dead-letter.v1`` record."""
        fields: dict[str, Any] = orjson.loads(data)
        for name in ("key", "value"):
            fields[name] = None if fields[name] is None else base64.b64decode(fields[name])
        return cls(position=position, **fields)


def read(settings: Settings, *, reason: str | None = None, rule: str | None = None) -> Iterator[DeadLetter]:
    """Yield the dead letters kept now, oldest first, of one reason or rule if asked for."""
    name = settings.topic(topics.DEAD_LETTERS)
    consumer = KafkaConsumer(**kafka_python(settings), enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        parts = [TopicPartition(name, number) for number in consumer.partitions_for_topic(name) or ()]
        consumer.assign(parts)
        ends = {part: end for part, end in consumer.end_offsets(parts).items() if end}
        consumer.seek_to_beginning(*parts)
        while any(consumer.position(part) < end for part, end in ends.items()):
            for records in consumer.poll(timeout_ms=500).values():
                for record in records:
                    letter = DeadLetter.decode(record.offset, record.value)
                    if reason in (None, letter.reason) and rule in (None, letter.rule):
                        yield letter
    finally:
        consumer.close()


def redrive(settings: Settings, letters: Iterator[DeadLetter]) -> tuple[int, int]:
    """Send the originals to the topics they came from; return how many were sent and how many have no way back.

    They are appended to the log, so they are judged as late as they then are. A letter of a rule that raised has an
    original too, and the log holds it already: its deal recognises the source id and skips it.
    """
    producer = KafkaProducer(**kafka_python(settings), acks="all", max_request_size=topics.DEAD_LETTER_BYTES)
    sent, without = [], 0
    try:
        for letter in letters:
            if letter.value is None or letter.topic.startswith((FILE, SINK)):
                without += 1
            else:
                sent.append(producer.send(letter.topic, key=letter.key, value=letter.value))
        for future in sent:
            future.get(timeout=30)
    finally:
        producer.close()
    return len(sent), without
