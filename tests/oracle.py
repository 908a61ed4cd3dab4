"""The core alone over the same log: what the live worker must have produced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TypeVar

import orjson

from live import read
from wellwon.core.partition import Partition
from wellwon.core.state import PREFIX
from wellwon.policy import compile_text
from wellwon.runtime import topics
from wellwon.runtime.owned import Core
from wellwon.runtime.settings import Settings

Key = TypeVar("Key")
MakeCore = Callable[[int, dict[bytes, bytes]], Core]


def real_core(policy: str = "", epoch: int = 0) -> MakeCore:
    """The core as the worker builds it."""
    return lambda number, store: Partition(number, policy, store, compile_text, epoch=epoch)


@dataclass
class Outcome:
    """Alerts and wins by id and revision, and the states without what depends on who wrote them."""

    alerts: dict[tuple[str, int], bytes] = field(default_factory=dict)
    wins: dict[str, bytes] = field(default_factory=dict)
    states: dict[bytes, bytes] = field(default_factory=dict)
    dead_letters: set[tuple[int, int, str]] = field(default_factory=set)
    conflicts: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Alerts and wins that were sent with two contents."""
    stores: dict[int, dict[bytes, bytes]] = field(default_factory=dict)
    """The changelog of each partition, as it is."""


def expected(settings: Settings, make_core: MakeCore) -> Outcome:
    """Run the core over everything in the change topic."""
    return _read_on(settings, make_core, Outcome())


def taken_up(settings: Settings, make_core: MakeCore) -> Outcome:
    """What the workers left in Kafka, and what the next one makes of it: a clock may come just before a stop."""
    return _read_on(settings, make_core, found(settings))


def _read_on(settings: Settings, make_core: MakeCore, outcome: Outcome) -> Outcome:
    cores: dict[int, Core] = {}
    for message in read(settings, topics.CHANGES):
        number = message.partition()
        if number not in cores:
            cores[number] = make_core(number, outcome.stores.setdefault(number, {}))
        core = cores[number]
        record = SimpleNamespace(key=message.key(), value=message.value(), offset=message.offset())
        _take(outcome, number, core.apply([record]))
        while (settled := core.settle()) is not None:
            _take(outcome, number, settled)
    for store in outcome.stores.values():
        outcome.states.update(_bare(store))
    return outcome


def _take(outcome: Outcome, number: int, output: object) -> None:
    for _, value in output.alerts:  # type: ignore[attr-defined]
        _note(outcome, outcome.alerts, _identity(value), value)
    for _, value in output.wins:  # type: ignore[attr-defined]
        _note(outcome, outcome.wins, orjson.loads(value)["id"], value)
    for letter in output.dead_letters:  # type: ignore[attr-defined]
        outcome.dead_letters.add((number, letter.offset, letter.reason))


def _note(outcome: Outcome, told: dict[Key, bytes], key: Key, value: bytes) -> None:
    """A worker that was frozen may repeat an older one last; what has one id has one content."""
    if told.setdefault(key, value) != value:
        outcome.conflicts.append((told[key], value))


def found(settings: Settings) -> Outcome:
    """What the workers left in Kafka."""
    outcome = Outcome()
    for message in read(settings, topics.ALERTS):
        value = message.value() or b""
        _note(outcome, outcome.alerts, _identity(value), value)
    for message in read(settings, topics.WINS):
        value = message.value() or b""
        _note(outcome, outcome.wins, orjson.loads(value)["id"], value)
    for message in read(settings, topics.STATE):
        key, value = message.key() or b"", message.value()
        store = outcome.stores.setdefault(message.partition(), {})
        if value is None:
            store.pop(key, None)
        else:
            store[key] = value
    for store in outcome.stores.values():
        outcome.states.update(_bare(store))
    for message in read(settings, topics.DEAD_LETTERS):
        letter = orjson.loads(message.value() or b"")
        outcome.dead_letters.add((letter["partition"], letter["offset"], letter["reason"]))
    return outcome


def _identity(value: bytes) -> tuple[str, int]:
    alert = orjson.loads(value)
    return alert["id"], alert["revision"]


def _bare(store: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """The body of each deal: who wrote it, and which repeat it skipped last, are no part of what is known of it."""
    return {key: value[PREFIX.size :] for key, value in store.items() if key[:1] != b"\0"}
