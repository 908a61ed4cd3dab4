"""Records as a broken producer might write them, from a seed: nearly right, or nothing like it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import orjson

from pushed import deals

Record = tuple[bytes | None, bytes | None]

RUBBISH: tuple[Any, ...] = (
    None, True, -1, 0, 10**18, 1e308, "", " ", "\0", "9999-12-31", "0000-00-00", "٣", "NaN", "1e5", "x" * 5_000, [], {},
    [[[]]], {"a": {"b": None}}, "2026-13-45T99:99:99Z", "opportunity-change.v9",
)  # fmt: skip


def malformed(seed: int, count: int) -> Iterator[Record]:
    """So many records, none of them as it should be."""
    rng = Random(seed)
    good = deals(30)
    for number in range(count):
        key, value = rng.choice(good)
        yield rng.choice(WAYS)(rng, key, value.replace(b'"id":"', b'"id":"bad%d:' % number, 1))


def _cut(rng: Random, key: bytes, value: bytes) -> Record:
    return key, value[: rng.randrange(len(value))]


def _flipped(rng: Random, key: bytes, value: bytes) -> Record:
    spoilt = bytearray(value)
    for _ in range(rng.randint(1, 6)):
        spoilt[rng.randrange(len(spoilt))] = rng.randrange(256)
    spoilt[rng.randrange(len(spoilt))] = 0xFF  # never UTF-8
    return key, bytes(spoilt)


def _noise(rng: Random, key: bytes, _value: bytes) -> Record:
    return key, rng.randbytes(rng.randint(1, 300))


def _a_field(rng: Random, key: bytes, value: bytes) -> Record:
    record = orjson.loads(value)
    record[rng.choice(("id", "opportunity_id", "kind", "occurred_at", "schema"))] = rng.choice(([], {}, 7, None, ""))
    return key, orjson.dumps(record)


def _a_value(rng: Random, key: bytes, value: bytes) -> Record:
    record = orjson.loads(value)
    field = rng.choice(("close_date", "amount", "discount_percent", "term_months", "is_closed", "created_at"))
    wrong = [one for one in RUBBISH if one is not None and not isinstance(one, (bool, int))]
    record["values"] = {**record["values"], field: rng.choice([*wrong, 10**18])}
    return key, orjson.dumps(record)


def _anything(rng: Random, key: bytes, _value: bytes) -> Record:
    return key, orjson.dumps(rng.choice([one for one in RUBBISH if one != {"a": {"b": None}}]))


def _another_key(rng: Random, key: bytes, value: bytes) -> Record:
    return rng.choice((None, b"", key + b"x", b"\xff\xfe")), value


def _nothing(_rng: Random, key: bytes, _value: bytes) -> Record:
    return key, None


WAYS: tuple[Callable[[Random, bytes, bytes], Record], ...] = (
    _cut, _flipped, _noise, _a_field, _a_value, _anything, _another_key, _nothing,
)  # fmt: skip
