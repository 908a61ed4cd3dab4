"""A broker inside this process, for the demo: nothing to install, nothing kept.

librdkafka's mock cluster serves produce, fetch, groups and commits. It cannot create topics on request (it makes each
with four partitions when first used), and it keeps no more than about 5 MB per partition: enough for a demo only.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from wellwon.runtime import topics
from wellwon.runtime.settings import Settings

PARTITIONS = 4
FETCH_WAIT_MS = 20
"""The mock cluster does not answer a fetch when records come, but when its time is over."""
PROTOCOL = "2.0"
"""The one protocol version with which kafka-python and the mock cluster understand each other."""


class EmbeddedBroker:
    """A mock cluster of one broker. Lives as long as the object, or the ``with`` block."""

    def __init__(self) -> None:
        self._owner = Producer({"bootstrap.servers": "embedded.invalid:9", "test.mock.num.brokers": 1, "log_level": 2})
        metadata = self._owner.list_topics(timeout=10)
        broker = next(iter(metadata.brokers.values()))
        self.bootstrap = f"{broker.host}:{broker.port}"
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def settings(self, **changes: Any) -> Settings:
        """Return settings for a worker on this broker."""
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="wellwon-demo-")
        base = Settings(
            kafka=self.bootstrap,
            partitions=PARTITIONS,
            data=Path(self._folder.name),
            http="127.0.0.1:0",
            declare_topics=False,
            kafka_version=PROTOCOL,
        )
        return replace(base, **changes)

    def declare(self, settings: Settings) -> None:
        """Make the topics by asking for them."""
        for topic in topics.TOPICS:
            name = settings.topic(topic.name)
            while not self._owner.list_topics(name, timeout=10).topics[name].partitions:
                pass

    def close(self) -> None:
        """End the broker."""
        self._owner.flush(1)
        del self._owner
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> EmbeddedBroker:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
