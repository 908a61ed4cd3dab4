"""Pages of reference that are generated: the policy's keys, the settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wellwon.cli.docs import NOTE, table
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
from wellwon.policy.schema import policy_defaults
from wellwon.policy.shape import policy_shape

Rows = list[tuple[str, str, str, str]]


def policy_page() -> str:
    """``docs/reference/policy.md``."""
    shape = policy_shape(())
    header = ("key", "what is written", "default", "what it means")
    general: Rows = []
    sections: list[str] = []
    defaults = policy_defaults()
    for key, inner in shape.keys.items():
        if key == "rules":
            continue
        item = inner.item if isinstance(inner, Many) else inner
        if isinstance(item, Section):
            sections += [f"## {key}", _intro(inner, item), table(header, list(_rows(item, "", defaults.get(key))))]
        else:
            general.append(_row(key, inner, defaults.get(key)))
    parts = [
        NOTE.format(source="streams/wellwon/policy/shape.py"),
        "# The policy",
        "One YAML file that RevOps owns. Every key may be left out: an empty file is a valid policy. Ranges include"
        " both ends. [deploy/policy.yaml](../../deploy/policy.yaml) is a commented example; `wellwon policy check`"
        " tells every mistake at once, `wellwon policy show` every value in force.",
        table(header, general),
        *sections,
        "## rules",
        "By rule's name: a mode (`off`, `shadow`, `alert`), or a section with `mode`, `deal_types` and the rule's"
        " thresholds. `wellwon rules` lists the rules; each has [a page](../rules/) with its thresholds.",
    ]
    return "\n\n".join(parts) + "\n"


def _intro(shape: Shape, item: Section) -> str:
    if isinstance(shape, Many):
        required = ", ".join(f"`{key}`" for key in item.required)
        return f"{shape.doc} A list; each item needs {required}."
    return item.doc


def _rows(section: Section, prefix: str, defaults: Any) -> Iterator[tuple[str, str, str, str]]:
    for key, shape in section.keys.items():
        default = defaults.get(key) if isinstance(defaults, dict) else None
        if isinstance(shape, Section) and key != "rules":
            yield from _rows(shape, f"{prefix}{key}.", default)
        elif isinstance(shape, Section):
            yield f"`{prefix}{key}`", "as [rules](#rules)", "", "What differs for this segment."
        elif isinstance(shape, Many | Mapping) and isinstance(item := _item(shape), Section):
            yield from _rows(item, f"{prefix}{key}{'[]' if isinstance(shape, Many) else '.<name>'}.", None)
        else:
            yield _row(prefix + key, shape, default)


def _item(shape: Many | Mapping) -> Shape:
    return shape.item if isinstance(shape, Many) else shape.value


def _row(key: str, shape: Shape, default: Any) -> tuple[str, str, str, str]:
    words = default if isinstance(default, list) else [] if default is None else [default]
    return f"`{key}`", _form(shape), ", ".join(f"`{word}`" for word in words), shape.doc


def _form(shape: Shape) -> str:
    match shape:
        case Number():
            span = f"{shape.ge} to {shape.le} {shape.unit}" if shape.ge < shape.le else f"`{shape.ge}`"
            return f"{span}, or `{shape.absent}`" if shape.absent else span
        case Choice():
            words = [f"`{option}`" for option in shape.options]
            words += [f"`{shape.prefix}<name>`"] if shape.prefix else []
            words += ["`null`"] if shape.nullable else []
            return ", ".join(words)
        case Many():
            return f"list of: {_form(shape.item)}"
        case Mapping():
            return f"{shape.key}: {_form(shape.value)}"
        case Money():
            return "amount"
        case Percent():
            return f"0 to 100, or `{shape.absent}`" if shape.absent else "0 to 100"
        case Day():
            return "date"
        case Rate():
            return "rate"
        case TimeOfDay():
            return "HH:MM"
        case Text():
            return shape.doc.rstrip(".").lower() if len(shape.doc) < 12 else "text"
        case Section():
            return "section"


def settings_page() -> str:
    """``docs/reference/settings.md``."""
    from wellwon.runtime.settings import Settings

    # The machine's own name is a default that no page can know.
    rows = [
        (f"`{name}`", "the machine's name" if name == "WELLWON_INSTANCE" else f"`{default}`" if default else "", doc)
        for name, default, doc in Settings.describe()
    ]
    parts = [
        NOTE.format(source="streams/wellwon/runtime/settings.py"),
        "# Settings",
        "What operators set: environment variables. `wellwon check` tells everything that is wrong with them at once.",
        table(("variable", "default", "what it is"), rows),
    ]
    return "\n\n".join(parts) + "\n"
