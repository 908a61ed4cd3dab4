"""One deal of the running system: its state, read from the changelog to its end, as the worker that owns it has it."""

from __future__ import annotations

from dataclasses import dataclass

from kafka.partitioner.default import murmur2

from wellwon.core.state import CONTROL_KEY, State, decode_control, decode_state
from wellwon.runtime import restore
from wellwon.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Found:
    """What a partition knows; ``state`` is None where it does not have the deal."""

    partition: int
    state: State | None
    """Not restored yet: `engine.restore` folds its tail under the policy."""
    policy: str | None
    """Text of the policy in force in the partition; None where no worker has run there."""
    clock: int
    """The partition's clock, epoch milliseconds; 0 where it has none."""


def partition_of(deal: str, partitions: int) -> int:
    """The partition of a deal: the murmur2 of its id, as every client of ours places it."""
    return partition_of_key(deal.encode(), partitions)


def partition_of_key(key: bytes, partitions: int) -> int:
    """The partition of a record's key."""
    number: int = murmur2(key)
    return (number & 0x7FFFFFFF) % partitions


def look_up(settings: Settings, deal: str) -> Found:
    """Read what the running system knows of a deal. Raises `restore.Refused`, `NewerState`, KafkaException."""
    source = restore.inspect(settings)
    partition = partition_of(deal, source.partitions)
    store = restore.restore(settings, source, [partition], settings.data)[partition].store
    value, control = store.get(deal.encode()), store.get(CONTROL_KEY)
    saved = None if control is None else decode_control(control)
    return Found(
        partition,
        None if value is None else decode_state(value),
        None if saved is None else saved.policy,
        0 if saved is None else max(saved.clocks, default=0),
    )
