"""How a deal's state is written: what of it goes to the changelog, as msgspec reads and writes it.

These structs live apart from the code that uses them, because that code may be compiled (mypyc) and these classes may
not. Everything here is positional: append only, with defaults.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from operator import attrgetter
from typing import Any, Final

import msgspec

from wellwon.core.deal import Deal
from wellwon.core.items import Change
from wellwon.core.moves import AmountMove, CategoryMove, DateMove, Line, OwnerMove, PriceMove, StageMove, Touch


class AlertState(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """An alert of this deal, open (``closed_at`` 0) or remembered so that reopening continues its revisions."""

    rule: str
    period: str
    revision: int
    severity: str
    key: str
    opened_at: int
    closed_at: int
    forget_at: int
    """30 days after the end of its period."""
    commit: int
    covered_by: str
    mode: str
    retracted: bool = False
    """Resolved because what it told did not happen that way: it says nothing of the deal."""
    since: int = 0
    """When the save that opened it was made; ``opened_at``, when it was told, depends on how long that took."""
    segment: str = ""
    """The deal's segment when it opened; empty for an owner's or a team's."""


class WinState(msgspec.Struct, array_like=True, gc=False, frozen=True):
    """The win record as last published."""

    revision: int
    digest: int
    reading: str
    withdrawn: bool = False


class StoredState(msgspec.Struct, array_like=True, gc=False):
    """A state beside its prefix."""

    alerts: tuple[AlertState, ...]
    base: msgspec.Raw
    tail: msgspec.Raw
    seen: bytes
    win: WinState | None
    at: int
    segment: str
    policy: int


class Control(msgspec.Struct, array_like=True):
    """What a partition knows beside its deals."""

    clocks: list[int]
    """Clocks that were read and not settled yet, and the last one."""
    policy: str
    policy_at: int
    policy_spreads: bool
    """A new policy has not reached every deal yet."""


encode: Final = msgspec.msgpack.Encoder().encode
decode_stored: Final = msgspec.msgpack.Decoder(StoredState).decode
decode_control: Final = msgspec.msgpack.Decoder(Control).decode


# --- deals and changes, which are classes of the core's own -----------------------------------------------------------

_TYPES: Final[dict[str, Any]] = {
    "lines": dict[str, Line],
    "dates": tuple[DateMove, ...],
    "prices": tuple[PriceMove, ...],
    "amounts": tuple[AmountMove, ...],
    "stages": tuple[StageMove, ...],
    "categories": tuple[CategoryMove, ...],
    "owners": tuple[OwnerMove, ...],
    "touches": tuple[Touch, ...],
    "slipped": tuple[int, ...],
    "corrected": tuple[str, ...],
    "undoes": tuple[str, ...],
}
"""Fields that are more than msgspec makes of them by itself."""


def _row(cls: Any) -> Any:
    """The struct of a class's fields; those with a default may be missing at the end, as in what is older."""
    rows: list[Any] = []
    for one in fields(cls):
        type_ = _TYPES.get(one.name, Any)
        if one.default_factory is not MISSING:
            rows.append((one.name, type_, msgspec.field(default_factory=one.default_factory)))
        else:
            rows.append((one.name, type_) if one.default is MISSING else (one.name, type_, one.default))
    return msgspec.defstruct(f"Stored{cls.__name__}", rows, array_like=True, gc=False)


_DealRow: Any = _row(Deal)
_ChangeRow: Any = _row(Change)
_decode_deal: Final = msgspec.msgpack.Decoder(_DealRow).decode
_decode_tail: Final = msgspec.msgpack.Decoder(list[_ChangeRow]).decode
_in_order: Final = attrgetter(*[one.name for one in fields(Deal)])
_values: Final = msgspec.structs.astuple


def encode_deal(deal: Deal) -> bytes:
    """A deal as it is stored."""
    return encode(_in_order(deal))


def decode_deal(stored: bytes) -> Deal:
    """Read it back."""
    return Deal(*_values(_decode_deal(stored)))


def encode_change(change: Change) -> bytes:
    """A change as it is stored in a tail."""
    return encode(change.row())


def decode_tail(stored: msgspec.Raw) -> tuple[Change, ...]:
    """Read a tail back."""
    return tuple([Change(*_values(row)) for row in _decode_tail(stored)])
