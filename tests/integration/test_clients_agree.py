"""One partitioner everywhere: the three clients put every key into the same partition."""

from __future__ import annotations

import random

from aiokafka.partitioner import DefaultPartitioner
from confluent_kafka import Producer
from kafka import KafkaProducer

from kafka_broker import Broker
from live import read
from wellwon.runtime import topics
from wellwon.runtime.connection import kafka_python, librdkafka
from wellwon.runtime.outlet import PARTITIONER
from wellwon.runtime.settings import Settings

KEYS = sorted({random.Random(7).randbytes(number % 24 + 1) for number in range(300)} | {b"006SM0000001Tb3YAE"})


def test_every_client_places_keys_alike(broker: Broker, live: Settings) -> None:
    ours = Producer(librdkafka(live) | {"partitioner": PARTITIONER})
    for key in KEYS:
        ours.produce(live.topic(topics.ALERTS), key=key, value=b"librdkafka")
    ours.flush(10)
    theirs = KafkaProducer(**kafka_python(live))
    for key in KEYS:
        theirs.send(live.topic(topics.ALERTS), key=key, value=b"kafka-python")
    theirs.flush()
    theirs.close()

    everything = list(range(live.partitions))
    by_aiokafka = DefaultPartitioner()
    placed: dict[bytes, set[int]] = {key: {by_aiokafka(key, everything, everything)} for key in KEYS}
    for message in read(live, topics.ALERTS):
        placed[message.key()].add(message.partition())
    assert {key: parts for key, parts in placed.items() if len(parts) != 1} == {}
    assert {next(iter(parts)) for parts in placed.values()} == set(everything)
