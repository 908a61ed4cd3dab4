"""Workers as processes, and what they left in Kafka: for the tests that need the real thing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from kafka_broker import free_port
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings

REAL = (sys.executable, "-m", "wellwon.runtime.worker")
"""The worker as it is shipped."""

Record = tuple[bytes | None, bytes | None]


def settings_for(bootstrap: str, folder: Path, name: str, **changes: object) -> Settings:
    """Settings with topics and a group of their own, so that tests do not meet on one broker."""
    base = Settings(
        kafka=bootstrap,
        topic_prefix=f"{name}.",
        group=name,
        data=folder / "data",
        http=f"127.0.0.1:{free_port()}",
        session_seconds=3.0,
        commit_seconds=0.3,
        clock_seconds=0.5,
        checkpoint_seconds=2.0,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def environment(settings: Settings) -> dict[str, str]:
    """The variables that give a process these settings."""
    variables = dict(os.environ)
    for name in Settings.__dataclass_fields__:
        value = getattr(settings, name)
        if isinstance(value, tuple):
            value = ",".join(value)
        if value not in (None, ""):
            text = {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
            variables[f"WELLWON_{name.upper()}"] = text
    return variables


def until(condition: Callable[[], bool], what: str, timeout: float = 60.0) -> None:
    """Wait for a condition; fails the test with `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:.0f} s for {what}")
        time.sleep(0.05)


@dataclass
class Worker:
    """A worker process. Its log lines go to `log`."""

    settings: Settings
    command: tuple[str, ...] = REAL
    process: subprocess.Popen[bytes] | None = None
    variables: dict[str, str] = field(default_factory=dict)
    """What its environment has beside the settings; empty: has not."""

    @property
    def log(self) -> Path:
        """Where its standard error goes."""
        return self.settings.data.parent / f"{self.settings.instance}.log"

    def start(self) -> Worker:
        """Start it, and return at once."""
        with self.log.open("ab") as out:
            given = environment(self.settings) | self.variables
            given = {name: value for name, value in given.items() if value or name not in self.variables}
            self.process = subprocess.Popen(self.command, env=given, stdout=out, stderr=out)
        return self

    def ready(self) -> bool:
        """Whether it holds partitions and processes. Fails when it has ended."""
        if self.exit_code is not None:
            raise AssertionError(f"the worker ended with {self.exit_code}:\n{self.tail()}")
        try:
            with urllib.request.urlopen(f"http://{self.settings.http}/ready", timeout=1) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False

    def wait_ready(self, timeout: float = 60.0) -> Worker:
        """Wait until it processes."""
        until(self.ready, f"{self.settings.instance} to be ready", timeout)
        return self

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        assert self.process is not None
        return self.process.poll()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        if self.exit_code is None:
            self.signal(signal.SIGTERM)
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        """SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=60)

    def metrics(self) -> dict[str, float]:
        """What /metrics says: sums over labels, by name."""
        with urllib.request.urlopen(f"http://{self.settings.http}/metrics", timeout=5) as reply:
            lines = reply.read().decode().splitlines()
        sums: dict[str, float] = {}
        for line in lines:
            if line.startswith("wellwon_"):
                name, value = line.rsplit(" ", 1)
                name = name.partition("{")[0]
                sums[name] = sums.get(name, 0.0) + float(value)
        return sums

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-4000:]


def produce(settings: Settings, records: Iterable[Record], topic: str = topics.CHANGES) -> None:
    """Write records to a topic, and wait until Kafka has them."""
    producer = Producer(
        {"bootstrap.servers": settings.kafka, "partitioner": "murmur2_random", "message.max.bytes": 8 * 2**20}
    )
    errors: list[object] = []

    def done(error: object, _message: Message) -> None:
        if error is not None:
            errors.append(error)

    for number, (key, value) in enumerate(records):
        producer.produce(settings.topic(topic), key=key, value=value, on_delivery=done)
        if number % 1000 == 0:
            producer.poll(0)
    producer.flush(30)
    assert not errors, errors[0]


def read(settings: Settings, topic: str) -> list[Message]:
    """Everything that a topic holds now, partition by partition, in order."""
    name = settings.topic(topic)
    consumer = Consumer(
        {"bootstrap.servers": settings.kafka, "group.id": "tests", "enable.auto.commit": False}
        | {"fetch.wait.max.ms": 50, "auto.offset.reset": "earliest"}
    )
    found: list[Message] = []
    try:
        for partition in sorted(consumer.list_topics(name, timeout=10).topics[name].partitions):
            start, end = consumer.get_watermark_offsets(TopicPartition(name, partition), timeout=10)
            consumer.assign([TopicPartition(name, partition, start)])
            position = start
            while position < end:
                for message in consumer.consume(5_000, timeout=0.5):
                    if message.error() is None:
                        found.append(message)
                position = max(position, consumer.position([TopicPartition(name, partition)])[0].offset)
    finally:
        consumer.close()
    return found


def committed(settings: Settings) -> dict[int, int]:
    """The group's committed offsets in the change topic, by partition; -1001 where there is none."""
    name = settings.topic(topics.CHANGES)
    consumer = Consumer({"bootstrap.servers": settings.kafka, "group.id": settings.group})
    try:
        parts = [TopicPartition(name, number) for number in range(settings.partitions)]
        return {part.partition: part.offset for part in consumer.committed(parts, timeout=10)}
    finally:
        consumer.close()


def log_ends(settings: Settings) -> dict[int, int]:
    """The next offset of each partition of the change topic."""
    name = settings.topic(topics.CHANGES)
    consumer = Consumer({"bootstrap.servers": settings.kafka, "group.id": "tests"})
    try:
        return {
            number: consumer.get_watermark_offsets(TopicPartition(name, number), timeout=10)[1]
            for number in range(settings.partitions)
        }
    finally:
        consumer.close()


def wait_for_the_end(settings: Settings) -> None:
    """Wait until everything in the log now is durable."""
    ends = log_ends(settings)
    until(lambda: all(offset >= ends[p] or not ends[p] for p, offset in committed(settings).items()), "the log's end")
