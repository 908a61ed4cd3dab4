"""Which of two states in the changelog is the newer one."""

from __future__ import annotations

from dataclasses import replace

from live import produce
from wellwon.core.state import CONTROL_KEY, PREFIX, VERSION
from wellwon.runtime import restore, topics
from wellwon.runtime.settings import Settings


def state(epoch: int, generation: int, offset: int) -> bytes:
    return PREFIX.pack(VERSION, epoch, generation, offset, -1) + b"body"


OLDER_AND_NEWER = {
    b"a later record": (state(1, 1, 4), state(1, 1, 5)),
    b"a record, after time alone in a new epoch": (state(1, 2, -1), state(1, 2, 0)),
    b"a new log, whose offsets begin again": (state(0, 9, 1_000), state(1, 10, -1)),
    b"time alone, after the same record, by the next owner": (state(1, 1, 4), state(1, 2, 4)),
}
SAME_OWNER = {b"time alone, after the same record": (state(1, 2, 4), state(1, 2, 4) + b", later")}


def test_the_newer_state_is_restored(live: Settings) -> None:
    cases = OLDER_AND_NEWER | SAME_OWNER | {CONTROL_KEY: OLDER_AND_NEWER[b"a later record"]}
    produce(live, [(key, value) for key, states in cases.items() for value in states], topics.STATE)
    store, stale = restored(live)
    assert store == {key: newer for key, (_, newer) in cases.items()}
    assert not stale


def test_an_older_state_that_comes_later_is_to_be_rewritten(live: Settings) -> None:
    cases = OLDER_AND_NEWER | {CONTROL_KEY: OLDER_AND_NEWER[b"a later record"]}
    produce(live, [(key, value) for key, states in cases.items() for value in reversed(states)], topics.STATE)
    store, stale = restored(live)
    assert store == {key: newer for key, (_, newer) in cases.items()}
    assert stale == set(cases)


def restored(settings: Settings) -> tuple[dict[bytes, bytes], set[bytes]]:
    """What all partitions hold, and what of it is to be rewritten."""
    source = restore.inspect(settings)
    store: dict[bytes, bytes] = {}
    stale: set[bytes] = set()
    settings = replace(settings, epoch=2)
    for found in restore.restore(settings, source, range(source.partitions), settings.data).values():
        store |= found.store
        stale |= found.stale
    return store, stale
