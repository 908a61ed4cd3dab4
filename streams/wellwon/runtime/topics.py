"""Every topic wellwon reads or writes: declared as data, created, compared with what the broker has.

The map in `streams/README.md` is generated from `TOPICS`.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from kafka.admin import ConfigResource, KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError

from wellwon.runtime.connection import kafka_python

if TYPE_CHECKING:
    from collections.abc import Iterator

    from wellwon.runtime.settings import Settings

CHANGES = "opportunity-changes"
ALERTS = "alerts"
WINS = "wins"
DEAD_LETTERS = "dead-letters"
REREADS = "rereads"
STATE = "detect-state"
REPLIES = "replies"
DELIVER_STATE = "deliver-state"
FACTS = "facts"
ROLLUP_STATE = "rollup-state"
RAW = "raw."
"""Prefix of the topics that hold a source's own events: ``raw.salesforce`` and so on."""

DAY_MS = 86_400_000
CHANGE_BYTES = 4 * 2**20
"""Largest change accepted into the log. Its dead letter holds it in base64, so that topic takes twice as much."""
DEAD_LETTER_BYTES = 2 * CHANGE_BYTES


class NoTopic(LookupError):
    """A topic that is needed is not there; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: its name without prefix, what its records are keyed by, who reads and writes it."""

    name: str
    key: str
    value: str
    cleanup: Literal["delete", "compact"]
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    partitions: int | None = None
    """None: as many as `Settings.partitions`."""
    retention_ms: int | None = None
    """-1: records are kept for ever."""
    config: dict[str, str] = field(default_factory=dict)

    @property
    def placed(self) -> bool:
        """Whether the number of partitions says where a record must be. Others keep the number that they began with."""
        return self.partitions is not None or self.name in (CHANGES, STATE)

    @property
    def kept(self) -> str:
        """For how long a record stays, in words."""
        if self.cleanup == "compact":
            return "the last of each key"
        if self.retention_ms == -1:
            return "for ever"
        return f"{self.retention_ms // DAY_MS} days" if self.retention_ms else "as the broker says"

    def settings(self) -> dict[str, str]:
        """Return the topic-level configuration that the broker must have."""
        wanted = {"cleanup.policy": self.cleanup, **self.config}
        if self.retention_ms is not None:
            wanted["retention.ms"] = str(self.retention_ms)
        return wanted


# Compaction must come some day, however little is written: what was forgotten is in older records.
_STATES = {"max.compaction.lag.ms": str(7 * DAY_MS), "segment.ms": str(DAY_MS)}
# Compaction keeps the last record of a key, and a worker that should be gone may write an older one last. So only
# states are compacted: their owner writes them again, long before compaction may act on what the other wrote.
_CHANGELOG = {**_STATES, "min.compaction.lag.ms": "3600000"}

TOPICS: tuple[Topic, ...] = (
    Topic(
        CHANGES,
        key="opportunity id",
        value="opportunity-change.v1, clock and policy records among them",
        cleanup="delete",
        writers=(
            "normalise",
            "ingest",
            "detect (clock and policy records)",
            "deliver (answers)",
            "reread",
            "wellwon policy apply",
        ),
        readers=("detect",),
        retention_ms=7 * DAY_MS,
        config={"max.message.bytes": str(CHANGE_BYTES)},
    ),
    Topic(
        ALERTS,
        key="opportunity id, owner or team",
        value="alert.v1: opened, changed, resolved",
        cleanup="delete",
        writers=("detect", "rollup"),
        readers=("deliver", "web"),
        retention_ms=30 * DAY_MS,
    ),
    Topic(
        REPLIES,
        key="opportunity id",
        value="reply.v1: what people said to a message: seen, later, an answer, a note",
        cleanup="delete",
        writers=("deliver (interactions)", "web"),
        readers=("deliver",),
        retention_ms=30 * DAY_MS,
    ),
    Topic(
        WINS,
        key="opportunity id",
        value="win.v1: how a deal was won",
        cleanup="delete",
        writers=("detect",),
        readers=("deliver", "web"),
        retention_ms=-1,
    ),
    Topic(
        DEAD_LETTERS,
        key="opportunity id where known",
        value="dead-letter.v1: the original bytes, where they were, and why they were refused",
        cleanup="delete",
        writers=("detect", "rollup", "normalise", "reread", "deliver"),
        readers=("wellwon dead-letters",),
        partitions=1,
        retention_ms=30 * DAY_MS,
        config={"max.message.bytes": str(DEAD_LETTER_BYTES)},
    ),
    Topic(
        REREADS,
        key="opportunity id",
        value="reread.v1: a deal whose state should be read again from the CRM",
        cleanup="delete",
        writers=("detect", "normalise"),
        readers=("wellwon reread",),
        partitions=1,
        retention_ms=7 * DAY_MS,
    ),
    Topic(
        STATE,
        key="opportunity id",
        value="state of one deal (internal)",
        cleanup="compact",
        writers=("detect",),
        readers=("detect (restore)",),
        config=_CHANGELOG,
    ),
    Topic(
        FACTS,
        key="none",
        value="facts.v1: how deals stand, a slice's together, for what is counted over deals; marks and policies",
        cleanup="delete",
        writers=("detect",),
        readers=("rollup", "deliver (forecast call)"),
        partitions=1,
        retention_ms=9 * DAY_MS,  # deliver's weekly digest reads a week of them
        config={"max.message.bytes": str(CHANGE_BYTES)},
    ),
    Topic(
        ROLLUP_STATE,
        key="opportunity id, owner or team",
        value="facts that hold, and alerts (internal)",
        cleanup="compact",
        writers=("rollup",),
        readers=("rollup (restore)",),
        partitions=1,
        config=_CHANGELOG,
    ),
    Topic(
        DELIVER_STATE,
        key="opportunity id, or an address",
        value="what was told of a deal, and what is held back from an address (internal)",
        cleanup="compact",
        writers=("deliver",),
        readers=("deliver (restore)",),
        partitions=1,  # one worker at a time delivers: an owner's cap and a channel's pace concern all deals
        config=_STATES,
    ),
)


@dataclass(frozen=True, slots=True)
class Flow:
    """What a worker reads, and where it keeps what it knows: names of topics, without prefix."""

    name: str
    log: str
    states: str


DETECT = Flow("detect", CHANGES, STATE)
ROLLUP = Flow("rollup", FACTS, ROLLUP_STATE)
FLOWS = {flow.states: flow for flow in (DETECT, ROLLUP)}
"""By where the states are that belong to offsets of a log."""


def group_of(flow: Flow, settings: Settings) -> str:
    """Return the consumer group of a flow's workers."""
    return settings.group if flow is DETECT else f"{settings.group}-{flow.name}"


def raw_topic(source: str) -> Topic:
    """Return the topic of a source's own events. One partition: bulk edits are seen before the split by deal."""
    return Topic(
        RAW + source,
        key="any",
        value=f"events of {source} as they came",
        cleanup="delete",
        writers=(f"{source} connector",),
        readers=("normalise",),
        partitions=1,
        retention_ms=7 * DAY_MS,
        config={"max.message.bytes": str(CHANGE_BYTES)},
    )


def raw_group(source: str) -> str:
    """Return the group under which it is noted how far normalise has come in a source's own events."""
    return f"wellwon-normalise-{source}"


@dataclass(frozen=True, slots=True)
class Found:
    """A topic as the broker has it."""

    topic: Topic
    name: str
    id: str
    partitions: int
    config: dict[str, str]

    def differences(self, wanted_partitions: int) -> list[str]:
        """Say in words what is not as declared; empty when all is well."""
        found = []
        if self.topic.placed and self.partitions != wanted_partitions:
            found.append(f"{self.name} has {self.partitions} partitions, declared are {wanted_partitions}")
        for key, value in self.topic.settings().items():
            if self.config.get(key) != value:
                found.append(f"{self.name} has {key}={self.config.get(key)}, declared is {value}")
        return found


@contextmanager
def admin(settings: Settings) -> Iterator[KafkaAdminClient]:
    """Open an administrator's connection for the length of a ``with`` block."""
    client = KafkaAdminClient(**kafka_python(settings))
    try:
        yield client
    finally:
        client.close()


def partitions_of(topic: Topic, settings: Settings) -> int:
    """Return how many partitions the topic is to have."""
    return topic.partitions or settings.partitions


def describe(settings: Settings, topics: Iterable[Topic] = TOPICS) -> dict[str, Found | None]:
    """Return what the broker has for each declared topic, by name without prefix; None where it is missing."""
    declared = {settings.topic(topic.name): topic for topic in topics}
    with admin(settings) as client:
        metadata = {entry["name"]: entry for entry in client.describe_topics(list(declared))}
        present = [name for name in declared if metadata[name]["error_code"] == 0]
        configs = _configs(client, present)
    return {
        topic.name: Found(
            topic=topic,
            name=name,
            id=str(metadata[name]["topic_id"] or ""),
            partitions=len(metadata[name]["partitions"]),
            config=configs[name],
        )
        if name in configs
        else None
        for name, topic in declared.items()
    }


def _configs(client: KafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    reply = client.describe_configs([ConfigResource("TOPIC", name) for name in names], config_filter="all")
    return {name: {key: entry["value"] for key, entry in reply["topic"][name].items()} for name in names}


def create(settings: Settings, topics: Iterable[Topic] = TOPICS) -> list[str]:
    """Create the topics that are missing and return their names. Topics that exist are left as they are."""
    missing = [topic for topic in topics if describe(settings, [topic])[topic.name] is None]
    created = []
    with admin(settings) as client:
        for topic in missing:
            name = settings.topic(topic.name)
            wanted: dict[str, Any] = {
                "num_partitions": partitions_of(topic, settings),
                "replication_factor": settings.replication,
                "configs": topic.settings(),
            }
            try:
                client.create_topics({name: wanted})
            except TopicAlreadyExistsError:
                continue  # another worker was faster
            created.append(name)
        if created:
            client.wait_for_topics(created)
    return created


def verify(settings: Settings, topics: Iterable[Topic] = TOPICS) -> list[str]:
    """Compare the broker with the declarations and say what differs, one line each; empty when all is well.

    Raises KafkaError when the broker cannot be asked.
    """
    found = describe(settings, topics)
    lines = []
    for topic in topics:
        entry = found[topic.name]
        if entry is None:
            lines.append(f"{settings.topic(topic.name)} does not exist")
        else:
            lines += entry.differences(partitions_of(topic, settings))
    return lines
