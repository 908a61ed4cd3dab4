"""A raw topic, straight from a connector, becomes the log of changes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from confluent_kafka import Producer

from wellwon.runtime import deadletters
from wellwon.runtime.connection import librdkafka
from wellwon.runtime.embedded import EmbeddedBroker
from wellwon.runtime.normalise import NoRawTopic, RawTopic
from wellwon.runtime.settings import Settings
from wellwon.sources.kinds import kind_named
from wellwon.sources.mapping import SourceView
from wellwon.sources.normalise import Outgoing

from .test_ingest import log

CDC = kind_named("salesforce-cdc")
VIEW = SourceView(bulk_records=3)
AT = 1_792_000_000_000


@pytest.fixture
def settings() -> Iterator[Settings]:
    with EmbeddedBroker() as broker:
        found = broker.settings()
        broker.declare(found)
        yield found


def event(number: int, **body: Any) -> bytes:
    header = {
        "entityName": "Opportunity",
        "recordIds": [f"006Wx{number:010d}AAA"],
        "changeType": "UPDATE",
        "transactionKey": f"t{number}",
        "sequenceNumber": 1,
        "commitTimestamp": AT + number * 1_000,
        "commitUser": "005Wx0000000001AAA",
        "changedFields": [*body, "LastModifiedDate"],
    }
    return orjson.dumps({"payload": {"ChangeEventHeader": header, **body}})


def put(settings: Settings, *values: bytes | None, partition: int = 0) -> None:
    producer = Producer(librdkafka(settings))
    for value in values:
        producer.produce(settings.topic("raw.salesforce"), value=value, key=b"k", partition=partition)
    assert producer.flush(30) == 0


def follow(settings: Settings, records: int) -> dict[str, int]:
    """Follow the raw topic until so many records were read, those of the warm-up included."""
    with RawTopic(settings, CDC, "salesforce", VIEW) as raw:
        read = 0
        while read < records:
            read += raw.step()
        return raw.counts()


def written(settings: Settings) -> list[dict[str, Any]]:
    return [orjson.loads(value) for part in log(settings).values() for _, value in part]


def test_changes_dead_letters_and_rereads(settings: Settings) -> None:
    lost = event(1).replace(b'"UPDATE"', b'"GAP_OVERFLOW"')
    put(settings, event(0, StageName="A"), event(0, StageName="A"), b"{", lost, None)
    assert follow(settings, 5) == {"changes": 1, "rereads": 1, "dead_letters": 1, "duplicate": 1, "null_value": 1}
    (change,) = written(settings)
    assert (change["opportunity_id"], change["values"]) == ("006Wx0000000000AAA", {"stage": "A"})
    (letter,) = deadletters.read(settings)
    assert (letter.topic, letter.offset, letter.reason, letter.value) == ("wellwon.raw.salesforce", 2, "not_json", b"{")


def test_the_next_run_goes_on_where_the_last_one_ended(settings: Settings) -> None:
    put(settings, *(event(n, StageName="A") for n in range(2)))
    follow(settings, 2)
    put(settings, *(event(n, StageName="A") for n in range(2, 4)))
    assert follow(settings, 2)["changes"] == 2
    assert sorted(e["opportunity_id"] for e in written(settings)) == [f"006Wx{n:010d}AAA" for n in range(4)]


def test_several_partitions_mark_no_bulk_edits(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    # The embedded broker makes every topic with four.
    caplog.set_level(logging.WARNING)
    put(settings, *(event(n, StageName="A") for n in range(9)))
    follow(settings, 9)
    assert "bulk edits cannot be seen" in caplog.text
    assert {e["bulk"] for e in written(settings)} == {1}


def test_a_kind_of_file_has_no_topic(settings: Settings) -> None:
    with pytest.raises(ValueError, match="read from files"):
        RawTopic(settings, kind_named("salesforce-history"), "salesforce", VIEW)
    assert issubclass(NoRawTopic, ValueError)
    assert Outgoing("rereads", b"", b"", 0).at == 0
