"""What a command needs that changes what is kept while nobody works: that nobody does, what is there, and to write.

Topics are named without prefix, as in `topics`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from wellwon.runtime import topics
from wellwon.runtime.connection import librdkafka
from wellwon.runtime.outlet import PARTITIONER
from wellwon.runtime.restore import Refused
from wellwon.runtime.settings import Settings

ANSWER_S: Final = 30.0
QUIET: Final = {"log_level": 4}
"""Connections tell of partitions that were added, and that they are let go of: no news to who runs the command."""


def must_be_at_rest(settings: Settings, groups: Mapping[str, str]) -> None:
    """Raise Refused while a worker runs. ``groups``: the command that starts such a worker, by consumer group."""
    client = AdminClient(librdkafka(settings) | QUIET)  # it must outlive the answers
    described: dict[str, Future[Any]] = client.describe_consumer_groups(list(groups), request_timeout=ANSWER_S)
    running = []
    for group, answer in described.items():
        try:
            members = len(answer.result(ANSWER_S).members)
        except KafkaException as error:
            if error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
                continue  # such a worker has never run
            raise
        if members:
            running.append(f"{members} of `wellwon {groups[group]}` (group {group})")
    if running:
        raise Refused(
            f"workers run: {', '.join(running)}. Stop them first (one that was killed is gone when its session is"
            " over), and run this again; what comes meanwhile waits in Kafka"
        )


def delete_before(settings: Settings, name: str, offsets: Mapping[int, int]) -> None:
    """Delete the records of a topic before an offset of each partition. Raises KafkaException."""
    client = AdminClient(librdkafka(settings) | QUIET)
    places = [TopicPartition(settings.topic(name), number, offset) for number, offset in offsets.items()]
    answers: dict[TopicPartition, Future[Any]] = client.delete_records(places, request_timeout=ANSWER_S)
    for answer in answers.values():
        answer.result(ANSWER_S)


class Group:
    """How far a consumer group has come. It may be moved while it has no members. Leave it as a context."""

    def __init__(self, settings: Settings, group: str) -> None:
        self._settings = settings
        self._consumer = Consumer(librdkafka(settings) | QUIET | {"group.id": group, "enable.auto.commit": False})

    def __enter__(self) -> Group:
        return self

    def __exit__(self, *_error: object) -> None:
        self._consumer.close()

    def committed(self, name: str) -> dict[int, int]:
        """The next offset to be read of each partition of a topic; without those of which nothing was committed."""
        places = [
            TopicPartition(self._settings.topic(name), number)
            for number in _numbers(self._consumer, self._settings.topic(name))
        ]
        found = self._consumer.committed(places, timeout=ANSWER_S)
        return {place.partition: place.offset for place in found if place.offset >= 0}

    def move(self, name: str, offsets: Mapping[int, int]) -> None:
        """Let the group go on from other offsets. Raises KafkaException."""
        places = [TopicPartition(self._settings.topic(name), number, offset) for number, offset in offsets.items()]
        if places:
            self._consumer.commit(offsets=places, asynchronous=False)


class Reading:
    """Reads what topics hold. Leave it as a context."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer = Consumer(
            librdkafka(settings)
            | QUIET
            | {
                "group.id": f"{settings.group}-at-rest",  # librdkafka wants one; it is never joined
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 100,
                "fetch.error.backoff.ms": 100,
            }
        )

    def __enter__(self) -> Reading:
        return self

    def __exit__(self, *_error: object) -> None:
        self._consumer.close()

    def bounds(self, name: str) -> dict[int, tuple[int, int]]:
        """The first and the next offset of each partition. Raises KafkaException, for a topic that is not there too."""
        topic = self._settings.topic(name)
        return {
            number: self._consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=ANSWER_S)
            for number in _numbers(self._consumer, topic)
        }

    def sources(self) -> list[str]:
        """The sources that have a topic of their own events."""
        prefix = self._settings.topic(topics.RAW)
        found = self._consumer.list_topics(timeout=ANSWER_S).topics
        return sorted(name.removeprefix(prefix) for name in found if name.startswith(prefix))

    def records(self, name: str, number: int, begin: int, end: int) -> Iterator[Message]:
        """The records of one partition from ``begin`` up to ``end``, which is left out. Raises Refused."""
        topic, position = self._settings.topic(name), begin
        if begin >= end:
            return
        self._consumer.assign([TopicPartition(topic, number, begin)])
        deadline = time.monotonic() + ANSWER_S
        while position < end:
            for message in self._consumer.consume(5_000, timeout=0.2):
                error = message.error()
                if error is None:
                    deadline = time.monotonic() + ANSWER_S
                    position = (message.offset() or 0) + 1
                    if position <= end:
                        yield message
                elif error.code() == KafkaError._PARTITION_EOF:
                    position = max(position, message.offset() or 0)  # compaction may have left nothing before it
            if time.monotonic() > deadline:
                raise Refused(f"{topic}-{number} stopped at offset {position} of {end}: is the broker well?")


def _numbers(consumer: Consumer, topic: str) -> list[int]:
    found = consumer.list_topics(topic, timeout=ANSWER_S).topics[topic]
    if found.error is not None:
        raise KafkaException(found.error)
    return sorted(found.partitions)


class Writing:
    """Writes records, and knows whether Kafka took them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._failed: KafkaError | None = None
        self._producer = Producer(
            librdkafka(settings)
            | {
                "enable.idempotence": True,
                "partitioner": PARTITIONER,
                "message.max.bytes": topics.DEAD_LETTER_BYTES,
            }
        )

    def put(
        self, name: str, number: int, key: bytes | None, value: bytes | None, *,
        at: int | None = None, headers: list[tuple[str, bytes]] | None = None,
    ) -> None:  # fmt: skip
        """Send a record into a partition. ``at``: its time, epoch milliseconds; else now."""
        about: dict[str, Any] = {} if at is None else {"timestamp": at}
        while True:
            try:
                self._producer.produce(
                    self._settings.topic(name), value, key, number, on_delivery=self._done, headers=headers, **about
                )
                return
            except BufferError:
                self._producer.poll(0.1)

    def _done(self, error: KafkaError | None, _message: Message) -> None:
        self._failed = self._failed or error

    def confirm(self) -> None:
        """Wait until Kafka has everything. Raises Refused where it has not: the command can be run again."""
        left = self._producer.flush(ANSWER_S)
        if left or self._failed is not None:
            raise Refused(f"Kafka did not take everything ({self._failed or 'no answer'}): run the command again")
