"""The JSON Schema of a policy, for editors: completion, ranges and documentation while one types."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from wellwon.core.rule import RuleSpec
from wellwon.policy.delivery_show import delivery_rows
from wellwon.policy.forms import (
    Choice,
    Day,
    Many,
    Mapping,
    Money,
    Number,
    Percent,
    Rate,
    Section,
    Shape,
    Text,
    TimeOfDay,
)
from wellwon.policy.load import load_policy
from wellwon.policy.row import Row
from wellwon.policy.shape import policy_shape
from wellwon.rules import PATTERNS

ID = "urn:wellwon:policy"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def policy_schema(rules: Sequence[RuleSpec] = PATTERNS) -> dict[str, Any]:
    """What `load_policy` takes, as far as a schema can say it."""
    return {
        "$schema": DIALECT,
        "$id": ID,
        "title": "wellwon policy",
        **_schema(policy_shape(rules), policy_defaults(rules)),
    }


def policy_defaults(rules: Sequence[RuleSpec] = PATTERNS) -> dict[str, Any]:
    """The values of an empty policy that are single ones, by key."""
    policy = load_policy("", rules=rules)
    return {
        **{name: value for name, value in vars(policy).items() if isinstance(value, int)},
        "calendar": {
            name: getattr(policy.calendar, name) for name in ("kind", "start_month", "pattern", "week_start", "zone")
        },
        "activities": policy.activities,
        "writers": {"default": policy.writers.default},
        "rules": {name: {"mode": rule.mode, **rule.params} for name, rule in policy.rules.items()},
        **_nested(delivery_rows(policy)),
    }


def _nested(rows: Iterable[Row]) -> dict[str, Any]:
    """Rows by the parts of their keys."""
    found: dict[str, Any] = {}
    for key, value, _ in rows:
        *sections, name = key.split(".")
        inner = found
        for section in sections:
            inner = inner.setdefault(section, {})
        inner[name] = value
    return found


def _schema(shape: Shape, default: Any = None) -> dict[str, Any]:
    found: dict[str, Any]
    match shape:
        case Section():
            return _section(shape, default if isinstance(default, dict) else {})
        case Mapping():
            found = {"type": ["object", "null"], "additionalProperties": _schema(shape.value)}
        case Many():
            kind: Any = "array" if shape.at_least else ["array", "null"]
            found = {"type": kind, "items": _schema(shape.item)}
            if shape.at_least:
                found["minItems"] = shape.at_least
        case Choice():
            found = _choice(shape)
        case Number():
            found = {"type": "integer", "minimum": shape.ge, "maximum": shape.le}
        case Money():
            found = {"type": ["number", "string"], "minimum": 0, "pattern": r"^\+?[0-9]*\.?[0-9]+$"}
        case Percent():
            found = {"type": ["number", "string"], "minimum": 0, "maximum": 100, "pattern": r"^\+?[0-9]*\.?[0-9]+$"}
        case Day():
            found = {"type": "string", "pattern": "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"}
        case Rate():
            pattern = r"^(?=.*[1-9])[0-9]{1,9}(\.[0-9]{1,6})?$"
            found = {"type": ["number", "string"], "exclusiveMinimum": 0, "pattern": pattern}
        case TimeOfDay():
            found = {"type": "string", "pattern": "^([01]?[0-9]|2[0-3]):[0-5][0-9]$|^24:00$"}
        case Text():
            found = {"type": ["string", "number"], "pattern": r"\S"}
    if isinstance(shape, Number | Percent) and shape.absent:
        found = {"anyOf": [found, {"const": shape.absent}]}
    unit = f" In {shape.unit}." if isinstance(shape, Number) and shape.unit != "days" else ""
    described = {"description": f"{shape.doc}{unit}", **found}
    if default is not None and not isinstance(default, dict | list):
        described["default"] = default
    return described


def _section(shape: Section, defaults: dict[str, Any]) -> dict[str, Any]:
    keys = {key: _schema(inner, defaults.get(key)) for key, inner in shape.keys.items()}
    kinds = ["object"] if shape.required else ["object", "null"]
    found: dict[str, Any] = {
        "description": shape.doc,
        "type": kinds,
        "properties": keys,
        "additionalProperties": False,
    }
    if shape.required:
        found["required"] = list(shape.required)
    if not shape.shorthand:
        return found
    word = shape.keys[shape.shorthand]
    return {"description": shape.doc, "oneOf": [_schema(word, defaults.get(shape.shorthand)), found]}


def _choice(shape: Choice) -> dict[str, Any]:
    options: list[Any] = [*shape.options, *([None] if shape.nullable else [])]
    if not shape.prefix:
        return {"enum": options}
    own = {"type": "string", "pattern": f"^{shape.prefix.replace('.', '[.]')}.+$"}
    if not shape.options:
        return own
    return {"anyOf": [{"enum": options}, own]}
