"""What the numbers of a slice mean: pushes by week, concessions by days left, how long alerts were open, shadow."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from wellwon.core import wire
from wellwon.core.output import Counts, Output
from wellwon.core.partition import Partition
from wellwon.core.units import parse_instant
from wellwon.policy import compile_text

POLICY = "writers: {integration: [sync]}\n"
ANNA = {"id": "anna", "kind": "user"}


class Record:
    """A record of the log."""

    def __init__(self, key: bytes | None, value: bytes, offset: int) -> None:
        self.key, self.value, self.offset = key, value, offset


def counted(*items: dict[str, Any], until: str = "2026-09-30T00:00:00Z", policy: str = POLICY) -> Counts:
    """The counts of one deal's changes, each a dict with ``at`` and values, and of the time after them."""
    log = []
    for number, item in enumerate(items):
        at, writer = item.pop("at"), item.pop("writer", ANNA)
        kind = "changed" if number else "created"
        body = {"id": f"x:{number}", "opportunity_id": "D", "source": "test", "occurred_at": at, "kind": kind}
        body |= {"transaction": f"t{number}", "writer": writer, "bulk": 1, "values": item}
        log += [(None, wire.encode_clock(parse_instant(at))), (b"D", orjson.dumps(body))]
    log.append((None, wire.encode_clock(parse_instant(until))))
    partition = Partition(0, policy, {}, compile_text)
    counts = Counts()
    for offset, (key, value) in enumerate(log):
        out: Output | None = partition.apply([Record(key, value, offset)])
        while out is not None:
            for name in ("pushes", "concessions", "shadow", "resolutions", "transitions"):
                setattr(counts, name, dict(Counter(getattr(counts, name)) + Counter(getattr(out.counts, name))))
            counts.open_for += out.counts.open_for
            out = partition.settle()
    return counts


CREATED = {"at": "2026-06-02T10:00:00Z", "stage": "Value Proposition", "amount": "80000", "close_date": "2026-09-20"}


def test_a_push_counts_in_the_week_of_its_period() -> None:
    counts = counted(
        CREATED | {},
        {"at": "2026-07-03T10:00:00Z", "close_date": "2026-09-25"},
        {"at": "2026-09-22T10:00:00Z", "close_date": "2026-10-20"},
        {"at": "2026-09-24T10:00:00Z", "stage": "Negotiation/Review"},
    )
    assert counts.pushes == {1: 1, 12: 1}


def test_a_pull_in_and_what_a_machine_wrote_are_no_pushes() -> None:
    machine = {"id": "sync", "kind": "integration"}
    counts = counted(
        CREATED | {},
        {"at": "2026-07-03T10:00:00Z", "close_date": "2026-08-25"},
        {"at": "2026-07-22T10:00:00Z", "close_date": "2026-10-20", "writer": machine},
    )
    assert counts.pushes == {}


def test_a_late_concession_counts_by_the_days_left_and_how_long_it_stood() -> None:
    counts = counted(
        CREATED | {"discount_percent": "5", "stage": "Negotiation/Review"},
        {"at": "2026-09-27T10:00:00Z", "discount_percent": "25"},
        {"at": "2026-09-28T10:00:00Z", "discount_percent": "5"},
    )
    assert counts.concessions == {3: 1}
    assert ("late-discount", 86_400) in counts.open_for
    assert counts.resolutions["late-discount", "cleared"] == 1
    assert counts.shadow.get("late-discount", 0) == 0


def test_what_opens_in_shadow_is_told_apart() -> None:
    counts = counted(
        CREATED | {"discount_percent": "5", "stage": "Negotiation/Review"},
        {"at": "2026-09-27T10:00:00Z", "discount_percent": "25"},
        policy=POLICY + "rules: {late-discount: shadow}\n",
    )
    assert counts.shadow["late-discount"] == 1
