"""The deals of a history as a rollup knows them at an instant: the last fact of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from wellwon.core.facts import Fact
from wellwon.core.model import Ruleset
from wellwon.core.partition import Partition
from wellwon.core.wire import encode_clock
from wellwon.history.clock import Tick, with_clock
from wellwon.history.replay import SLICE, Change, LogRecord


class Facts(NamedTuple):
    """The facts, and the instant (epoch milliseconds) at which the history ended."""

    of_deals: tuple[Fact, ...]
    at: int


def facts_of(
    changes: Iterable[Change], policy: str, compile_policy: Callable[[str], Ruleset], until: int | None = None
) -> Facts:
    """Play the changes, clock included, up to ``until``. ``policy``: its text."""
    partition = Partition(0, policy, {}, compile_policy)
    found: dict[str, Fact] = {}
    waiting: list[LogRecord] = []

    def apply() -> None:
        for fact in partition.apply(waiting).facts.values():
            if fact.deal not in found or found[fact.deal].revision <= fact.revision:
                found[fact.deal] = fact
        while partition.settle() is not None:
            pass
        waiting.clear()

    for offset, item in enumerate(with_clock(changes, partition.ruleset.calendar, until)):
        if isinstance(item, Tick):
            waiting.append(LogRecord(None, encode_clock(item.at), offset))
        else:
            waiting.append(LogRecord(item.key, item.value, offset))
        if isinstance(item, Tick) or len(waiting) >= SLICE:
            apply()
    apply()
    return Facts(tuple(found.values()), partition.clock)
