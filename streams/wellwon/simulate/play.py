"""Play deliveries to the core alone, with the clock between them: no broker, no worker."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from wellwon.core.partition import Output, Partition
from wellwon.core.units import HOUR
from wellwon.core.wire import encode_clock
from wellwon.simulate.stream import Delivery

SLICE: Final = 500
CLOCK_KEY: Final = b"\0clock"


class Record(NamedTuple):
    """A record as a partition's log holds it."""

    key: bytes | None
    value: bytes | None
    offset: int


def with_clock(deliveries: Iterable[Delivery], until: int, every: int = HOUR) -> Iterator[Delivery]:
    """The deliveries with a clock record at every full interval (milliseconds), up to and including ``until``."""
    tick = 0
    for delivery in deliveries:
        tick = tick or delivery.at // every * every
        while tick <= delivery.at:
            yield Delivery(encode_clock(tick), CLOCK_KEY, tick)
            tick += every
        yield delivery
    while tick and tick <= until:
        yield Delivery(encode_clock(tick), CLOCK_KEY, tick)
        tick += every


def play(partition: Partition, deliveries: Iterable[Delivery]) -> Iterator[Output]:
    """What the partition makes of the deliveries, slice by slice."""
    records: list[Record] = []
    for offset, delivery in enumerate(deliveries):
        records.append(Record(delivery.key, delivery.value, offset))
        if len(records) >= SLICE or delivery.key == CLOCK_KEY:
            yield from _apply(partition, records)
            records = []
    yield from _apply(partition, records)


def _apply(partition: Partition, records: list[Record]) -> Iterator[Output]:
    yield partition.apply(records)
    while (settled := partition.settle()) is not None:
        yield settled
