"""Dead letters: what could not be processed, kept as it came, with the place and the reason; and the way back.

A letter is open until a later record of the same topic closes it: its original was sent again, or somebody says that
nothing more needs to be done. It is kept all the same, as long as the topic keeps records.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

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

CRM = "crm:"
"""What stands in place of a topic where a CRM's own answer could not be used: mend the record there."""

FILE = "file:"
"""What stands before a file's name where ingest refused a row of it: mend the file and send it again."""

REDRIVEN: Final = "redriven"
DISMISSED: Final = "dismissed"
CLOSED_AT_ONCE: Final = 10_000
"""So many letters are closed by one record, at most."""


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
class Closed:
    """Why a dead letter is open no more: REDRIVEN or DISMISSED, and when."""

    how: str
    at: str


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
    closed: Closed | None = None

    @classmethod
    def decode(cls, position: int, data: bytes, closed: Closed | None = None) -> DeadLetter:
        """Read a ``dead-letter.v1`` record that is a letter."""
        fields: dict[str, Any] = orjson.loads(data)
        for name in ("key", "value"):
            fields[name] = None if fields[name] is None else base64.b64decode(fields[name])
        return cls(position=position, closed=closed, **fields)


def encode_closed(how: str, numbers: Sequence[int], at: int) -> bytes:
    """Return the ``dead-letter.v1`` record that closes letters; `at` in milliseconds."""
    return orjson.dumps({"at": format_instant(at), "closed": how, "letters": numbers})


def decode_closed(data: bytes) -> dict[int, Closed]:
    """Return what a ``dead-letter.v1`` record closes, by number; nothing if it is a letter."""
    fields: dict[str, Any] = orjson.loads(data)
    return {number: Closed(fields["closed"], fields["at"]) for number in fields.get("letters", ())}


def renumbered(data: bytes, numbers: Mapping[int, int]) -> bytes | None:
    """Return a ``dead-letter.v1`` record that closes letters, by their new numbers; None if it closes none of them.

    A letter is returned as it is.
    """
    fields: dict[str, Any] = orjson.loads(data)
    if "letters" not in fields:
        return data
    letters = [numbers[number] for number in fields["letters"] if number in numbers]
    return orjson.dumps({**fields, "letters": letters}) if letters else None


def read(settings: Settings, *, reason: str | None = None, rule: str | None = None) -> Iterator[DeadLetter]:
    """Yield the dead letters kept now, oldest first, of one reason or rule if asked for.

    The topic is read twice, so that none has to be held: what closes a letter comes after it. Raises NoTopic.
    """
    name = settings.topic(topics.DEAD_LETTERS)
    consumer = KafkaConsumer(
        **kafka_python(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        allow_auto_create_topics=False,
    )
    try:
        parts = [TopicPartition(name, number) for number in consumer.partitions_for_topic(name) or ()]
        if not parts:
            raise topics.NoTopic(f"there is no topic {name}; `wellwon topics create` makes it")
        consumer.assign(parts)
        ends: dict[TopicPartition, int] = consumer.end_offsets(parts)
        closed: dict[int, Closed] = {}
        for _, value in _records(consumer, ends):
            closed |= decode_closed(value)
        for position, value in _records(consumer, ends):
            if decode_closed(value):
                continue
            letter = DeadLetter.decode(position, value, closed.get(position))
            if reason in (None, letter.reason) and rule in (None, letter.rule):
                yield letter
    finally:
        consumer.close()


def _records(consumer: KafkaConsumer, ends: Mapping[TopicPartition, int]) -> Iterator[tuple[int, bytes]]:
    """Offset and value of what the topic holds now."""
    consumer.seek_to_beginning(*ends)
    while any(consumer.position(part) < end for part, end in ends.items()):
        for part, records in consumer.poll(timeout_ms=500).items():
            for record in records:
                if record.offset < ends[part]:
                    yield record.offset, record.value


def _producer(settings: Settings) -> KafkaProducer:
    return KafkaProducer(**kafka_python(settings), acks="all", max_request_size=topics.DEAD_LETTER_BYTES)


def can_be_sent(letter: DeadLetter) -> bool:
    """Whether there is an original, and a topic to which it can go back."""
    return letter.value is not None and not letter.topic.startswith((FILE, SINK, CRM))


def redrive(settings: Settings, letters: Iterable[DeadLetter]) -> tuple[int, int]:
    """Send the originals to the topics they came from, and close what was sent.

    Return how many were sent and how many have no way back. They are appended to the log, so they are judged as late as
    they then are. A letter of a rule that raised has an original too, and the log holds it already: its deal recognises
    the source id and skips it. That is also why nothing is lost or done twice where this ends half-way: all are open
    then. Raises KafkaError.
    """
    producer = _producer(settings)
    sent, without = {}, 0
    try:
        for letter in letters:
            if can_be_sent(letter):
                # Without a key it was written for one partition, as clocks and policies are.
                place = letter.partition if letter.key is None else None
                sent[letter.position] = producer.send(letter.topic, key=letter.key, value=letter.value, partition=place)
            else:
                without += 1
        for future in sent.values():
            future.get(timeout=30)
        _close(producer, settings, REDRIVEN, list(sent))
    finally:
        producer.close()
    return len(sent), without


def dismiss(settings: Settings, numbers: Sequence[int]) -> None:
    """Close letters of which nothing is to be sent again. Raises KafkaError."""
    producer = _producer(settings)
    try:
        _close(producer, settings, DISMISSED, numbers)
    finally:
        producer.close()


def _close(producer: KafkaProducer, settings: Settings, how: str, numbers: Sequence[int]) -> None:
    now = time.time_ns() // 1_000_000
    for start in range(0, len(numbers), CLOSED_AT_ONCE):
        value = encode_closed(how, numbers[start : start + CLOSED_AT_ONCE], now)
        producer.send(settings.topic(topics.DEAD_LETTERS), value=value).get(timeout=30)
