"""How far a channel was read: kept in Kafka, as metadata of a commit to the raw topic, when its events are safe."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kafka import KafkaConsumer, TopicPartition
from kafka.structs import OffsetAndMetadata

from wellwon.runtime import topics
from wellwon.runtime.connection import kafka_python

if TYPE_CHECKING:
    from wellwon.runtime.settings import Settings

GROUP: Final = "wellwon-receive-"
WAIT_MS: Final = 10_000
"""Kafka's client waits for a coordinator without an end unless it is told one."""


@dataclass(frozen=True, slots=True)
class Position:
    """Everything up to this replay id is in Kafka."""

    channel: str
    replay_id: bytes
    at: int
    """When that was so, epoch milliseconds."""

    def encode(self) -> str:
        """As it is kept."""
        return f"{self.replay_id.hex()} {self.at} {self.channel}"

    @classmethod
    def decode(cls, text: str) -> Position | None:
        """Out of what was kept; None for what is none."""
        replay_id, _, rest = text.partition(" ")
        at, _, channel = rest.partition(" ")
        try:
            return cls(channel, bytes.fromhex(replay_id), int(at)) if channel and replay_id else None
        except ValueError:
            return None


class Positions:
    """Keeps the position of one source. Its calls block, for `WAIT_MS` at most, and may come from several threads."""

    def __init__(self, settings: Settings, source: str) -> None:
        """Raises `NoTopic`."""
        self._one_at_a_time = threading.Lock()
        self._part = TopicPartition(settings.topic(topics.RAW + source), 0)
        self._consumer = KafkaConsumer(
            **kafka_python(settings),
            group_id=GROUP + source,
            enable_auto_commit=False,
            auto_offset_reset="latest",
            allow_auto_create_topics=False,
        )
        if not self._consumer.partitions_for_topic(self._part.topic):
            self._consumer.close()
            raise topics.NoTopic(f"there is no topic {self._part.topic}: make it, with one partition")
        self._consumer.assign([self._part])

    def load(self) -> Position | None:
        """What was kept last; None at the first start. Raises KafkaError."""
        with self._one_at_a_time:
            found = self._consumer.committed(self._part, metadata=True, timeout_ms=WAIT_MS)
        return Position.decode(found.metadata) if found is not None and found.metadata else None

    def save(self, position: Position) -> None:
        """Keep a position. Raises KafkaError."""
        with self._one_at_a_time:
            end = self._consumer.end_offsets([self._part], timeout_ms=WAIT_MS)[self._part]
            self._consumer.commit({self._part: OffsetAndMetadata(end, position.encode(), -1)}, timeout_ms=WAIT_MS)

    def close(self) -> None:
        """Let go of Kafka."""
        with self._one_at_a_time:
            self._consumer.close(autocommit=False)
