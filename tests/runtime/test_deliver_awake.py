"""A deliver worker that slept must not go on; one that only waits for something slow must."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from told import directory
from wellwon.core.facts import Fact
from wellwon.deliver.desk import Desk
from wellwon.runtime import deliver as module
from wellwon.runtime.deliver import Deliver
from wellwon.runtime.settings import Settings
from wellwon.runtime.zombies import Superseded


@pytest.fixture
def worker(tmp_path: Path) -> Deliver:
    made = Deliver(Settings(kafka="localhost:9", data=tmp_path), directory(), {})
    made.desk = Desk({}, made.directory)
    made.suspended = False
    return made


def test_what_a_crm_says_after_a_sleep_is_not_taken(worker: Deliver) -> None:
    worker._beat -= worker.settings.session_seconds
    worker._crm_settled(None, [])  # type: ignore[arg-type]
    assert isinstance(worker.failure, Superseded)


def test_reading_the_facts_of_a_week_for_long_is_no_sleep(worker: Deliver, monkeypatch: pytest.MonkeyPatch) -> None:
    read = threading.Event()

    def slowly(_settings: Settings) -> list[Fact]:
        assert read.wait(30)
        return []

    monkeypatch.setattr(module, "latest_facts", slowly)

    async def run() -> None:
        assert worker.desk is not None
        holding = asyncio.ensure_future(worker._hold_call(worker.desk))
        began = worker._beat
        observing = asyncio.ensure_future(worker.observing())
        try:
            async with asyncio.timeout(20):
                while worker._beat == began:
                    assert not observing.done(), observing.exception()
                    await asyncio.sleep(0)
        finally:
            read.set()
        await holding
        observing.cancel()

    asyncio.run(run())
    assert worker.failure is None
