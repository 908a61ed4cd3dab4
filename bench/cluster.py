"""The broker that every measurement runs on, the log that it holds, and what can be seen of a worker from outside."""

from __future__ import annotations

import itertools
import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from confluent_kafka import Consumer, ConsumerGroupState, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "streams"), str(ROOT / "tests")]

from kafka_broker import free_port, running  # noqa: E402
from wellwon.core.wire import encode_clock  # noqa: E402
from wellwon.history.clock import Tick, with_clock  # noqa: E402
from wellwon.runtime import topics  # noqa: E402
from wellwon.runtime.settings import Settings  # noqa: E402
from wellwon.simulate.organisation import calendar, policy_text  # noqa: E402
from wellwon.simulate.stream import Simulation  # noqa: E402

CACHE = ROOT / ".cache" / "bench"
PARTITIONS = 4
CHANGES_PER_DEAL = 5
SEED = 1
BROKER_CORE, WORKER_CORE = (0, 1) if (os.cpu_count() or 1) > 1 else (None, None)

Record = tuple[bytes | None, bytes]


@dataclass(frozen=True, slots=True)
class Log:
    """The change topic as it was filled."""

    settings: Settings
    changes: int
    deals: int
    clocks: int
    value_bytes: int
    """Mean size of a change's value."""
    ends: dict[int, int]
    """The offset at which a worker has finished, by partition."""

    @property
    def topic(self) -> str:
        """The change topic's name."""
        return self.settings.topic(topics.CHANGES)


@contextmanager
def cluster(name: str) -> Iterator[Settings]:
    """A broker on a core of its own, and settings for workers on it."""
    folder = CACHE / "broker" / f"{name}-{os.getpid()}"
    with running(folder, cpu=BROKER_CORE) as broker:
        policy = CACHE / "policy.yaml"
        policy.write_text(policy_text())
        yield Settings(kafka=broker.bootstrap, policy=policy, clock="log", http=f"127.0.0.1:{free_port()}")
    _remove(folder)


def _remove(folder: Path) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()


def simulated(deals: int) -> Iterator[Record]:
    """A simulated quarter in the order of its delivery, with the clock records that a live log would hold."""
    simulation = Simulation(SEED, deals, changes_per_deal=float(CHANGES_PER_DEAL))
    for item in with_clock(simulation, calendar()):
        yield (None, encode_clock(item.at)) if isinstance(item, Tick) else (item.key, item.value)


def fill(settings: Settings, changes: int, *, clock: bool = True) -> Log:
    """Create the topics, and write a simulated quarter of this many changes into the log, with its clock or without."""
    topics.create(settings)
    deals, clocks, size = changes // CHANGES_PER_DEAL, 0, 0
    producer = _Producer(settings, topics.CHANGES)
    for key, value in simulated(deals):
        if key is None and not clock:
            continue
        if key is None:
            clocks += 1
            for number in range(settings.partitions):
                producer.send(key, value, number)
        else:
            size += len(value)
            producer.send(key, value)
    producer.flush()
    return Log(settings, changes, deals, clocks, size // changes, log_ends(settings))


def write(settings: Settings, topic: str, records: Iterable[Record]) -> None:
    """Write records to a topic, each where its key belongs."""
    producer = _Producer(settings, topic)
    for key, value in records:
        producer.send(key, value)
    producer.flush()


class _Producer:
    def __init__(self, settings: Settings, topic: str) -> None:
        self._topic = settings.topic(topic)
        self._producer = Producer(
            {"bootstrap.servers": settings.kafka, "partitioner": "murmur2_random", "linger.ms": 20}
            | {"batch.num.messages": 10_000, "queue.buffering.max.messages": 200_000, "acks": "all"}
        )

    def send(self, key: bytes | None, value: bytes, partition: int = -1) -> None:
        while True:
            try:
                self._producer.produce(self._topic, value, key, partition)
                return
            except BufferError:
                self._producer.poll(0.05)

    def flush(self) -> None:
        if self._producer.flush(60):
            raise RuntimeError(f"Kafka did not take all records of {self._topic}")


def forget_results(settings: Settings) -> None:
    """Make every topic anew that a worker writes: the next one finds the log and nothing else."""
    kept = settings.topic(topics.CHANGES)
    admin = AdminClient({"bootstrap.servers": settings.kafka})
    names = [name for name in admin.list_topics(timeout=10).topics if name.startswith(settings.topic_prefix)]
    for future in admin.delete_topics([name for name in names if name != kept]).values():
        future.result()
    for attempt in itertools.count():
        try:
            topics.create(settings)
            return
        except Exception:
            if attempt == 20:
                raise
            time.sleep(0.2)


def log_ends(settings: Settings, topic: str = topics.CHANGES) -> dict[int, int]:
    """The next offset of each partition of a topic."""
    name = settings.topic(topic)
    consumer = Consumer({"bootstrap.servers": settings.kafka, "group.id": "bench"})
    try:
        numbers = sorted(consumer.list_topics(name, timeout=10).topics[name].partitions)
        return {n: consumer.get_watermark_offsets(TopicPartition(name, n), timeout=10)[1] for n in numbers}
    finally:
        consumer.close()


class Group:
    """A consumer group, watched from outside."""

    def __init__(self, settings: Settings, group: str) -> None:
        self._group = group
        self._admin = AdminClient({"bootstrap.servers": settings.kafka})
        self._consumer = Consumer({"bootstrap.servers": settings.kafka, "group.id": group})
        topic = settings.topic(topics.CHANGES)
        self._parts = [TopicPartition(topic, number) for number in range(settings.partitions)]

    def has_members(self) -> bool:
        """Whether its members have their partitions."""
        try:
            found = self._admin.describe_consumer_groups([self._group])[self._group].result(timeout=10)
        except KafkaException:
            return False
        return found.state == ConsumerGroupState.STABLE and bool(found.members)

    def committed(self) -> dict[int, int]:
        """Its committed offsets by partition; 0 where it has committed none."""
        return {part.partition: max(0, part.offset) for part in self._consumer.committed(self._parts, timeout=10)}

    def close(self) -> None:
        """Let go of the connections."""
        self._consumer.close()


def cpu_seconds(pid: int) -> float:
    """CPU time of a process, all threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mb(pid: int) -> float:
    """The most memory that a process ever held, MB."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def environment(settings: Settings, streams: Path = ROOT / "streams") -> dict[str, str]:
    """The variables of a worker process with these settings, and with wellwon from this folder."""
    from live import environment as variables

    return variables(settings) | {"PYTHONPATH": str(streams)}


def pinned(command: list[str]) -> list[str]:
    """The command on the worker's core."""
    return command if WORKER_CORE is None else ["taskset", "-c", str(WORKER_CORE), *command]


def named(settings: Settings, name: str) -> Settings:
    """Settings of one worker: a group, a folder and a port of its own."""
    folder = CACHE / "data" / f"{name}-{time.time_ns()}"
    return replace(settings, group=name, data=folder, http=f"127.0.0.1:{free_port()}", instance=name)
