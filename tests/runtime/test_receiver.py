"""What HubSpot posts is in Kafka when it is answered; what HubSpot did not post is not."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import aiohttp
import orjson
import pytest
from confluent_kafka import Consumer, TopicPartition
from prometheus_client import CollectorRegistry

from fakes import hubspot
from wellwon.runtime import topics
from wellwon.runtime.connection import librdkafka
from wellwon.runtime.embedded import EmbeddedBroker
from wellwon.runtime.ingest_metrics import ReceiverMetrics
from wellwon.runtime.normalise import RawTopic
from wellwon.runtime.receiver import Receiver
from wellwon.runtime.settings import Settings
from wellwon.sources.kinds import kind_named
from wellwon.sources.mapping import SourceView

from .test_ingest import log

SECRET = "app-secret"
URL = "https://in.example.com/hubspot"


@pytest.fixture
def settings() -> Iterator[Settings]:
    with EmbeddedBroker() as broker:
        found = replace(broker.settings(), hubspot_secret=SECRET, hubspot_url=URL)
        broker.declare(found)
        yield found


def now() -> int:
    return time.time_ns() // 1_000_000


def body_of(number: int, first: int = 0) -> bytes:
    at = now()
    return orjson.dumps(
        [hubspot.changed("amount", str(n), at=at, deal=1_000 + n) for n in range(first, first + number)]
    )


def post(settings: Settings, *requests: tuple[bytes, dict[str, str]]) -> tuple[list[int], CollectorRegistry]:
    """The answers to requests that are sent one after the other, and what was measured."""
    metrics = ReceiverMetrics()

    async def run() -> list[int]:
        async with Receiver(settings, metrics).serving("127.0.0.1:0") as receiver, aiohttp.ClientSession() as session:
            answers = []
            for body, headers in requests:
                async with session.post(
                    f"http://127.0.0.1:{receiver.port}/x", data=io.BytesIO(body), headers=headers
                ) as answer:
                    answers.append(answer.status)
            return answers

    return asyncio.run(run()), metrics.registry


def signed(body: bytes, at: int | None = None, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    return body, hubspot.headers(secret, URL, body, at or now())


def raw(settings: Settings) -> list[Any]:
    """What the raw topic holds at this moment, without waiting."""
    consumer = Consumer({**librdkafka(settings), "group.id": "test", "enable.auto.commit": False})
    found = []
    name = settings.topic(topics.RAW + "hubspot")
    for number in consumer.list_topics(name, timeout=10).topics[name].partitions:
        part = TopicPartition(name, number, 0)
        _, end = consumer.get_watermark_offsets(part, timeout=10)
        consumer.assign([part])
        for _ in range(end):
            message = consumer.poll(10)
            assert message is not None
            found.append(orjson.loads(message.value()))
    consumer.close()
    return found


def test_a_body_is_in_kafka_event_by_event_when_it_is_answered(settings: Settings) -> None:
    answers, measured = post(settings, signed(body_of(100)), signed(b"[]"))
    assert answers == [200, 200]
    assert sorted(event["objectId"] for event in raw(settings)) == [1_000 + n for n in range(100)]
    assert measured.get_sample_value("wellwon_webhook_events_total") == 100
    assert measured.get_sample_value("wellwon_webhook_requests_total", {"outcome": "taken"}) == 2


def test_forged_replayed_and_meaningless_requests_leave_nothing(settings: Settings) -> None:
    body = body_of(1)
    answers, measured = post(
        settings,
        (body, {}),
        signed(body, secret="guessed"),
        (body_of(2), signed(body)[1]),
        signed(body, now() - 6 * 60_000),
        signed(body, now() + 6 * 60_000),
        signed(b"not json"),
        signed(b'{"objectId": 1}'),
        signed(b"[" + b" " * 2**20 + b"]"),
        signed(body_of(1, first=7)),
    )
    assert answers == [401, 401, 401, 401, 401, 400, 400, 413, 200]
    assert [event["objectId"] for event in raw(settings)] == [1_007]
    assert measured.get_sample_value("wellwon_webhook_requests_total", {"outcome": "forged"}) == 5


def test_kafka_away_is_told_within_the_second_so_that_hubspot_comes_again(settings: Settings) -> None:
    began = time.monotonic()
    answers, measured = post(replace(settings, kafka="127.0.0.1:1"), signed(body_of(3)))
    assert answers == [503]
    assert time.monotonic() - began < 8  # the answer within a second; the producer's own end may take three
    assert measured.get_sample_value("wellwon_webhook_requests_total", {"outcome": "kafka_failed"}) == 1
    assert measured.get_sample_value("wellwon_webhook_seconds_sum") < 2


def test_from_the_request_to_the_log_of_changes(settings: Settings) -> None:
    at = now()
    late, early, closed = (
        hubspot.changed("dealstage", stage, at=at + ms)
        for stage, ms in (("presentationscheduled", 900), ("qualifiedtobuy", 0), ("closedwon", 2_000))
    )
    again = {**early, "attemptNumber": 1}
    bodies = [orjson.dumps(events) for events in ([late, early], [again, {"a": 1}], [closed])]
    assert post(settings, *(signed(body) for body in bodies))[0] == [200, 200, 200]
    with RawTopic(settings, kind_named("hubspot-webhooks"), "hubspot", SourceView()) as topic:
        read = 0
        while read < 5:
            read += topic.step()
        counts = topic.counts()
        measured = topic.metrics.registry
        assert topic.ready() is None
    assert counts == {"changes": 3, "rereads": 0, "dead_letters": 1, "duplicate": 1}
    stages = {orjson.loads(value)["values"]["stage"] for part in log(settings).values() for _, value in part}
    assert stages == {"presentationscheduled", "qualifiedtobuy", "closedwon"}
    assert measured.get_sample_value("wellwon_raw_written_total", {"what": "changes"}) == 3
    assert measured.get_sample_value("wellwon_raw_rejections_total", {"reason": "bad_event"}) == 1
    assert measured.get_sample_value("wellwon_raw_lag_records") == 0
