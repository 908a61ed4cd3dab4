"""Erasure: a deal, or a person, leaves everything that wellwon keeps. Nobody works meanwhile.

- **States** (of detect, rollup, deliver) are deleted, or written again without it, and compaction takes the old ones.
- **What wellwon has published** (alerts, wins, replies, facts, dead letters) is written once more without it, behind
  what is there; readers go on behind that, and then Kafka deletes what was before.
- **What came from outside** (changes, the sources' own events, rereads) cannot be written again: states stand for
  offsets in it. It ends with its retention, or is cut off up to the last record about it (``logs``), others' with it.
- **Checkpoints** are deleted.

Each step may be done again, so a command that was interrupted is run again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from confluent_kafka import Message

from wellwon.core.state import CONTROL_KEY
from wellwon.runtime import deadletters, reread, restore, topics
from wellwon.runtime.at_rest import Group, Reading, Writing, delete_before, must_be_at_rest
from wellwon.runtime.redact import Redaction
from wellwon.runtime.restore import Refused
from wellwon.runtime.settings import Settings

STATES: Final = (topics.STATE, topics.ROLLUP_STATE, topics.DELIVER_STATE)
PUBLISHED: Final = (topics.ALERTS, topics.WINS, topics.REPLIES, topics.FACTS, topics.DEAD_LETTERS)
CAME_IN: Final = (topics.CHANGES, topics.REREADS)
"""And the sources' own events, ``raw.<source>``."""


@dataclass(slots=True)
class Forgotten:
    """What was done; counts of records by topic, without prefix."""

    deleted: Counter[str] = field(default_factory=Counter)
    rewritten: Counter[str] = field(default_factory=Counter)
    cut_off: Counter[str] = field(default_factory=Counter)
    """Records about it that went from what came in, with all before them."""
    checkpoints: int = 0
    """Files deleted on this machine."""


def forget(settings: Settings, redaction: Redaction, *, logs: bool = False) -> Forgotten:
    """Erase. ``logs``: cut off what came in as well.

    Raises Refused where workers run, or have not read all there is about it; NewerState, KafkaException.
    """
    rollup, deliver = topics.group_of(topics.ROLLUP, settings), settings.deliver_group
    groups = {settings.group: "worker", rollup: "rollup", deliver: "deliver"}
    readers = {topics.CHANGES: settings.group, topics.FACTS: rollup}
    readers |= dict.fromkeys((topics.ALERTS, topics.WINS, topics.REPLIES), deliver)
    readers[topics.REREADS] = reread.GROUP
    must_be_at_rest(settings, groups)
    done, writing = Forgotten(), Writing(settings)
    with Reading(settings) as reading:
        sources = reading.sources()
        readers |= {topics.RAW + source: topics.raw_group(source) for source in sources}
        for name, group in readers.items():
            _must_be_read(settings, reading, group, name, redaction)
        for name in STATES:
            _states(settings, writing, name, redaction, done)
        for name in PUBLISHED:
            _publish_again(settings, reading, writing, name, readers.get(name), redaction, done)
        if logs:
            for name in (*CAME_IN, *(topics.RAW + source for source in sources)):
                _cut_off(settings, reading, name, redaction, done)
    for path in sorted(settings.data.rglob("*.checkpoint")):
        path.unlink()
        done.checkpoints += 1
    must_be_at_rest(settings, groups)  # a worker that began meanwhile may have written what it had read before
    return done


def _must_be_read(settings: Settings, reading: Reading, group: str, name: str, redaction: Redaction) -> None:
    """What waits to be read would bring it back."""
    with Group(settings, group) as reader:
        read = reader.committed(name)
    if not read and name != topics.CHANGES and not name.startswith(topics.RAW):
        return  # nobody reads it: it brings nothing back
    waiting = 0
    for number, (start, end) in reading.bounds(name).items():
        begin = max(start, read.get(number, start))
        waiting += sum(_concerns(redaction, name, record) for record in reading.records(name, number, begin, end))
    if waiting:
        raise Refused(
            f"{settings.topic(name)} has {waiting} records about it that group {group} has not read, and that would"
            " bring it back: stop what writes them, let the workers come to the end, stop them, and run this again"
        )


def _concerns(redaction: Redaction, name: str, record: Message) -> bool:
    return redaction.concerns(name, record.key(), record.value())


def _states(settings: Settings, writing: Writing, name: str, redaction: Redaction, done: Forgotten) -> None:
    for number, part in restore.as_written(settings, name).items():
        for key, value in part.store.items():
            if key == CONTROL_KEY:
                continue
            without = redaction.without(name, key, value)
            if without != value:
                writing.put(name, number, key, without)
                (done.deleted if without is None else done.rewritten)[name] += 1
    writing.confirm()


def _publish_again(
    settings: Settings, reading: Reading, writing: Writing, name: str, group: str | None, redaction: Redaction,
    done: Forgotten,
) -> None:  # fmt: skip
    """Write the records of each partition that has something about it once more, without it; delete the old ones."""
    for number, (start, end) in reading.bounds(name).items():
        if not any(_concerns(redaction, name, record) for record in reading.records(name, number, start, end)):
            continue
        read = None
        if group is not None:
            with Group(settings, group) as reader:
                read = reader.committed(name).get(number)
        copies, behind, numbers = 0, 0, dict[int, int]()
        for record in reading.records(name, number, start, end):
            key, value = record.key(), record.value()
            without = None if value is None else redaction.without(name, key, value)
            if without != value:
                (done.deleted if without is None else done.rewritten)[name] += 1
            if without is not None and name == topics.DEAD_LETTERS:
                without = deadletters.renumbered(without, numbers)
                numbers[record.offset() or 0] = end + copies
            if without is not None:
                writing.put(name, number, key, without, at=record.timestamp()[1], headers=record.headers())
                copies += 1
                behind += read is not None and (record.offset() or 0) < read
        writing.confirm()
        if reading.bounds(name)[number][1] != end + copies:
            raise Refused(
                f"something wrote into {settings.topic(name)} meanwhile: stop it (web, receive, ingest), and run this"
                " again"
            )
        if group is not None and read is not None:
            with Group(settings, group) as reader:
                reader.move(name, {number: end + behind})
        delete_before(settings, name, {number: end})


def _cut_off(settings: Settings, reading: Reading, name: str, redaction: Redaction, done: Forgotten) -> None:
    upto = {}
    for number, (start, end) in reading.bounds(name).items():
        for offset in _about(reading, name, number, start, end, redaction):
            upto[number] = offset + 1
            done.cut_off[name] += 1
    if upto:
        delete_before(settings, name, upto)


def _about(reading: Reading, name: str, number: int, start: int, end: int, redaction: Redaction) -> Iterator[int]:
    for record in reading.records(name, number, start, end):
        if _concerns(redaction, name, record):
            yield record.offset() or 0


def days_left(settings: Settings) -> dict[str, int]:
    """For how many days Kafka keeps what came in, by topic."""
    with Reading(settings) as reading:
        sources = [topics.raw_topic(source) for source in reading.sources()]
    came_in = [topic for topic in topics.TOPICS if topic.name in CAME_IN]
    return {settings.topic(topic.name): (topic.retention_ms or 0) // topics.DAY_MS for topic in (*came_in, *sources)}
