"""The core alone over the same log: what the live worker must have produced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

import orjson

from live import read
from wellwon.core.partition import Partition
from wellwon.core.state import PREFIX
from wellwon.policy import compile_text
from wellwon.runtime import topics
from wellwon.runtime.owned import Core
from wellwon.runtime.settings import Settings

MakeCore = Callable[[int, dict[bytes, bytes]], Core]


def real_core(policy: str = "") -> MakeCore:
    """The core as the worker builds it."""
    return lambda number, store: Partition(number, policy, store, compile_text)


@dataclass
class Outcome:
    """Alerts and wins by id and revision, and the states without what depends on who wrote them."""

    alerts: dict[tuple[str, int], bytes] = field(default_factory=dict)
    wins: dict[str, bytes] = field(default_factory=dict)
    states: dict[bytes, bytes] = field(default_factory=dict)
    dead_letters: set[tuple[int, int, str]] = field(default_factory=set)
    conflicts: list[tuple[bytes, bytes]] = field(default_factory=list)
    """Alerts and wins that were sent with two contents."""


def expected(settings: Settings, make_core: MakeCore) -> Outcome:
    """Run the core over everything in the change topic."""
    outcome = Outcome()
    cores: dict[int, tuple[Core, dict[bytes, bytes]]] = {}
    for message in read(settings, topics.CHANGES):
        number = message.partition()
        if number not in cores:
            store: dict[bytes, bytes] = {}
            cores[number] = (make_core(number, store), store)
        core = cores[number][0]
        record = SimpleNamespace(key=message.key(), value=message.value(), offset=message.offset())
        _take(outcome, number, core.apply([record]))
        while (settled := core.settle()) is not None:
            _take(outcome, number, settled)
    for _, store in cores.values():
        outcome.states.update(_bare(store))
    return outcome


def _take(outcome: Outcome, number: int, output: object) -> None:
    for _, value in output.alerts:  # type: ignore[attr-defined]
        outcome.alerts[_identity(value)] = value
    for _, value in output.wins:  # type: ignore[attr-defined]
        outcome.wins[orjson.loads(value)["id"]] = value
    for letter in output.dead_letters:  # type: ignore[attr-defined]
        outcome.dead_letters.add((number, letter.offset, letter.reason))


def found(settings: Settings) -> Outcome:
    """What the workers left in Kafka."""
    outcome = Outcome()
    for message in read(settings, topics.ALERTS):
        value = message.value() or b""
        identity = _identity(value)
        if outcome.alerts.setdefault(identity, value) != value:
            outcome.conflicts.append((outcome.alerts[identity], value))
    for message in read(settings, topics.WINS):
        value = message.value() or b""
        win = orjson.loads(value)["id"]  # a worker that was frozen may repeat an older one last
        if outcome.wins.setdefault(win, value) != value:
            outcome.conflicts.append((outcome.wins[win], value))
    store: dict[bytes, bytes] = {}
    for message in read(settings, topics.STATE):
        key, value = message.key() or b"", message.value()
        if value is None:
            store.pop(key, None)
        else:
            store[key] = value
    outcome.states = _bare(store)
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
