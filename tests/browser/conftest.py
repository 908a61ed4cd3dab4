"""A browser, a broker, a detect worker and the page's server, all real."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chromium import Browser, Tab, running
from kafka_broker import Broker, free_port
from kafka_broker import running as a_broker
from live import Worker, settings_for
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings

WEB = (sys.executable, "-m", "wellwon.web.run")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with a_broker(tmp_path_factory.mktemp("kafka")) as node:
        yield node


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running(tmp_path_factory.mktemp("chromium")) as one:
        yield one


@pytest.fixture
def tab(browser: Browser) -> Iterator[Tab]:
    """A page. Whatever it complains of in its console fails the test."""
    one = browser.tab()
    one.size(1280, 900)
    yield one
    assert one.complaints == []


@pytest.fixture
def live(broker: Broker, tmp_path: Path, request: pytest.FixtureRequest) -> Settings:
    """Settings for this test alone, its topics created."""
    settings = settings_for(broker.bootstrap, tmp_path, request.node.name.replace("_", "-")[:80])
    settings = replace(settings, web=f"127.0.0.1:{free_port()}")
    topics.create(settings)
    return settings


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Serve the page; its address. Workers that were started end with the test."""
    workers: list[Worker] = []

    def begin(settings: Settings, *, detect: bool = False) -> str:
        if detect:
            workers.append(Worker(settings).start().wait_ready())
        mine = replace(settings, http=f"127.0.0.1:{free_port()}", instance="web")
        workers.append(Worker(mine, WEB).start().wait_ready())
        return f"http://{settings.web}"

    yield begin
    codes = [worker.stop() for worker in reversed(workers)]
    assert codes == [0] * len(workers)
