"""Written forms, as JSON Schemas."""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]


def text(doc: str, **more: Any) -> Schema:
    return {"type": "string", "description": doc, **more}


def maybe(schema: Schema) -> Schema:
    kind = schema["type"]
    return {**schema, "type": [*([kind] if isinstance(kind, str) else kind), "null"]}


def words(doc: str, words: tuple[str, ...], **more: Any) -> Schema:
    return {"description": doc, "enum": [*words], **more}


INSTANT: Final = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$",
}
DATE: Final = {"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}
DECIMAL: Final = {"type": ["string", "number"], "pattern": r"^[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)$"}
MONEY_OUT: Final = {"type": "string", "pattern": r"^-?[0-9]+\.[0-9]{2}$"}
PERCENT_OUT: Final = {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,2})?$"}
BASE64: Final = {"type": "string", "contentEncoding": "base64", "pattern": "^[A-Za-z0-9+/]*={0,2}$"}


def instant(doc: str) -> Schema:
    return {**INSTANT, "description": doc}


def decimal(doc: str, **more: Any) -> Schema:
    return {**DECIMAL, "description": doc, **more}


def months(doc: str) -> Schema:
    return {**DECIMAL, "description": doc, "minimum": 0, "maximum": 1200}


def record(properties: dict[str, Schema], required: tuple[str, ...], doc: str) -> Schema:
    return {"type": "object", "description": doc, "properties": properties, "required": [*required]}
