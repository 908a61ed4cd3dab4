"""Debezium's change events of a table of deals: the full envelope with or without its schema, or flattened rows."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from wellwon.core.items import CHANGED, CREATED, DELETED, SNAPSHOT
from wellwon.sources.change import Ignored, Unreadable
from wellwon.sources.mapping import SourceView
from wellwon.sources.rows import Row, Rows, read_instant

SOURCE: Final = "debezium"
UNAVAILABLE: Final = "__debezium_unavailable_value"
"""Stands for a long value that the database did not write again: it is as it was."""

_KINDS: Final = {"c": CREATED, "u": CHANGED, "d": DELETED, "r": SNAPSHOT}
_NO_ROW: Final = {"t": "truncate", "m": "message"}
_MONEY: Final = frozenset(("amount", "list_amount", "unit_price", "list_price", "discount_percent"))


class Debezium(Rows):
    """The mapper. It holds no state."""

    def __init__(self, view: SourceView) -> None:
        super().__init__(view, SOURCE)

    def opened(self, record: dict[str, Any]) -> Row | Ignored:
        """See `Rows`."""
        payload = record.get("payload", record)
        if not isinstance(payload, dict):
            raise Unreadable("bad_row", "the payload is no object")
        if "op" not in payload:
            return _flat(payload)
        op = payload["op"]
        if not isinstance(op, str) or op not in _KINDS.keys() | _NO_ROW.keys():
            raise Unreadable("bad_row", f"op {op!r} is not one that Debezium has")
        if op in _NO_ROW:
            return Ignored(_NO_ROW[op])
        source = payload.get("source")
        at = source.get("ts_ms") if isinstance(source, dict) else None
        if at is None:
            raise Unreadable("no_time", "source.ts_ms is missing: when the row was committed is not known")
        scales = _scales(record.get("schema"))
        after, before = (_columns(payload.get(name), scales) for name in ("after", "before"))
        row = before if op == "d" else after
        if row is None:
            raise Unreadable("bad_row", f"op {op!r} without the row")
        return Row(row, before if op == "u" else None, _KINDS[op], read_instant("source.ts_ms", at))

    def text(self, ours: str, value: Any) -> Any:
        """See `Rows`."""
        try:
            return super().text(ours, value)
        except ValueError as error:
            if ours in _MONEY and isinstance(value, str):
                raise ValueError(f"{error}: set the connector's decimal.handling.mode to string") from None
            raise


def _flat(payload: dict[str, Any]) -> Row | Ignored:
    """A row that Debezium's ExtractNewRecordState has flattened."""
    op, at = payload.get("__op"), payload.get("__source_ts_ms")
    if isinstance(op, str) and op in _NO_ROW:
        return Ignored(_NO_ROW[op])
    gone = str(payload.get("__deleted")).lower() == "true"
    if op is None and at is None and not gone:
        raise Unreadable("bad_row", "neither op nor __op: is this a Debezium event? Flattened rows need add.fields=op")
    values = _columns({name: value for name, value in payload.items() if not name.startswith("__")}, {})
    assert values is not None
    kind = DELETED if gone else _KINDS.get(op) if isinstance(op, str) else None
    return Row(values, None, kind, None if at is None else read_instant("__source_ts_ms", at))


def _columns(row: Any, scales: Mapping[str, int]) -> dict[str, Any] | None:
    """The columns of a row, but for those that are as they were."""
    if not isinstance(row, dict):
        return None
    return {
        name: _decimal(value, scales[name]) if name in scales and isinstance(value, str) else value
        for name, value in row.items()
        if value != UNAVAILABLE
    }


def _scales(schema: Any) -> dict[str, int]:
    """Column to its scale, where NUMERIC comes as bytes and the schema comes along."""
    found: dict[str, int] = {}
    for part in _fields(schema):
        for column in _fields(part):
            parameters = column.get("parameters")
            scale = str(parameters.get("scale")) if isinstance(parameters, dict) else ""
            decimal = str(column.get("name", "")).endswith("connect.data.Decimal")
            if decimal and scale.isascii() and scale.isdecimal() and len(scale) <= 2:
                found[str(column.get("field"))] = int(scale)
    return found


def _fields(schema: Any) -> list[dict[str, Any]]:
    fields = schema.get("fields") if isinstance(schema, dict) else None
    return [one for one in fields if isinstance(one, dict)] if isinstance(fields, list) else []


def _decimal(text: str, scale: int) -> str:
    """A decimal from the base64 of its unscaled value."""
    try:
        unscaled = int.from_bytes(base64.b64decode(text, validate=True), signed=True)
    except binascii.Error:
        return text
    digits = f"{abs(unscaled):0{scale + 1}d}"
    whole = digits[: len(digits) - scale]
    sign = "-" if unscaled < 0 else ""
    return f"{sign}{whole}.{digits[len(digits) - scale :]}" if scale else f"{sign}{whole}"
