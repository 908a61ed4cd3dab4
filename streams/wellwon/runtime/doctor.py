"""What may be wrong with an installation, looked at in the order in which things depend on each other.

Nothing is changed. The states are read as a worker reads them at its start, so the verdict is the worker's own.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Literal

from confluent_kafka import KafkaException
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    KafkaError,
    NotCoordinatorError,
)

from wellwon.core.state import NewerState
from wellwon.policy import PolicyError
from wellwon.runtime import handshake, policy_record, restore, topics
from wellwon.runtime.policy_file import read_policy
from wellwon.runtime.settings import Settings, SettingsError

NO_COORDINATOR: Final = (NotCoordinatorError, CoordinatorNotAvailableError, CoordinatorLoadInProgressError)
PYTHON: Final = (3, 11)
VERSIONS: Final[dict[str, tuple[str, str]]] = {
    "faust-streaming": ("0.15.3", "0.16"),
    "kafka-python": ("3.0", "4"),
    "click": ("8.0", "8.4"),
}
"""Package to the first version that serves, and the first that does not any more."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was looked at, how it is, and what to do about it where it is not well."""

    subject: str
    state: Literal["good", "note", "wrong"]
    said: str
    remedy: str = ""


def examine(environment: Mapping[str, str] | None = None, *, quick: bool = False) -> Iterator[Verdict]:
    """Look at everything; where something is wrong, what depends on it is left out.

    ``quick`` leaves out the states, which are read whole.
    """
    yield from _versions()
    try:
        settings = Settings.from_environment(environment)
    except SettingsError as error:
        yield from (
            Verdict("settings", "wrong", line, "set it; `wellwon check --list`") for line in str(error).split("\n")
        )
        return
    yield Verdict(
        "settings", "good", f"Kafka at {settings.kafka}, topics {settings.topic('*')}, group {settings.group}"
    )
    yield _policy(settings)
    reachable = list(_servers(settings))
    yield from reachable
    if all(verdict.state == "wrong" for verdict in reachable):
        return
    try:
        yield from _broker(settings)
        found = topics.describe(settings)
        yield from _topics(settings, found)
        if all(entry is not None for entry in found.values()):
            if not quick:
                yield _states(settings)
            yield from _group(settings, topics.DETECT, "worker")
            yield from _group(settings, topics.ROLLUP, "rollup")
            yield from _in_force(settings)
    except KafkaError as error:
        remedy = "see the broker's log; which rights a user needs is in docs/operations.md"
        yield Verdict("broker", "wrong", f"{type(error).__name__}: {error}", remedy)


def _versions() -> Iterator[Verdict]:
    running = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < PYTHON:
        yield Verdict("versions", "wrong", f"Python {running}", "Python 3.11 or newer is needed")
    installed = []
    for package, (first, last) in VERSIONS.items():
        try:
            has = version(package)
        except PackageNotFoundError:
            yield Verdict("versions", "wrong", f"{package} is not installed", "install wellwon anew: make setup")
            continue
        installed.append(f"{package} {has}")
        if not _numbers(first) <= _numbers(has) < _numbers(last):
            said = f"{package} {has} is installed, {first} up to (without) {last} is needed"
            yield Verdict("versions", "wrong", said, "install wellwon anew: make setup")
    yield Verdict("versions", "good", ", ".join((f"Python {running}", *installed)))


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


def _policy(settings: Settings) -> Verdict:
    if settings.policy is None:
        return Verdict("policy", "note", "none: the defaults hold", "name one with WELLWON_POLICY")
    try:
        policy = read_policy(settings.policy).policy
    except (PolicyError, OSError, UnicodeDecodeError) as error:
        return Verdict("policy", "wrong", str(error), "correct it; `wellwon policy check` says when all is well")
    return Verdict("policy", "good", f"{settings.policy}, fingerprint {policy.fingerprint}")


def _in_force(settings: Settings) -> Iterator[Verdict]:
    """Compare the policy's file with what the partitions have."""
    try:
        text = read_policy(settings.policy).text
        found = policy_record.in_force(settings)
    except (PolicyError, OSError, UnicodeDecodeError, restore.Refused, NewerState, KafkaException):
        return  # told above, each where it belongs
    texts = {policy for policy in found.values() if policy is not None}
    if len(texts) > 1:
        said = "the partitions do not have the same policy"
        yield Verdict("policy", "wrong", said, "wellwon policy apply")
    elif texts and texts != {text}:
        said = "another policy than the file's is in force"
        yield Verdict("policy", "note", said, "wellwon policy apply says what differs with --dry-run, and applies it")
    elif texts:
        yield Verdict("policy", "good", "in force in every partition that a worker has run")


def _servers(settings: Settings) -> Iterator[Verdict]:
    for server in settings.kafka.split(","):
        found = handshake.problem(settings, server)
        if found is not None:
            yield Verdict("broker", "wrong", found.said, found.remedy)
        else:
            how = "" if settings.kafka_security == "plaintext" else f", by {settings.kafka_security}"
            yield Verdict("broker", "good", f"{server} answers{how}")


def _broker(settings: Settings) -> Iterator[Verdict]:
    with topics.admin(settings) as client:
        cluster = client.describe_cluster()
    brokers = cluster["brokers"]
    if len(brokers) < settings.replication:
        said = f"{len(brokers)} brokers, and WELLWON_REPLICATION={settings.replication}"
        yield Verdict("broker", "wrong", said, f"set WELLWON_REPLICATION to at most {len(brokers)}, or add brokers")
    elif settings.replication == 1 and len(brokers) > 1:
        said = f"topics are made with one replica, on {len(brokers)} brokers"
        yield Verdict("broker", "note", said, "WELLWON_REPLICATION=3 keeps the data when a broker is lost")


def _topics(settings: Settings, found: Mapping[str, topics.Found | None]) -> Iterator[Verdict]:
    well = True
    for topic in topics.TOPICS:
        entry, name = found[topic.name], settings.topic(topic.name)
        if entry is None:
            well = False
            yield Verdict("topics", "wrong", f"{name} does not exist", "wellwon topics create")
            continue
        wanted = topics.partitions_of(topic, settings)
        if topic.placed and entry.partitions != wanted:
            well = False
            yield Verdict("topics", "wrong", *_partitions(settings, topic, entry.partitions))
        for key, value in topic.settings().items():
            if entry.config.get(key) != value:
                well = False
                said = f"{name} has {key}={entry.config.get(key)}, declared is {value}"
                remedy = (
                    f"kafka-configs.sh --bootstrap-server {settings.kafka} --alter --entity-type topics"
                    f" --entity-name {name} --add-config {key}={value}"
                )
                yield Verdict("topics", "wrong", said, remedy)
    if well:
        yield Verdict("topics", "good", f"{len(found)} as declared")


def _partitions(settings: Settings, topic: topics.Topic, has: int) -> tuple[str, str]:
    said, remedy = restore.partitions_differ(settings, settings.topic(topic.name), has)
    if topic.partitions is not None:
        said = f"{settings.topic(topic.name)} has {has} partitions, declared are {topic.partitions}"
        return said, f"make it anew with {topic.partitions}: it is read in its order"
    return said, remedy


def _states(settings: Settings) -> Verdict:
    """Read the states as a worker does at its start."""
    try:
        source = restore.inspect(settings)
        found = restore.restore(settings, source, range(source.partitions), settings.data / settings.group)
    except restore.Refused as error:
        said, _, remedy = str(error).partition(": ")
        return Verdict("states", "wrong", said, remedy or "see above")
    except NewerState as error:
        return Verdict("states", "wrong", str(error), "run the newer wellwon, as every worker")
    except KafkaException as error:
        return Verdict("states", "wrong", str(error), "is the broker well?")
    deals = sum(sum(key[:1] != b"\0" for key in part.store) for part in found.values())
    return Verdict("states", "good", f"{deals:,} deals; a worker would start")


def _group(settings: Settings, flow: topics.Flow, command: str) -> Iterator[Verdict]:
    name, id_ = settings.topic(flow.log), topics.group_of(flow, settings)
    committed: dict[Any, Any] = {}
    group: dict[str, Any] = {}
    # A cluster on which no group ever met has no coordinator yet.
    with topics.admin(settings) as client, suppress(*NO_COORDINATOR):
        committed = client.list_group_offsets([id_]).get(id_, {})
        group = client.describe_groups([id_]).get(id_, {})
    workers = len(group.get("members", ()))
    said = f"{workers} running" if workers else f"no {command} is running"
    yield Verdict(f"{command}s", "good" if workers else "note", said, "" if workers else f"wellwon {command}")
    done = {part.partition: at.offset for part, at in committed.items() if part.topic == name}
    behind = _behind(settings, name, done)
    if behind:
        said = f"{behind:,} records are to be processed"
        yield Verdict(f"{command}s", "note", said, "" if workers else f"they wait for a {command}")


def _behind(settings: Settings, name: str, committed: Mapping[int, int]) -> int:
    from kafka import KafkaConsumer, TopicPartition

    from wellwon.runtime.connection import kafka_python

    consumer = KafkaConsumer(**kafka_python(settings), enable_auto_commit=False)
    try:
        parts = [TopicPartition(name, number) for number in consumer.partitions_for_topic(name) or ()]
        starts, ends = consumer.beginning_offsets(parts), consumer.end_offsets(parts)
        return sum(ends[part] - max(starts[part], committed.get(part.partition, 0)) for part in parts)
    finally:
        consumer.close()
