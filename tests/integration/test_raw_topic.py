"""A raw topic with one partition, on a real broker: a restart in the middle of a bulk edit loses nothing of it."""

from __future__ import annotations

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

import live
from kafka_broker import free_port, running
from wellwon.runtime import topics
from wellwon.runtime.connection import librdkafka
from wellwon.runtime.normalise import NoRawTopic, RawTopic
from wellwon.runtime.settings import Settings
from wellwon.sources.kinds import kind_named
from wellwon.sources.mapping import SourceView

CDC = kind_named("salesforce-cdc")
VIEW = SourceView(bulk_records=3)
AT = 1_792_000_000_000


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    with running(tmp_path_factory.mktemp("kafka")) as broker:
        found = Settings(kafka=broker.bootstrap, topic_prefix="raw-topic-test.", partitions=2)
        topics.create(found, [*topics.TOPICS, topics.raw_topic("salesforce")])
        yield found


def event(number: int) -> bytes:
    """The same field of one deal after another, by one person, a second apart."""
    header = {
        "entityName": "Opportunity",
        "recordIds": [f"006Wx{number:010d}AAA"],
        "changeType": "UPDATE",
        "transactionKey": f"t{number}",
        "sequenceNumber": 1,
        "commitTimestamp": AT + number * 1_000,
        "commitUser": "005Wx0000000001AAA",
        "changedFields": ["StageName", "LastModifiedDate"],
    }
    return orjson.dumps({"ChangeEventHeader": header, "StageName": "A"})


def put(settings: Settings, numbers: range) -> None:
    producer = Producer(librdkafka(settings))
    for number in numbers:
        producer.produce(settings.topic("raw.salesforce"), value=event(number))
    assert producer.flush(30) == 0


def follow(settings: Settings, records: int) -> tuple[int, int]:
    """Read so many records; return how many were read for the first time, and what was written."""
    with RawTopic(settings, CDC, "salesforce", VIEW) as raw:
        read = 0
        while read < records:
            read += raw.step()
        return raw.followed.read, raw.counts()["changes"]


def written(settings: Settings) -> list[dict[str, Any]]:
    name = settings.topic("opportunity-changes")
    consumer = Consumer({**librdkafka(settings), "group.id": "test", "enable.auto.commit": False})
    found = []
    for number in range(settings.partitions):
        _, end = consumer.get_watermark_offsets(TopicPartition(name, number), timeout=30)
        consumer.assign([TopicPartition(name, number, 0)])
        for _ in range(end):
            message = consumer.poll(30)
            assert message is not None
            assert message.error() is None
            found.append(orjson.loads(message.value()))
    consumer.close()
    return found


def served(settings: Settings, page: str) -> str:
    with urllib.request.urlopen(f"http://{settings.http}/{page}", timeout=5) as reply:
        return str(reply.read().decode())


def test_a_restart_within_a_bulk_edit(settings: Settings) -> None:
    put(settings, range(2))
    assert follow(settings, 2) == (2, 2)
    put(settings, range(2, 5))
    # The first two are read again, silently.
    assert follow(settings, 5) == (3, 6)
    changes = written(settings)
    bulk = {e["opportunity_id"]: e["bulk"] for e in changes if e["kind"] == "changed"}
    assert bulk == {f"006Wx{n:010d}AAA": (4 if n == 3 else 5 if n == 4 else 1) for n in range(5)}
    reclassified = sorted(e["opportunity_id"] for e in changes if e["kind"] == "reclassified")
    assert reclassified == [f"006Wx{n:010d}AAA" for n in range(3)]


def test_a_topic_that_is_not_there(settings: Settings) -> None:
    with pytest.raises(NoRawTopic, match=r"there is no topic raw-topic-test\.raw\.hubspot"):
        RawTopic(settings, CDC, "hubspot", VIEW)


def test_the_command_follows_until_it_is_stopped(settings: Settings) -> None:
    other = replace(settings, topic_prefix="follow-test.", partitions=2, http=f"127.0.0.1:{free_port()}")
    topics.create(other, [*topics.TOPICS, topics.raw_topic("salesforce")])
    put(other, range(2))
    command = [sys.executable, "-m", "wellwon", "ingest", "salesforce-cdc", "--follow", "salesforce"]
    process = subprocess.Popen(command, env=live.environment(other), stderr=subprocess.PIPE, text=True)
    try:
        live.until(lambda: len(written(other)) == 2, "the first changes")
        put(other, range(2, 3))
        live.until(lambda: len(written(other)) == 3, "what came later")
        live.until(lambda: "wellwon_raw_records_total 3.0" in served(other, "metrics"), "the metrics")
        assert served(other, "live") == served(other, "ready") == "ok\n"
    finally:
        process.terminate()
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0, said
    assert "3 records read; changes 3" in said
