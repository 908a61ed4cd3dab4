"""opportunity-change.v1: bytes to items and back.

Decoding is typed: what is wrong is said with the path to it. Field values are parsed to the units of the core here,
once, so that nothing behind this module meets a string that should be a number.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from typing import Any, Final

import msgspec

from wellwon.core import items
from wellwon.core.envelope import SCHEMA, Envelope, read_envelope
from wellwon.core.items import Change, Clock, Item, PolicyRecord, Reclassified
from wellwon.core.units import format_instant, parse_date, parse_instant, parse_money, parse_percent, parse_quantity

MAX_BYTES: Final = 1024 * 1024
TEXT_KEPT: Final = 255
BULK_MAX: Final = 1_000_000_000
LABELS_MAX: Final = 32
_CHANGE_KINDS: Final = frozenset(items.CHANGE_KINDS)
_WRITER_KINDS: Final = frozenset(items.WRITER_KINDS)


class DecodeError(Exception):
    """A record that cannot be read. ``reason`` is a slug for counting, the text is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


# --- values ---------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    if type(value) is not str:
        raise ValueError(f"{value!r} is not text")
    return value if len(value) <= TEXT_KEPT else value[:TEXT_KEPT]


def _date(value: Any) -> int:
    if type(value) is not str:
        raise ValueError(f"{value!r} is not a date (YYYY-MM-DD)")
    return parse_date(value)


def _instant(value: Any) -> int:
    if type(value) is not str:
        raise ValueError(f"{value!r} is not an instant (RFC 3339)")
    return parse_instant(value)


def _months(value: Any) -> int:
    months = parse_quantity(value) // 1_000
    if not 0 <= months <= 1_200:
        raise ValueError(f"{value!r} is not a number of months (0..1200)")
    return months


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is not true or false")
    return value


FIELDS: Final[dict[str, Callable[[Any], Any]]] = {
    "name": _text,
    "account": _text,
    "owner_id": _text,
    "currency": _text,
    "pipeline": _text,
    "deal_type": _text,
    "stage": _text,
    "forecast_category": _text,
    "next_step": _text,
    "amount": parse_money,
    "list_amount": parse_money,
    "discount_percent": parse_percent,
    "close_date": _date,
    "buyer_confirmed_date": _date,
    "created_at": _instant,
    "term_months": _months,
    "prepaid_months": _months,
    "is_closed": _flag,
    "is_won": _flag,
}
"""Every field that a change may carry, and how its value is read. ``labels.<name>`` are texts besides."""

LINE_FIELDS: Final[dict[str, Callable[[Any], Any]]] = {
    "quantity": parse_quantity,
    "unit_price": parse_money,
    "list_price": parse_money,
    "removed": _flag,
}


def _values(raw: dict[str, Any], fields: dict[str, Callable[[Any], Any]]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    name = ""
    try:
        for name, value in raw.items():
            read = fields.get(name)
            if read is None:
                # A field that this version does not know is no reason to lose the others.
                if name.startswith("labels.") and fields is FIELDS:
                    _label(values, name[7:], value)
            elif value is None:
                values[name] = None
            else:
                values[name] = read(value)
    except ValueError as error:
        raise DecodeError("bad_value", f"values.{name}: {error}") from None
    return values


def _label(values: dict[str, Any], name: str, value: Any) -> None:
    labels = values.setdefault("labels", {})
    labels[_text(name)] = "" if value is None else _text(value)
    if len(labels) > LABELS_MAX:
        raise DecodeError("bad_value", f"values: more than {LABELS_MAX} labels")


# --- records --------------------------------------------------------------------------------------------------


class Decoded:
    """An item with the key of its deal (empty for clock and policy records) and where it came from."""

    __slots__ = ("item", "kind", "opportunity_id", "source")

    def __init__(self, opportunity_id: str, item: Item, source: str, kind: str) -> None:
        self.opportunity_id = opportunity_id
        self.item = item
        self.source = source
        self.kind = kind


def source_hash(source_id: str) -> bytes:
    """8 bytes that stand for a source's id."""
    return hashlib.blake2b(source_id.encode(), digest_size=8).digest()


def decode(value: bytes) -> Decoded:
    """Read one record's value. Raises `DecodeError`."""
    if len(value) > MAX_BYTES:
        raise DecodeError("too_large", f"{len(value):,} bytes; a change has at most {MAX_BYTES:,}")
    try:
        wire = read_envelope(value)
    except msgspec.ValidationError as error:
        raise DecodeError("wrong_type", str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError("not_json", str(error)) from None
    if wire.schema != SCHEMA:
        raise DecodeError("unknown_version", f"schema {wire.schema!r}; this wellwon reads {SCHEMA}")
    kind, deal = wire.kind, wire.opportunity_id
    if kind == items.CLOCK or kind == items.POLICY:
        at = _at("at", wire.at)
        return Decoded("", Clock(at) if kind == items.CLOCK else PolicyRecord(at, wire.policy), "wellwon", kind)
    if not deal:
        raise DecodeError("no_opportunity_id", "opportunity_id is missing or empty")
    _identifier("opportunity_id", deal)
    at = _at("occurred_at", wire.occurred_at)
    if kind == items.RECLASSIFIED:
        ids = tuple([source_hash(change) for change in wire.changes])
        return Decoded(deal, Reclassified(at, ids), wire.source, kind)
    if kind not in _CHANGE_KINDS:
        raise DecodeError("unknown_kind", f"kind {kind!r}; known: {', '.join(items.CHANGE_KINDS)}")
    return Decoded(deal, _change(wire, kind, at), wire.source, kind)


def _change(wire: Envelope, kind: str, at: int) -> Change:
    id_ = wire.id
    if not id_:
        raise DecodeError("no_id", "id is missing or empty: without it a repeat cannot be recognised")
    line_item_id = ""
    if kind == items.LINE_ITEM:
        if not wire.line_item_id:
            raise DecodeError("no_line_item_id", "line_item_id is missing or empty")
        _identifier("line_item_id", wire.line_item_id)
        line_item_id, values = wire.line_item_id, _values(wire.values, LINE_FIELDS)
    elif kind == items.ANSWER:
        if wire.answer not in items.ANSWERS:
            raise DecodeError("bad_value", f"answer {wire.answer!r}; known: {', '.join(items.ANSWERS)}")
        values = {
            "answer": wire.answer,
            "by": wire.by[:TEXT_KEPT],
            "note": wire.note[:TEXT_KEPT],
            "rule": wire.rule[:TEXT_KEPT],
        }
    elif kind == items.ACTIVITY:
        if wire.direction not in ("inbound", "outbound"):
            raise DecodeError("bad_value", f"direction {wire.direction!r} is neither inbound nor outbound")
        values = {"direction": wire.direction, "channel": wire.channel[:TEXT_KEPT]}
    else:
        values = _values(wire.values, FIELDS)
    bulk, writer, who, writer_kind = wire.bulk, wire.writer, "", items.SYSTEM
    if not 0 <= bulk <= BULK_MAX:
        raise DecodeError("bad_value", f"bulk {bulk} is not a number of deals (up to {BULK_MAX:,})")
    if writer is not None:
        who, writer_kind = writer.id or "", writer.kind
        if writer_kind not in _WRITER_KINDS:
            raise DecodeError("bad_value", f"writer.kind {writer_kind!r}; known: {', '.join(items.WRITER_KINDS)}")
        if len(who) > TEXT_KEPT:
            who = who[:TEXT_KEPT]
    commit = zlib.crc32((wire.transaction or id_).encode()) or 1
    return Change(at, kind, source_hash(id_), commit, who, writer_kind, bulk, values, line_item_id)


def is_identifier(text: str) -> bool:
    """Whether a text may be the id of a deal or a line item: a key, a file name's part, a line in a terminal."""
    return 0 < len(text) <= TEXT_KEPT and text.isprintable()


def _identifier(name: str, text: str) -> None:
    if not is_identifier(text):
        raise DecodeError("bad_value", f"{name} {text[:40]!r} is not an id (up to {TEXT_KEPT} printable characters)")


def _at(name: str, text: str) -> int:
    if not text:
        raise DecodeError("bad_value", f"{name} is missing or empty")
    try:
        return parse_instant(text)
    except ValueError as error:
        raise DecodeError("bad_value", f"{name}: {error}") from None


def encode_clock(at: int) -> bytes:
    """A clock record."""
    return b'{"kind":"clock","at":"%b"}' % format_instant(at).encode()


def encode_policy(policy: str, at: int) -> bytes:
    """A control record that makes a policy effective in a partition."""
    return msgspec.json.encode({"kind": items.POLICY, "at": format_instant(at), "policy": policy})
