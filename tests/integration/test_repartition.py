"""The log gets more partitions: nothing is lost, nothing is applied twice, and alerts go on as the core alone says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import SimpleNamespace

import orjson
import pytest

from live import Record, Worker, produce, read, wait_for_the_end
from oracle import found
from pushed import deals
from wellwon.core.partition import Partition
from wellwon.core.state import CONTROL_KEY, PREFIX
from wellwon.core.units import DAY, parse_instant
from wellwon.core.wire import encode_clock
from wellwon.policy import compile_text
from wellwon.runtime import repartition as migration
from wellwon.runtime import restore, topics
from wellwon.runtime.at_rest import Writing
from wellwon.runtime.lookup import partition_of_key
from wellwon.runtime.repartition import repartition
from wellwon.runtime.restore import LINEAGE, Refused
from wellwon.runtime.settings import Settings

Start = Callable[..., Worker]
DEALS = 60
RECORDS = deals(DEALS)
"""Four changes of each deal; the first of all deals, then the second of all."""


@pytest.fixture
def timed(live: Settings) -> Settings:
    """Without clock records of the workers' own, so that one partition of the core can say what must be told."""
    return replace(live, clock="log")


def work(start: Start, settings: Settings) -> None:
    """Let a worker read the log to its end, and stop it."""
    worker = start(settings).wait_ready()
    wait_for_the_end(settings)
    assert worker.stop() == 0, worker.tail()


def assert_as_the_core_alone(settings: Settings, log: Iterable[Record]) -> None:
    """Every alert once, every state as if there had always been one partition and nothing had happened to it."""
    store: dict[bytes, bytes] = {}
    core, alerts = Partition(0, "", store, compile_text), dict[str, bytes]()
    for offset, (key, value) in enumerate(log):
        output = core.apply([SimpleNamespace(key=key, value=value, offset=offset)])
        while output is not None:
            alerts |= {orjson.loads(alert)["id"]: alert for _, alert in output.alerts}
            output = core.settle()
    there = found(settings)
    assert {id_: value for (id_, _), value in there.alerts.items()} == alerts
    assert any(revision > 1 for _, revision in there.alerts)
    states = {key: value[PREFIX.size :] for (_, key), value in states_by_place(settings).items()}
    assert states == {key: value[PREFIX.size :] for key, value in store.items() if key[:1] != b"\0"}
    assert not there.dead_letters
    times = Counter(message.value() for message in read(settings, topics.ALERTS))
    assert set(times.values()) == {1}


def states_by_place(settings: Settings) -> dict[tuple[int | None, bytes], bytes]:
    """What the state topic keeps of deals, by partition and key."""
    kept: dict[tuple[int | None, bytes], bytes | None] = {}
    for message in read(settings, topics.STATE):
        kept[message.partition(), message.key() or b""] = message.value()
    return {place: value for place, value in kept.items() if value is not None and place[1][:1] != b"\0"}


def assert_in_place(settings: Settings) -> None:
    """Each state stands in the partition of its deal, and nowhere else."""
    places = list(states_by_place(settings))
    assert len(places) == DEALS
    assert {key: place for place, key in places} == {
        key: partition_of_key(key, settings.partitions) for _, key in places
    }


def test_what_was_read_and_what_was_not(timed: Settings, start: Start) -> None:
    produce(timed, RECORDS[:100])
    work(start, timed)
    produce(timed, RECORDS[100:160])  # nobody reads them before the partitions change
    done = repartition(timed, 7)
    assert done is not None
    assert (done.before, done.deals, done.changes) == (4, DEALS, 60)
    assert 0 < done.moved <= DEALS
    wider = replace(timed, partitions=7)
    work(start, wider)
    produce(wider, RECORDS[160:])
    work(start, wider)
    assert_as_the_core_alone(wider, RECORDS)
    assert_in_place(wider)
    assert topics.verify(wider) == []
    assert repartition(wider, 7) is None


def test_time_that_nobody_has_read(timed: Settings, start: Start) -> None:
    """What falls due by time, falls due by it in whatever partition the deal is by then."""
    first = parse_instant("2026-09-30T00:00:00Z")
    clocks = [encode_clock(first + number * DAY) for number in range(100)]
    log = [*RECORDS, *((None, clock) for clock in clocks)]

    def tick(some: list[bytes], settings: Settings) -> None:
        for number in range(settings.partitions):
            with_place(settings, number, some)

    produce(timed, RECORDS)
    tick(clocks[:30], timed)
    work(start, timed)
    tick(clocks[30:60], timed)
    repartition(timed, 6)
    wider = replace(timed, partitions=6)
    tick(clocks[60:], wider)
    work(start, wider)
    assert_as_the_core_alone(wider, log)


def with_place(settings: Settings, number: int, values: list[bytes]) -> None:
    writing = Writing(settings)
    for value in values:
        writing.put(topics.CHANGES, number, None, value)
    writing.confirm()


def test_a_log_that_is_read_anew_changes_nothing(timed: Settings, start: Start) -> None:
    produce(timed, RECORDS)
    work(start, timed)
    repartition(timed, 6)
    # Another name, the same states: nothing is committed under it, so the whole log is read again.
    work(start, replace(timed, partitions=6, group=f"{timed.group}-again"))
    assert_as_the_core_alone(timed, RECORDS)


def test_twice_with_nobody_reading_in_between(timed: Settings, start: Start) -> None:
    produce(timed, RECORDS[:130])
    work(start, timed)
    produce(timed, RECORDS[130:])
    for wanted in (6, 9):
        done = repartition(timed, wanted)
        assert done is not None
        assert done.changes == len(RECORDS) - 130
    wider = replace(timed, partitions=9)
    work(start, wider)
    assert_as_the_core_alone(wider, RECORDS)
    assert_in_place(wider)


class Interrupted(Exception):
    pass


def kind_of(name: str, key: bytes | None, value: bytes | None) -> str:
    if name == topics.CHANGES:
        return "change"
    if key in (LINEAGE, CONTROL_KEY):
        return "lineage" if key == LINEAGE else "control"
    return "deleted" if value is None else "state"


@pytest.mark.parametrize(
    ("what", "number"),
    [("state", 9), ("change", 30), ("control", 4), ("lineage", 8 + 3)],
)
def test_interrupted_it_is_run_again(
    timed: Settings, start: Start, what: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut off when so many records of a kind are written."""
    produce(timed, RECORDS[:130])
    work(start, timed)
    produce(timed, RECORDS[130:200])
    put, counts = Writing.put, Counter[str]()

    def cut(self: Writing, name: str, place: int, key: bytes | None, value: bytes | None, **more: object) -> None:
        put(self, name, place, key, value, **more)  # type: ignore[arg-type]
        counts[kind_of(name, key, value)] += 1
        if counts[what] == number:
            self.confirm()
            raise Interrupted

    with monkeypatch.context() as during:
        during.setattr(Writing, "put", cut)
        with pytest.raises(Interrupted):
            repartition(timed, 8)
    wider = replace(timed, partitions=8)
    with pytest.raises(Refused, match="repartition 8"):  # as a worker does
        restore.restore(wider, restore.inspect(wider), range(8), wider.data)

    repartition(timed, 8)
    work(start, wider)
    produce(wider, RECORDS[200:])
    work(start, wider)
    assert_as_the_core_alone(wider, RECORDS)
    assert_in_place(wider)


def test_partitions_that_were_added_by_hand(timed: Settings, start: Start) -> None:
    """Kafka's own tool was used while the log was fed: changes stand where no state is, and workers refuse."""
    produce(timed, RECORDS[:100])
    work(start, timed)
    produce(timed, RECORDS[100:150])
    with topics.admin(timed) as admin:
        admin.create_partitions({timed.topic(topics.CHANGES): 6})
        admin.wait_for_topics([timed.topic(topics.CHANGES)])
    produce(timed, RECORDS[150:200])
    repartition(timed, 6)
    wider = replace(timed, partitions=6)
    work(start, wider)
    produce(wider, RECORDS[200:])
    work(start, wider)
    assert_as_the_core_alone(wider, RECORDS)
    assert_in_place(wider)


def test_not_while_a_worker_runs(timed: Settings, start: Start) -> None:
    worker = start(timed).wait_ready()
    with pytest.raises(Refused, match="workers run"):
        repartition(timed, 8)
    assert worker.stop() == 0


def test_not_fewer(timed: Settings) -> None:
    with pytest.raises(Refused, match="takes none away"):
        repartition(timed, 2)


def test_not_while_something_feeds_the_log(timed: Settings, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    produce(timed, RECORDS[:100])
    work(start, timed)
    again = migration._again

    def meanwhile(writing: Writing, *arguments: object) -> Counter[int]:
        produce(timed, RECORDS[100:120])
        return again(writing, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as during:
        during.setattr(migration, "_again", meanwhile)
        with pytest.raises(Refused, match="something wrote"):
            repartition(timed, 8)
    done = repartition(timed, 8)
    assert done is not None
    assert done.changes == 20
    wider = replace(timed, partitions=8)
    produce(wider, RECORDS[120:])
    work(start, wider)
    assert_as_the_core_alone(wider, RECORDS)
