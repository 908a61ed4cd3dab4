"""One broker for all integration tests; each test has topics and a group of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kafka_broker import Broker, running
from live import Worker, settings_for
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with running(tmp_path_factory.mktemp("kafka")) as node:
        yield node


@pytest.fixture
def live(broker: Broker, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """Settings for this test alone, its topics created."""
    name = request.node.name.replace("[", "-").replace("]", "").replace("_", "-")[:80]
    settings = settings_for(broker.bootstrap, tmp_path, name)
    topics.create(settings)
    return settings


@pytest.fixture
def start() -> Iterator[Callable[..., Worker]]:
    """Start workers that are gone after the test, whatever happened."""
    workers: list[Worker] = []

    def begin(settings: Settings, *command: str) -> Worker:
        worker = Worker(settings, command or Worker.command).start()
        workers.append(worker)
        return worker

    yield begin
    for worker in workers:
        if worker.exit_code is None:
            worker.kill()
