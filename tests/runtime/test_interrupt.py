"""Ctrl-C while a file is sent in event time: what was sent is said, and that it may be sent again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from confluent_kafka import Consumer

from wellwon.runtime import topics
from wellwon.runtime.embedded import EmbeddedBroker
from wellwon.simulate.stream import Simulation


def test_ctrl_c_says_how_far_it_came(tmp_path: Path) -> None:
    file = tmp_path / "changes.jsonl"
    file.write_bytes(b"\n".join(delivery.value for delivery in Simulation(seed=1, deals=20).deliveries()))
    with EmbeddedBroker() as broker:
        settings = broker.settings()
        broker.declare(settings)
        environment = os.environ | {
            "WELLWON_KAFKA": settings.kafka,
            "WELLWON_TOPIC_PREFIX": settings.topic_prefix,
            "WELLWON_DECLARE_TOPICS": "no",
            "WELLWON_KAFKA_VERSION": settings.kafka_version,
        }
        command = [sys.executable, "-m", "wellwon", "ingest", "changes", str(file), "--speed", "60"]
        consumer = Consumer({"bootstrap.servers": settings.kafka, "group.id": "watch", "auto.offset.reset": "earliest"})
        consumer.subscribe([settings.topic(topics.CHANGES)])
        with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as ingest:
            while (arrived := consumer.poll(0.2)) is None or arrived.error():
                assert ingest.poll() is None
            ingest.send_signal(signal.SIGINT)
            _, said = ingest.communicate(timeout=30)
        consumer.close()
    assert ingest.returncode == 130
    assert re.fullmatch(r"stopped: [\d,]+ of [\d,]+ sent; running it again is safe\n", said), said
