"""Everything of one deal, and how it is stored: its past, its alerts, its win, and when it wakes."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import repeat
from typing import Final, NamedTuple

from wellwon.core import stored
from wellwon.core.deal import Deal
from wellwon.core.items import Change
from wellwon.core.stored import (
    AlertState,
    Control,
    WinState,
    decode_deal,
    decode_stored,
    decode_tail,
    encode,
    encode_change,
    encode_deal,
)


@dataclass(slots=True)
class State:
    """Everything of one deal. ``now``, which rules see, is ``base`` with ``tail`` folded on top; it is not stored."""

    base: bytes
    """The deal as it was before the tail, encoded: it is looked into only when the past changes."""
    tail: tuple[Change, ...]
    now: Deal
    seen: bytes = b""
    """The last source ids: 8 bytes of hash and 4 bytes of seconds each."""
    alerts: tuple[AlertState, ...] = ()
    win: WinState | None = None
    at: int = 0
    """The instant of the last evaluation; time never runs back for a deal."""
    wake_at: int = -1
    """When time alone may next change something, -1 never."""
    segment: str = ""
    policy: int = 0
    """CRC of the fingerprint of the policy that it was last evaluated under."""
    timers: dict[str, int] | None = field(default=None, compare=False)
    """When each rule that waits for time may answer otherwise; ``wake_at`` is the first of them. They are not stored:
    None after reading, until they are asked again."""

    def kept(self) -> Kept:
        """All of it but ``now``, for `kept_state`: a step changes a state in place, and may fail."""
        return (
            self.base,
            self.tail,
            self.seen,
            self.alerts,
            self.win,
            self.at,
            self.wake_at,
            self.segment,
            self.policy,
        )


_NEW: Final = encode_deal(Deal())


Kept = tuple[bytes, tuple[Change, ...], bytes, tuple[AlertState, ...], WinState | None, int, int, str, int]


def kept_state(kept: Kept) -> State:
    """The state as it was, with ``now`` still at ``base`` (see `engine.restore`)."""
    base, tail, seen, alerts, win, at, wake_at, segment, policy = kept
    return State(base, tail, decode_deal(base), seen, alerts, win, at, wake_at, segment, policy)


def new_state() -> State:
    """A deal of which nothing is known."""
    return State(_NEW, (), Deal())


# --- the stored form ------------------------------------------------------------------------------------------

VERSION: Final = 1
PREFIX: Final = struct.Struct(">BIIqq")
"""Version, epoch, generation, source offset, wake_at: readable without decoding the rest."""


_WAKE_AT: Final = struct.Struct(">q")


class Prefix(NamedTuple):
    """The fixed head of a stored state."""

    version: int
    epoch: int
    generation: int
    offset: int
    wake_at: int


class NewerState(Exception):
    """The changelog was written by a newer wellwon than this one."""


_EIGHT: Final = b"\x98"
"""How msgpack begins an array of eight: the fields of `_Stored`."""
_ARRAYS: Final = [bytes((0x90 + size,)) for size in range(16)]


def _array(size: int) -> bytes:
    return _ARRAYS[size] if size < 16 else b"\xdc" + size.to_bytes(2, "big")


class Held:
    """A deal in memory. It remembers how the parts were written that a change usually leaves as they are."""

    __slots__ = ("_alerts", "_tail", "_written_alerts", "_written_tail", "noted", "offset", "state")

    def __init__(self, state: State | None, offset: int) -> None:
        self.state = state
        """None once the deal has left."""
        self.offset = offset
        """Of the last record applied to it."""
        self.noted = -1 if state is None else state.wake_at
        """The instant at which `Wakes` has it, when it wakes then or later; -1 if it has to be noted."""
        self._alerts: tuple[AlertState, ...] | None = None
        self._tail: tuple[Change, ...] = ()
        self._written_alerts = self._written_tail = b""

    def encode(self, epoch: int, generation: int) -> bytes:
        """The changelog value: the prefix, the state, and which alerts are open."""
        state = self.state
        assert state is not None
        alerts, tail = state.alerts, state.tail
        if alerts is not self._alerts:
            self._written_alerts, self._alerts = encode(alerts), alerts
        if tail is not self._tail:
            known = len(self._tail)
            if known + 1 == len(tail) and tail[:known] == self._tail:
                self._written_tail += encode_change(tail[known])
            else:
                self._written_tail = b"".join([encode_change(change) for change in tail])
            self._tail = tail
        rest = encode((state.seen, state.win, state.at, state.segment, state.policy))
        return b"".join(
            (
                PREFIX.pack(VERSION, epoch, generation, self.offset, state.wake_at),
                _EIGHT,
                self._written_alerts,
                state.base,
                _array(len(tail)),
                self._written_tail,
                rest[1:],  # without the beginning of an array
                _open(alerts) if alerts else _NONE_OPEN,
            )
        )

    @classmethod
    def decode(cls, value: bytes, epoch: int) -> Held:
        """A stored deal, with ``now`` still at ``base`` (see `engine.restore`). Raises `NewerState`."""
        if value[0] != VERSION:
            read_prefix(value)
        _, written_epoch, _, offset, wake_at = PREFIX.unpack_from(value)
        open_at = len(value) - _OPEN_SIZE.size - _OPEN_SIZE.unpack_from(value, len(value) - _OPEN_SIZE.size)[0]
        kept = decode_stored(memoryview(value)[PREFIX.size : open_at])
        base, tail = bytes(kept.base), decode_tail(kept.tail)
        state = State(base, tail, decode_deal(base), kept.seen, kept.alerts, kept.win, kept.at, wake_at,
                      kept.segment, kept.policy)  # fmt: skip
        held = cls(state, offset if written_epoch == epoch else -1)
        held._tail, held._written_tail = tail, bytes(kept.tail)[len(_array(len(tail))) :]
        return held


def encode_state(state: State, *, epoch: int, generation: int, offset: int) -> bytes:
    """The changelog value of a state: what `Held.encode` writes."""
    return Held(state, offset).encode(epoch, generation)


def decode_state(value: bytes) -> State:
    """A stored state, with ``now`` still at ``base`` (see `engine.restore`). Raises `NewerState`."""
    state = Held.decode(value, 0).state
    assert state is not None
    return state


_OPEN_SIZE: Final = struct.Struct(">H")
_NONE_OPEN: Final = _OPEN_SIZE.pack(0)


def _open(alerts: tuple[AlertState, ...]) -> bytes:
    """Rule, severity and segment of what is open, then how long that is: a restart counts without decoding deals."""
    kinds = [f"{one.rule} {one.severity} {one.segment}" for one in alerts if not one.closed_at] if alerts else None
    if not kinds:
        return _NONE_OPEN
    written = "\n".join(kinds).encode()
    return written + _OPEN_SIZE.pack(len(written))


def read_prefix(value: bytes) -> Prefix:
    """The head of a stored state. Raises `NewerState` for a version that this code does not know."""
    if value[0] > VERSION:
        raise NewerState(
            f"the state changelog holds version {value[0]}, this wellwon reads up to {VERSION}: run the newer version"
        )
    return Prefix(*PREFIX.unpack_from(value))


def wake_times(values: Iterable[bytes]) -> Iterator[int]:
    """When each of these stored states wakes, -1 for never."""
    return (wake_at for (wake_at,) in map(_WAKE_AT.unpack_from, values, repeat(PREFIX.size - _WAKE_AT.size)))


CONTROL_KEY: Final = b"\0control"
"""Where a partition keeps its clocks and its policy, beside the deals."""


def encode_control(control: Control, *, epoch: int, generation: int, offset: int) -> bytes:
    """The changelog value under `CONTROL_KEY`. Every record up to ``offset`` has had its whole effect."""
    return PREFIX.pack(VERSION, epoch, generation, offset, -1) + encode(control)


def decode_control(value: bytes) -> Control:
    """Read it back. Raises `NewerState`."""
    read_prefix(value)
    return stored.decode_control(memoryview(value)[PREFIX.size :])


def count_open(values: Iterable[bytes]) -> dict[tuple[str, str, str], int]:
    """The open alerts of stored states by rule, severity and segment, without decoding the states."""
    written = Counter(
        value[-2 - (value[-2] << 8 | value[-1]) : -2] for value in values if not value.endswith(_NONE_OPEN)
    )
    counts: dict[tuple[str, str, str], int] = {}
    for open_, deals in written.items():
        for kind in open_.decode().split("\n"):
            rule, severity, segment = f"{kind} ".split(" ", 2)  # what was written before segments were has none
            kept = rule, severity, segment.rstrip(" ")
            counts[kept] = counts.get(kept, 0) + deals
    return counts
