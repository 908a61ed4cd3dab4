"""A worker that lost its partitions and does not know it yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from live import Worker, produce, read, until, wait_for_the_end
from pushed import deals
from wellwon.core.state import PREFIX, VERSION, read_prefix
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings

Start = Callable[..., Worker]


def last_states(settings: Settings) -> dict[bytes, bytes]:
    """The last record of each deal in the changelog."""
    last = {message.key() or b"": message.value() or b"" for message in read(settings, topics.STATE)}
    return {key: value for key, value in last.items() if key.startswith(b"deal-")}


def by_generation(states: dict[bytes, bytes], number: int, back: int = 1) -> list[tuple[bytes, bytes]]:
    """The states as another generation would have written them, from so many places before in the log.

    At the same place it would have been before the clock that they were settled by.
    """
    written = []
    for key, value in states.items():
        was = read_prefix(value)
        head = PREFIX.pack(VERSION, was.epoch, number, was.offset - back, was.wake_at - 1)
        written.append((key, head + value[PREFIX.size :]))
    return written


@pytest.fixture
def still(live: Settings) -> Settings:
    """No clock: nothing but changes touches the states."""
    return replace(live, clock="log")


def test_what_a_gone_worker_writes_is_written_again(still: Settings, start: Start) -> None:
    worker = start(still).wait_ready()
    produce(still, deals(8))
    wait_for_the_end(still)
    good = last_states(still)
    produce(still, by_generation(good, 0), topics.STATE)
    until(lambda: worker.metrics()["wellwon_foreign_states_total"] == 8, "the states to be rewritten")
    until(lambda: last_states(still) == good, "the rewritten states to arrive")
    assert worker.stop() == 0


@pytest.mark.parametrize("back", [1, 0])
def test_a_restore_takes_the_newer_state_and_mends_the_changelog(still: Settings, start: Start, back: int) -> None:
    worker = start(still).wait_ready()
    produce(still, deals(8))
    wait_for_the_end(still)
    assert worker.stop() == 0
    good = last_states(still)
    produce(still, by_generation(good, 0, back), topics.STATE)

    worker = start(still).wait_ready()
    until(lambda: last_states(still) == good, "the older states to be rewritten")
    assert worker.stop() == 0


def test_what_a_group_writes_that_counts_from_1_again_is_the_newer(still: Settings, start: Start) -> None:
    worker = start(still).wait_ready()
    produce(still, deals(8)[:8])
    wait_for_the_end(still)
    assert worker.stop() == 0
    produce(still, by_generation(last_states(still), 900, back=0), topics.STATE)

    again = replace(still, group=f"{still.group}-forgotten", data=still.data / "again")
    worker = start(again).wait_ready()
    produce(again, deals(8)[8:])
    wait_for_the_end(again)
    assert {read_prefix(value).generation for value in last_states(again).values()} == {901}
    assert worker.stop() == 0


def test_the_one_that_should_be_gone_goes(still: Settings, start: Start) -> None:
    worker = start(still).wait_ready()
    produce(still, deals(8))
    wait_for_the_end(still)
    produce(still, by_generation(last_states(still), 999), topics.STATE)
    until(lambda: worker.exit_code is not None, "the worker to stop")
    assert worker.exit_code == 1
    assert "belongs to another worker by now" in worker.tail()
