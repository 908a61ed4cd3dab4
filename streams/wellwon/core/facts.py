"""What a rollup knows of a deal: a small record that replaces the one before it.

`Outcomes` makes one when something changed that owners', teams' or periods' patterns count. It says how the deal
stands, not what happened to it: what was corrected, taken back or told twice needs no record of its own.
The facts of a slice travel together, as a `Batch`. A `Mark` among the batches says that one partition of the log has
come to an instant: no fact from before it follows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

import msgspec

from wellwon.core import items
from wellwon.core.items import PolicyRecord
from wellwon.core.rule import AMOUNT, DATE, OWNER, PRICE, STATUS
from wellwon.core.units import parse_instant

FACTS_SCHEMA: Final = "facts.v1"
MARK: Final = "mark"
DEALS: Final = "deals"
BATCH_BYTES: Final = 1_000_000
"""A longer batch is told in two records: what brokers and clients take of old."""

COUNTED_OPEN: Final = DATE | AMOUNT | OWNER | STATUS
"""Parts of an open deal that a rollup counts."""
COUNTED_CLOSED: Final = COUNTED_OPEN | PRICE
"""What it was sold for counts once it is closed."""


class Redated(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The close date went from ``old`` to ``new`` (day numbers)."""

    at: int
    old: int | None
    new: int | None
    counts: bool
    """A person did it, and it is behaviour."""
    own: bool
    """The person is the one who owns the deal now."""

    @property
    def is_push(self) -> bool:
        """A person moved the date later."""
        return self.counts and self.old is not None and self.new is not None and self.new > self.old

    @property
    def is_pull_in(self) -> bool:
        """A person moved the date earlier."""
        return self.counts and self.old is not None and self.new is not None and self.new < self.old


class Fact(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """How a deal stands. Of two facts of a deal the one with the greater ``(at, offset)`` holds.

    Positional, on the wire and in the store: append only, with defaults.
    """

    deal: str
    at: int
    offset: int
    """Of the change that brought it about, in its partition of the log."""
    name: str
    owner: str
    label: str
    """Value of the policy's ``team_label``, empty where it names none."""
    segment: str
    pipeline: str
    deal_type: str
    currency: str
    amount: int | None
    """Of a year, hundredths."""
    discount: int | None
    """Hundredths of a point."""
    status: Annotated[int, msgspec.Meta(ge=0, le=3)]
    first_at: int
    closed_at: int
    won_at: int
    """0 for a deal that is not won, or was not seen to be."""
    close_date: int | None
    moves: tuple[Redated, ...]
    refolded: bool
    """The past of the deal was read anew: a correction, a bulk edit found later, a change that came late."""

    @property
    def revision(self) -> tuple[int, int]:
        """Which of two facts of a deal is the newer one."""
        return self.at, self.offset


class Batch(msgspec.Struct, tag_field="kind", tag=DEALS, frozen=True):
    """The facts of one slice of partition ``partition``: of each deal the last of each hour."""

    schema: str
    partition: int
    facts: tuple[Fact, ...]


class Mark(msgspec.Struct, tag_field="kind", tag=MARK, frozen=True):
    """Partition ``partition``, one of ``partitions``, has come to the instant ``at``."""

    schema: str
    at: int
    partition: int
    partitions: int


class _Policy(msgspec.Struct, tag_field="kind", tag=items.POLICY, frozen=True):
    at: str
    policy: str


# --- writing --------------------------------------------------------------------------------------------------

_encode: Final = msgspec.json.Encoder().encode


def encode_facts(facts: Sequence[Fact], partition: int) -> Iterator[bytes]:
    """The published form of the facts of a slice: one record, more where that would be too long a one."""
    if not facts:
        return
    value = _encode(Batch(FACTS_SCHEMA, partition, tuple(facts)))
    if len(value) <= BATCH_BYTES or len(facts) == 1:
        yield value
    else:
        half = len(facts) // 2
        yield from encode_facts(facts[:half], partition)
        yield from encode_facts(facts[half:], partition)


def encode_mark(at: int, partition: int, partitions: int) -> bytes:
    """A mark's published form."""
    return _encode(Mark(FACTS_SCHEMA, at, partition, partitions))


# --- reading --------------------------------------------------------------------------------------------------

_decode: Final = msgspec.json.Decoder(Batch | Mark | _Policy).decode


def read(value: bytes) -> Batch | Mark | PolicyRecord:
    """A record of the facts. Raises ValueError for what is none."""
    item = _decode(value)
    return PolicyRecord(parse_instant(item.at), item.policy) if isinstance(item, _Policy) else item
