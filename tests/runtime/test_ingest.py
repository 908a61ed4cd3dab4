"""Ingest: what leaves is keyed, ordered and acknowledged; what is refused is kept."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka import Producer
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from wellwon.core.wire import encode_clock
from wellwon.history.clock import Tick
from wellwon.runtime import deadletters
from wellwon.runtime.connection import kafka_python, librdkafka
from wellwon.runtime.embedded import EmbeddedBroker
from wellwon.runtime.ingest import Ingest, Pace
from wellwon.runtime.settings import Settings
from wellwon.sources.change import Rejected
from wellwon.sources.normalise import Outgoing


@pytest.fixture
def settings() -> Iterator[Settings]:
    with EmbeddedBroker() as broker:
        found = broker.settings()
        broker.declare(found)
        yield found


def log(settings: Settings) -> dict[int, list[tuple[bytes | None, bytes]]]:
    """Keys and values of the change topic, by partition, in order."""
    name = settings.topic("opportunity-changes")
    consumer = KafkaConsumer(**kafka_python(settings), enable_auto_commit=False, auto_offset_reset="earliest")
    parts = [TopicPartition(name, number) for number in sorted(consumer.partitions_for_topic(name))]
    consumer.assign(parts)
    ends = consumer.end_offsets(parts)
    consumer.seek_to_beginning(*parts)
    found: dict[int, list[tuple[bytes | None, bytes]]] = {part.partition: [] for part in parts}
    while any(consumer.position(part) < ends[part] for part in parts):
        for part, records in consumer.poll(timeout_ms=500).items():
            found[part.partition] += [(record.key, record.value) for record in records]
    consumer.close()
    return found


def test_changes_keep_their_order_and_time_is_told_in_every_partition(settings: Settings) -> None:
    deals = [f"d{n % 40}".encode() for n in range(400)]
    records: list[Outgoing | Tick] = []
    for n, deal in enumerate(deals):
        if n == 200:
            records.append(Tick(3_600_000))
        records.append(Outgoing("opportunity-changes", deal, str(n).encode(), n))
    with Ingest(settings) as ingest:
        ingest.send(records)
    assert (ingest.sent.changes, ingest.sent.clocks, len(ingest.sent.deals)) == (400, 1, 40)
    clock = (None, encode_clock(3_600_000))
    for partition in log(settings).values():
        assert partition.count(clock) == 1
        half = partition.index(clock)
        numbers = [int(value) for key, value in partition if key is not None]
        assert numbers == sorted(numbers)
        assert all(number < 200 for number in numbers[:half])
        assert all(number >= 200 for number in numbers[half:])


def test_a_deal_has_the_same_partition_as_from_the_worker(settings: Settings) -> None:
    deals = [f"006Wx{n:013d}" for n in range(60)]
    with Ingest(settings) as ingest:
        ingest.send(Outgoing("opportunity-changes", deal.encode(), b"python", 0) for deal in deals)
    other = Producer({**librdkafka(settings), "partitioner": "murmur2_random"})
    for deal in deals:
        other.produce(settings.topic("opportunity-changes"), key=deal, value=b"librdkafka")
    assert other.flush(30) == 0
    for partition in log(settings).values():
        assert {k for k, v in partition if v == b"python"} == {k for k, v in partition if v == b"librdkafka"}


def test_what_is_refused_is_kept_with_its_line(settings: Settings) -> None:
    with Ingest(settings) as ingest:
        ingest.reject(Rejected("bad_value", "'lots' is not a number", b"d1,lots", "deals.csv:17:amount"))
    (letter,) = deadletters.read(settings)
    assert (letter.topic, letter.offset, letter.reason, letter.value) == ("file:deals.csv", 17, "bad_value", b"d1,lots")
    assert letter.detail == "deals.csv:17:amount: 'lots' is not a number"
    assert deadletters.redrive(settings, iter([letter])) == (0, 1)


def test_a_record_that_cannot_be_delivered_ends_the_run(settings: Settings) -> None:
    with pytest.raises(KafkaError), Ingest(settings) as ingest:
        ingest.send([Outgoing("opportunity-changes", b"d1", b"x" * 9_000_000, 0)])


def test_an_interrupted_run_says_how_much_is_acknowledged(settings: Settings) -> None:
    with Ingest(settings) as ingest:
        ingest.send(Outgoing("opportunity-changes", f"d{n}".encode(), b"x", n) for n in range(50))
        assert ingest.stop() == 50
    assert sum(map(len, log(settings).values())) == 50


def test_pace() -> None:
    time, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))
        time[0] += seconds

    pace = Pace(3_600, now=lambda: time[0], sleep=sleep)
    hour = 3_600_000
    for at in (5 * hour, 6 * hour, 5 * hour, 8 * hour):
        pace.wait(at)
    assert slept == [1.0, 2.0]  # an hour a second; what is late is not waited for
