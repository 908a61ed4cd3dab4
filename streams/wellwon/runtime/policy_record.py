"""The policy of the running system: which one is in force in each partition, and putting another one in force.

A policy takes effect by a record in every partition of the log. A partition has taken it up when its control record,
the last thing that is written, says so: every alert that came of it is in the alerts' topic by then.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import orjson
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from wellwon.core.outcome import POLICY
from wellwon.core.state import CONTROL_KEY, decode_control
from wellwon.core.stored import Control
from wellwon.core.wire import encode_policy
from wellwon.runtime import topics
from wellwon.runtime.connection import librdkafka
from wellwon.runtime.restore import Refused, inspect
from wellwon.runtime.settings import Settings

TAIL: Final = 1_000
"""A control record is written with every clock record: it is looked for among the last so many records first."""
ANSWER_S: Final = 10.0


@dataclass(slots=True)
class Applied:
    """How a policy was taken up. ``transitions``: the alerts that came of it, by (rule, transition)."""

    partitions: int
    waiting: set[int]
    """Partitions that had not taken it up when the time was over."""
    transitions: Counter[tuple[str, str]] = field(default_factory=Counter)


def in_force(settings: Settings) -> dict[int, str | None]:
    """The text of the policy in force by partition; None where no worker has run.

    Raises Refused where topics are missing, KafkaException, NewerState.
    """
    partitions = inspect(settings).partitions
    with _Reading(settings) as reading:
        found = {number: reading.last_control(settings.topic(topics.STATE), number) for number in range(partitions)}
    return {number: None if control is None else control.policy for number, control in found.items()}


def apply(settings: Settings, text: str, timeout: float) -> Applied:
    """Put a policy in force in every partition, and wait up to ``timeout`` seconds until all have taken it up.

    ``text`` must be the published form, and without mistakes. Raises as `in_force`.
    """
    partitions = range(inspect(settings).partitions)
    with _Reading(settings) as reading:
        states, alerts = settings.topic(topics.STATE), settings.topic(topics.ALERTS)
        since = [*reading.ends(states, partitions), *reading.ends(alerts)]
        _publish(settings, text, partitions)
        result = Applied(len(partitions), set(partitions))
        deadline = time.monotonic() + timeout
        for topic, partition, key, value in reading.onwards(since[: len(partitions)], deadline):
            assert topic == states
            if key == CONTROL_KEY and value is not None and _has(decode_control(value), text):
                result.waiting.discard(partition)
                if not result.waiting:
                    break
        for _, _, _, value in reading.upto(since[len(partitions) :]):
            alert = orjson.loads(value or b"{}")
            if alert.get("reason") == POLICY:
                result.transitions[alert["rule"], alert["transition"]] += 1
    return result


def _has(control: Control, text: str) -> bool:
    """Whether the partition has the policy, and every deal was asked anew."""
    return control.policy == text and not control.policy_spreads


def _publish(settings: Settings, text: str, partitions: Iterable[int]) -> None:
    failed: list[object] = []
    producer = Producer(librdkafka(settings) | {"enable.idempotence": True})
    record = encode_policy(text, time.time_ns() // 1_000_000)
    for number in partitions:
        producer.produce(
            settings.topic(topics.CHANGES),
            record,
            partition=number,
            on_delivery=lambda error, _: failed.append(error) if error is not None else None,
        )
    if producer.flush(ANSWER_S) or failed:
        said = failed[0] if failed else "no answer"
        raise Refused(f"Kafka did not take the policy in every partition ({said}): apply it again")


class _Reading:
    """Reads ends of topics. Leave it as a context."""

    def __init__(self, settings: Settings) -> None:
        self._consumer = Consumer(
            librdkafka(settings)
            | {
                "group.id": f"{settings.group}-policy",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 100,
                "fetch.error.backoff.ms": 100,
            }
        )

    def __enter__(self) -> _Reading:
        return self

    def __exit__(self, *_error: object) -> None:
        self._consumer.close()

    def ends(self, topic: str, partitions: Iterable[int] | None = None) -> list[TopicPartition]:
        """The place after the last record of each partition."""
        if partitions is None:
            partitions = self._consumer.list_topics(topic, timeout=ANSWER_S).topics[topic].partitions
        return [TopicPartition(topic, number, self._end(topic, number)) for number in partitions]

    def _end(self, topic: str, number: int) -> int:
        return int(self._consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=ANSWER_S)[1])

    def last_control(self, topic: str, number: int) -> Control | None:
        """The partition's last control record, looked for from the end."""
        start, end = self._consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=ANSWER_S)
        tail = TAIL
        while True:
            begin = max(start, end - tail)
            place, found = TopicPartition(topic, number, begin), None
            for _, _, key, value in self._between([place], {number: end}):
                if key == CONTROL_KEY and value is not None:
                    found = value
            if found is not None or begin == start:
                return None if found is None else decode_control(found)
            tail *= 8

    def upto(self, places: list[TopicPartition]) -> Iterator[tuple[str, int, bytes | None, bytes | None]]:
        """What was written from these places of one topic up to now."""
        ends = {place.partition: self._end(place.topic, place.partition) for place in places}
        yield from self._between(places, ends)

    def _between(
        self, places: list[TopicPartition], ends: dict[int, int]
    ) -> Iterator[tuple[str, int, bytes | None, bytes | None]]:
        open_ = {place.partition for place in places if place.offset < ends[place.partition]}
        if not open_:
            return
        self._consumer.assign([place for place in places if place.partition in open_])
        deadline = time.monotonic() + ANSWER_S
        while open_:
            for message in self._messages():
                deadline = time.monotonic() + ANSWER_S
                yield message
            if time.monotonic() > deadline:
                raise Refused(f"{places[0].topic} cannot be read to its end: is the broker well?")
            for place in self._consumer.position([TopicPartition(places[0].topic, number) for number in open_]):
                if place.offset >= ends[place.partition]:
                    open_.discard(place.partition)

    def onwards(
        self, places: list[TopicPartition], deadline: float
    ) -> Iterator[tuple[str, int, bytes | None, bytes | None]]:
        """What is written from these places on, until the deadline (of the monotonic clock)."""
        self._consumer.assign(places)
        while time.monotonic() < deadline:
            yield from self._messages()

    def _messages(self) -> Iterator[tuple[str, int, bytes | None, bytes | None]]:
        for message in self._consumer.consume(1_000, timeout=0.2):
            error = message.error()
            if error is not None:
                if not error.retriable():
                    raise KafkaException(error)
                continue
            yield message.topic() or "", message.partition() or 0, message.key(), message.value()
