"""Erasure on a real broker: what was forgotten stands nowhere any more, and the others go on as before."""

from __future__ import annotations

import base64
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pytest
from confluent_kafka import KafkaException
from kafka.admin import ConfigResource

from fakes import web as fake
from kafka_broker import free_port
from live import Worker, produce, read, until, wait_for_the_end
from told import PEOPLE
from wellwon.core.output import DeadLetter
from wellwon.core.state import decode_state
from wellwon.runtime import deadletters, topics
from wellwon.runtime.at_rest import Group, Writing
from wellwon.runtime.forget import forget
from wellwon.runtime.lookup import partition_of
from wellwon.runtime.redact import Redaction
from wellwon.runtime.restore import Refused
from wellwon.runtime.settings import Settings
from wellwon.runtime.week import latest_facts

Start = Callable[..., Worker]
ANN, BEN = "0055g00000AnnXAAS", "0055g00000BenXAAS"
POLICY = """
deliver:
  settle_minutes: 0
  quiet_hours: {begin: "00:00", end: "00:00"}
  working_days: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]
  sinks:
    chat: {kind: slack, hears: [owner, revops], channels: {revops: C01}}
"""
ROLLUP = (sys.executable, "-m", "wellwon.runtime.rollup")
DELIVER = (sys.executable, "-m", "wellwon.runtime.deliver_worker")
STATES = (topics.STATE, topics.ROLLUP_STATE, topics.DELIVER_STATE)
EVERYWHERE = tuple(topic.name for topic in topics.TOPICS)


def change(deal: str, number: int, at: str, by: str, **values: object) -> tuple[bytes, bytes]:
    record = {
        "id": f"{deal}:{number}",
        "opportunity_id": deal,
        "source": "test",
        "occurred_at": at,
        "kind": "changed" if number else "created",
        "writer": {"id": by, "kind": "user"},
        "values": values,
    }
    return deal.encode(), orjson.dumps(record)


def history(deal: str, owner: str) -> list[tuple[bytes, bytes]]:
    """A deal that was pushed twice over a quarter's end."""
    base = {"stage": "Negotiation/Review", "amount": "50000.00", "currency": "USD", "name": deal, "owner_id": owner}
    return [
        change(deal, 0, "2026-01-10T09:00:00Z", owner, **base, close_date="2026-03-31", forecast_category="Commit"),
        change(deal, 1, "2026-03-30T16:00:00Z", owner, close_date="2026-06-30"),
        change(deal, 2, "2026-06-29T16:00:00Z", owner, close_date="2026-09-30"),
    ]


def won(deal: str, owner: str) -> tuple[bytes, bytes]:
    return change(deal, 3, "2026-09-29T16:00:00Z", owner, stage="Closed Won", forecast_category="Closed")


RECORDS = [
    *history("deal-ann-1", ANN),
    *history("deal-ann-2", ANN),
    won("deal-ann-2", ANN),
    change("deal-ann-2", 4, "not an instant", ANN),
    *history("deal-ben-1", BEN),
    *history("deal-ben-2", BEN),
    won("deal-ben-2", BEN),
]


@pytest.fixture
def workspace() -> fake.Workspace:
    return fake.Workspace()


@pytest.fixture
def told(
    live: Settings, start: Start, workspace: fake.Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """Everything has run over the records, and is stopped."""
    policy, people = tmp_path / "policy.yaml", tmp_path / "people.csv"
    policy.write_text(POLICY)
    people.write_text(
        f"{PEOPLE.splitlines()[0]}\n"
        + "".join(f"{id_},{name}@example.com,{name},East,,\n" for id_, name in ((ANN, "ann"), (BEN, "ben")))
    )
    with fake.running(fake.slack(workspace)) as slack:
        monkeypatch.setenv("WELLWON_SINK_CHAT", workspace.token)
        settings = replace(
            live, policy=policy, people=people, slack_api=slack.url, private_webhooks=True, clock="log",
            deliver_group=f"{live.group}-deliver",
        )  # fmt: skip
        workers = work(settings, start)
        produce(settings, RECORDS)
        come_to_the_end(settings, workers)
        yield settings


def work(settings: Settings, start: Start) -> list[Worker]:
    def beside(name: str) -> Settings:
        settings.data.mkdir(exist_ok=True)
        return replace(settings, instance=name, data=settings.data / name, http=f"127.0.0.1:{free_port()}")

    started = [start(beside("detect")), start(beside("rollup"), *ROLLUP), start(beside("deliver"), *DELIVER)]
    return [worker.wait_ready() for worker in started]


def come_to_the_end(settings: Settings, workers: list[Worker]) -> None:
    """Let the workers read all there is, one after the other, and stop them."""
    detect, rollup, deliver = workers
    wait_for_the_end(settings)
    assert detect.stop() == 0, detect.tail()
    until(lambda: all_read(settings, topics.group_of(topics.ROLLUP, settings), topics.FACTS), "the rollup")
    assert rollup.stop() == 0, rollup.tail()
    until(
        lambda: all(all_read(settings, settings.deliver_group, name) for name in (topics.ALERTS, topics.WINS)),
        "deliver",
    )
    assert deliver.stop() == 0, deliver.tail()


def all_read(settings: Settings, group: str, name: str) -> bool:
    ends = {message.partition(): (message.offset() or 0) + 1 for message in read(settings, name)}
    with Group(settings, group) as reader:
        committed = reader.committed(name)
    return all(committed.get(number or 0, 0) >= end for number, end in ends.items())


def latest(settings: Settings, topic: str) -> dict[tuple[int | None, bytes], bytes]:
    """What a topic of states keeps."""
    found: dict[tuple[int | None, bytes], bytes | None] = {}
    for message in read(settings, topic):
        found[message.partition(), message.key() or b""] = message.value()
    return {place: value for place, value in found.items() if value is not None}


def in_kafka(settings: Settings, text: bytes) -> set[str]:
    """The topics in whose records, of whatever age, a text stands: in the key, the value, or a letter's original."""
    found = set()
    for name in EVERYWHERE:
        for message in read(settings, name):
            parts = [message.key() or b"", message.value() or b""]
            if name == topics.DEAD_LETTERS:
                letter = orjson.loads(parts[1])
                parts += [base64.b64decode(letter[part] or "") for part in ("key", "value")]
            if any(text in part for part in parts):
                found.add(name)
    return found


def on_disk(settings: Settings, text: bytes) -> list[Path]:
    return [path for path in settings.data.rglob("*") if path.is_file() and text in path.read_bytes()]


def compact_soon(settings: Settings) -> None:
    """What takes a week otherwise."""
    soon = {"segment.ms": "1000", "max.compaction.lag.ms": "1000", "min.compaction.lag.ms": "0"}
    with topics.admin(settings) as client:
        for name in STATES:
            client.alter_configs([ConfigResource("TOPIC", settings.topic(name), soon | {"delete.retention.ms": "100"})])


def roll(settings: Settings) -> None:
    """Write something into each partition of states, as workers do all the time: only then a segment ends."""
    writing = Writing(settings)
    for name in STATES:
        for number in range(settings.partitions if name == topics.STATE else 1):
            writing.put(name, number, b"\0other", None)
    writing.confirm()


def test_a_deal(told: Settings, start: Start, workspace: fake.Workspace) -> None:
    deal = b"deal-ann-2"
    assert in_kafka(told, deal) == set(EVERYWHERE) - {topics.REPLIES, topics.REREADS}
    assert on_disk(told, deal)
    before = {name: latest(told, name) for name in STATES}
    published = {name: [m.value() for m in read(told, name)] for name in (topics.ALERTS, topics.WINS)}

    done = forget(told, Redaction(deal="deal-ann-2"), logs=True)

    assert set(done.deleted) >= {*STATES, topics.ALERTS, topics.WINS, topics.DEAD_LETTERS}
    assert done.cut_off == {topics.CHANGES: 5}
    assert on_disk(told, deal) == []
    for name in STATES:
        # What names the deal beside others, a page that waits to be sent, is written again without it.
        others = {place: value for place, value in before[name].items() if deal not in place[1] and deal not in value}
        now = latest(told, name)
        assert {place: value for place, value in now.items() if place in others} == others, name
        assert not any(deal in place[1] or deal in value for place, value in now.items()), name
    for name, values in published.items():
        assert [m.value() for m in read(told, name)] == [value for value in values if deal not in (value or b"")]
    assert {fact.deal for fact in latest_facts(told)} == {"deal-ann-1", "deal-ben-1", "deal-ben-2"}

    compact_soon(told)

    def is_gone() -> bool:
        roll(told)
        return in_kafka(told, deal) == set()

    until(is_gone, "compaction to take what was deleted")

    # The workers go on, with what is left, and tell nothing twice.
    said = set(workspace.messages)
    workers = work(told, start)
    come_to_the_end(told, workers)
    # What was held back for a digest may fall due meanwhile.
    texts = [(channel, message["text"]) for (channel, _), message in workspace.messages.items()]
    assert len(texts) == len(set(texts)), "told twice"
    assert "deal-ann-2" not in str([message for place, message in workspace.messages.items() if place not in said])
    workers = work(told, start)
    produce(told, [won("deal-ann-1", ANN)])
    come_to_the_end(told, workers)
    assert any(message.key() == b"deal-ann-1" for message in read(told, topics.WINS))
    assert in_kafka(told, deal) == set()
    assert on_disk(told, deal) == []
    again = forget(told, Redaction(deal="deal-ann-2"), logs=True)
    assert not again.deleted
    assert not again.rewritten
    assert not again.cut_off


def test_a_person(told: Settings, start: Start) -> None:
    ann, ben = ANN.encode(), BEN.encode()
    assert in_kafka(told, ann) == set(EVERYWHERE) - {topics.REPLIES, topics.REREADS}
    before = {
        place: decode_state(value) for place, value in latest(told, topics.STATE).items() if place[1][:1] != b"\0"
    }
    bens = {
        name: [m.value() for m in read(told, name) if ben in (m.value() or b"")]
        for name in (topics.ALERTS, topics.WINS)
    }

    forget(told, Redaction(person=ANN), logs=False)

    # What came in stays until its retention ends; states, as Kafka has them after compaction.
    came_in = {topics.CHANGES}
    assert in_kafka(told, ann) - set(STATES) == came_in
    for name in STATES:
        assert not [key for (_, key), value in latest(told, name).items() if ann in key or ann in value]
        assert [key for (_, key), value in latest(told, name).items() if ben in key or ben in value], name
    assert on_disk(told, ann) == []
    after = {place: decode_state(value) for place, value in latest(told, topics.STATE).items() if place[1][:1] != b"\0"}
    assert {place: state.alerts for place, state in after.items()} == {
        place: state.alerts for place, state in before.items()
    }
    for name, values in bens.items():
        assert [m.value() for m in read(told, name) if ben in (m.value() or b"")] == values

    workers = work(told, start)
    produce(told, [won("deal-ann-1", BEN)])
    come_to_the_end(told, workers)
    assert any(message.key() == b"deal-ann-1" for message in read(told, topics.WINS))
    assert in_kafka(told, ann) - set(STATES) == came_in


def test_not_while_a_worker_runs(live: Settings, start: Start) -> None:
    worker = start(live).wait_ready()
    with pytest.raises(Refused, match="workers run"):
        forget(live, Redaction(deal="d"))
    assert worker.stop() == 0


def test_not_while_changes_wait_that_would_bring_it_back(live: Settings, start: Start) -> None:
    worker = start(live).wait_ready()
    produce(live, history("deal-1", ANN))
    wait_for_the_end(live)
    assert worker.stop() == 0
    produce(live, [won("deal-1", ANN)])
    with pytest.raises(Refused, match="has 1 records about it"):
        forget(live, Redaction(deal="deal-1"))
    with pytest.raises(Refused, match="has 1 records about it"):
        forget(live, Redaction(person=ANN))
    forget(live, Redaction(deal="deal-2"))


def test_what_nobody_has_read_yet_of_others_is_read_afterwards(live: Settings, start: Start) -> None:
    """Readers go on where they were: behind what was published again, before what they had not read."""
    mine, other = [f"deal-{n}" for n in range(50) if partition_of(f"deal-{n}", live.partitions) == 1][:2]
    deals = (mine, other, mine, other, other, other, other)
    records = [(deal.encode(), orjson.dumps({"id": deal, "number": n})) for n, deal in enumerate(deals)]
    produce(live, records, topics.ALERTS)
    there = read(live, topics.ALERTS)
    with Group(live, live.deliver_group) as reader:
        reader.move(topics.ALERTS, {1: 5})
    forget(live, Redaction(deal=mine))
    with Group(live, live.deliver_group) as reader:
        committed = reader.committed(topics.ALERTS)[1]
    left = read(live, topics.ALERTS)
    assert [m.value() for m in left] == [m.value() for m in there if m.key() == other.encode()]
    assert [m.value() for m in left if (m.offset() or 0) >= committed] == [there[5].value(), there[6].value()]


def test_a_dead_letter_that_was_dismissed_stays_so(live: Settings) -> None:
    """Letters are known by their offsets, and those are others when the topic is written anew."""
    keys = (b"deal-2", b"deal-1", b"deal-3", b"deal-1")
    refused = [DeadLetter(key, b'{"n":%d}' % n, n, "bad_value", "") for n, key in enumerate(keys)]
    produce(live, [(None, deadletters.encode(one, "log", 0, 0)) for one in refused], topics.DEAD_LETTERS)
    deadletters.dismiss(live, [1, 2])
    deadletters.dismiss(live, [3])
    forget(live, Redaction(deal="deal-1"))
    left = list(deadletters.read(live))
    assert [(letter.key, letter.closed is not None) for letter in left] == [(b"deal-2", False), (b"deal-3", True)]


def test_a_topic_that_is_not_there_is_none_of_which_nothing_was_read(live: Settings) -> None:
    with Group(live, live.group) as reader:
        assert reader.committed(topics.CHANGES) == {}
        with pytest.raises(KafkaException, match="Unknown topic"):
            reader.committed("no-such-topic")
