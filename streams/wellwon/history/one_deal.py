"""One deal of a history, played to its end: its state as a worker would have it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from wellwon.core.engine import restore
from wellwon.core.model import Ruleset
from wellwon.core.partition import Partition
from wellwon.core.state import State, decode_state
from wellwon.core.wire import encode_clock
from wellwon.history.clock import Tick, with_clock
from wellwon.history.replay import Change, LogRecord


@dataclass(frozen=True, slots=True)
class Played:
    """A deal at the end of a history; ``state`` is None where it is in none of its records, or has left the state."""

    state: State | None
    changes: int
    deals: int
    """How many deals the history has."""


def play(
    deal: str,
    records: Iterable[Change],
    policy: str,
    compile_policy: Callable[[str], Ruleset],
    until: int | None = None,
) -> Played:
    """Apply the records of one deal, with the clock of the whole history, up to ``until`` (epoch milliseconds)."""
    key = deal.encode()
    store: dict[bytes, bytes] = {}
    partition = Partition(0, policy, store, compile_policy)
    deals: set[bytes] = set()
    changes = 0
    for offset, item in enumerate(with_clock(records, partition.ruleset.calendar, until)):
        if isinstance(item, Tick):
            record = LogRecord(None, encode_clock(item.at), offset)
        else:
            deals.add(item.key)
            if item.key != key:
                continue
            record = LogRecord(item.key, item.value, offset)
            changes += 1
        partition.apply([record])
        while partition.settle() is not None:
            pass
    stored = store.get(key)
    state = None if stored is None else restore(decode_state(stored), partition.ruleset)
    if state is not None:
        state.at = max(state.at, partition.clock)
    return Played(state, changes, len(deals))
