"""The contract between detect and the rollup: facts and marks."""

from __future__ import annotations

from wellwon.cli.contracts.forms import Schema, instant, record, text
from wellwon.core.facts import DEALS, FACTS_SCHEMA, MARK
from wellwon.core.items import POLICY
from wellwon.core.model import DEAL_TYPES

_MS = "epoch milliseconds"
_DAY = "day number, days since 1970-01-01"


def facts() -> Schema:
    """``facts.v1``: how deals stand, how far a partition has come, or a policy."""
    forms = [_deals(), _mark(), _policy()]
    doc = "What the rollup counts. Of two facts of a deal the one with the greater at, then offset, holds."
    return {"title": FACTS_SCHEMA, "description": doc, "oneOf": forms}


def _whole(doc: str, *, empty: bool = False) -> Schema:
    return {"type": ["integer", "null"] if empty else "integer", "description": doc}


def _row(columns: list[Schema], doc: str) -> Schema:
    """A record without names: its place says what a value is. More may follow at the end."""
    return {"type": "array", "description": doc, "prefixItems": columns, "minItems": len(columns)}


def _deals() -> Schema:
    move = [
        _whole(f"When, {_MS}."),
        _whole(f"The close date before, {_DAY}.", empty=True),
        _whole(f"The close date after, {_DAY}.", empty=True),
        {"type": "boolean", "description": "A person did it, and it is behaviour."},
        {"type": "boolean", "description": "The person is the one who owns the deal now."},
    ]
    fact = [
        text("Id of the deal."),
        _whole(f"The deal's time when it came to stand so, {_MS}."),
        _whole("Offset of the change behind it, in its partition of the log."),
        text("Name of the deal."),
        text("CRM user who owns the deal."),
        text("Value of the label that the policy's team_label names; else empty."),
        text("The policy's segment that the deal is in."),
        text("The CRM's word for its sales process."),
        {"description": "What kind of business it is.", "enum": [*DEAL_TYPES]},
        text("ISO 4217 code of the amount."),
        _whole("Amount of a year, hundredths.", empty=True),
        _whole("Percent off list, hundredths of a point.", empty=True),
        {**_whole("How it stands: 0 open, 1 won, 2 lost, 3 deleted."), "minimum": 0, "maximum": 3},
        _whole(f"When the deal was first heard of, {_MS}."),
        _whole(f"When it was closed, {_MS}; 0 while it is open."),
        _whole(f"When it was seen to be won, {_MS}; else 0."),
        _whole(f"The close date, {_DAY}.", empty=True),
        {
            "type": "array",
            "description": "How the close date moved in the last 100 days, oldest first.",
            "items": _row(move, "One move."),
        },
        {"type": "boolean", "description": "Its past was read anew: a correction, a bulk edit found later."},
    ]
    properties: dict[str, Schema] = {
        "schema": {"const": FACTS_SCHEMA},
        "kind": {"const": DEALS},
        "partition": {"type": "integer", "minimum": 0, "description": "The partition of the log."},
        "facts": {
            "type": "array",
            "description": "Of each deal that changed the last of each hour.",
            "items": _row(fact, "How a deal stands; it replaces the deal's fact before."),
        },
    }
    return record(properties, tuple(properties), "How the deals of a slice stand; without a key.")


def _mark() -> Schema:
    properties = {
        "schema": {"const": FACTS_SCHEMA},
        "kind": {"const": MARK},
        "at": _whole(f"No fact from before this instant follows from this partition, {_MS}."),
        "partition": {"type": "integer", "minimum": 0, "description": "The partition of the log."},
        "partitions": {"type": "integer", "minimum": 1, "description": "How many there are."},
    }
    return record(properties, tuple(properties), "How far a partition of the log has come; without a key.")


def _policy() -> Schema:
    properties = {
        "kind": {"const": POLICY},
        "at": instant("When it was announced."),
        "policy": text("The policy file's text."),
    }
    return record(properties, tuple(properties), "From the next hour on this policy holds; without a key.")
