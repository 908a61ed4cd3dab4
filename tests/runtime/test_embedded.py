"""The broker inside the process serves what the demo asks of it."""

from __future__ import annotations

import asyncio

from confluent_kafka import Consumer, Producer, TopicPartition

from wellwon.runtime import topics
from wellwon.runtime.embedded import PARTITIONS, EmbeddedBroker
from wellwon.runtime.worker import build_detect, working

from .test_ingest import log


def test_declared_topics_are_there_and_empty() -> None:
    with EmbeddedBroker() as broker:
        settings = broker.settings()
        broker.declare(settings)
        found = Producer({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=10).topics
        assert {name: len(entry.partitions) for name, entry in found.items()} == {
            settings.topic(topic.name): PARTITIONS for topic in topics.TOPICS
        }
        assert not any(log(settings).values())


def test_settings_may_be_changed_and_their_folder_goes_with_the_broker() -> None:
    with EmbeddedBroker() as broker:
        settings = broker.settings(clock="log")
        assert (settings.kafka, settings.clock, settings.partitions) == (broker.bootstrap, "log", PARTITIONS)
        assert broker.settings().data == settings.data
        assert settings.data.is_dir()
    assert not settings.data.exists()


def test_two_brokers_do_not_meet() -> None:
    with EmbeddedBroker() as one, EmbeddedBroker() as other:
        assert one.bootstrap != other.bootstrap


def test_a_worker_becomes_ready_and_writes_its_clock() -> None:
    async def run() -> None:
        with EmbeddedBroker() as broker:
            settings = broker.settings(clock_seconds=0.05)
            await asyncio.to_thread(broker.declare, settings)
            detect = build_detect(settings)
            consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "tests"})
            part = TopicPartition(settings.topic(topics.CHANGES), 0)
            async with asyncio.timeout(60), working(detect):
                while detect.ready() is not None:
                    await asyncio.sleep(0.01)
                while (await asyncio.to_thread(consumer.get_watermark_offsets, part, 5))[1] < 3:
                    assert detect.failure is None
            consumer.close()

    asyncio.run(run())
