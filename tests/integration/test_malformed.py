"""Thousands of malformed records through a running worker: each is accounted for, and the good ones apply."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain

import oracle
from live import Record, Worker, produce, read, wait_for_the_end
from malformed import malformed
from pushed import deals
from wellwon.runtime import topics
from wellwon.runtime.settings import Settings

BAD = 6_000


def test_each_is_a_dead_letter_and_the_worker_goes_on(live: Settings, start: Callable[..., Worker]) -> None:
    good: list[Record] = list(deals(20))
    bad = list(malformed(7, BAD))
    every = BAD // len(good)
    worker = start(live).wait_ready()
    produce(live, chain.from_iterable((*bad[i * every : (i + 1) * every], one) for i, one in enumerate(good)))
    wait_for_the_end(live)
    applied = worker.metrics()["wellwon_changes_total"]
    assert worker.stop() == 0
    expected, found = oracle.expected(live, oracle.real_core()), oracle.taken_up(live, oracle.real_core())
    letters = len(read(live, topics.DEAD_LETTERS))
    assert letters + applied == (every + 1) * len(good), "spoilt where nobody reads, a record is still a good one"
    assert letters > 0.99 * BAD
    assert len(found.dead_letters) == letters
    assert found.dead_letters == expected.dead_letters
    assert found.alerts == expected.alerts != {}
    assert found.states == expected.states
