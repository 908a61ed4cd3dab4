"""Hold what is written against the shape: values in the core's units, and everything that does not fit."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from wellwon.core.units import parse_date, parse_money, parse_percent
from wellwon.policy.delivery_shape import DELIVER
from wellwon.policy.forms import (
    KEY,
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
from wellwon.policy.problem import Place, PolicyProblem, did_you_mean
from wellwon.policy.written import Written

Path = tuple[str | int, ...]


class _Absent:
    """Nothing usable is written here: the value of a mistake, so that reading goes on."""


_ABSENT: Final = _Absent()
_ELSEWHERE: Final = {
    "timezone": "calendar.zone",
    "tz": "calendar.zone",
    "zone": "calendar.zone",
    "startmonth": "calendar.start_month",
    **{key.replace("_", ""): f"deliver.{key}" for key in DELIVER.keys},
}
"""Keys that people write at the top, without case, ``_`` and ``-``, and where they belong."""
_SECRETS: Final = frozenset(("token", "bottoken", "password", "secret", "signingsecret", "apikey", "url", "webhookurl"))
"""Keys that people write for what must not be in a policy."""
DAY_MINUTES: Final = 1_440
_SHOWN: Final = 60
"""Characters of a wrong value that a message repeats."""


def _bare(key: str) -> str:
    return key.lower().replace("_", "").replace("-", "")


def shown(path: Path) -> str:
    """A path as people read it; the line number says which item of a list is meant."""
    return ".".join(part for part in path if isinstance(part, str))


class Reader:
    """Reads one policy; collects problems and remembers where each value stands."""

    def __init__(self, file: str, whole: str = "the policy") -> None:
        """``whole``: what the file is, in messages."""
        self.file = file
        self.whole = whole
        self.problems: list[PolicyProblem] = []
        self.places: dict[Path, Place] = {}
        """Where each value stands, for problems found later and for the origin of a value."""
        self.broken: set[Path] = set()
        """Values that could not be read."""

    def say(self, place: Place, message: str) -> None:
        """Note a problem."""
        self.problems.append(PolicyProblem(self.file, place, message))

    def say_at(self, path: Path, message: str) -> None:
        """Note a problem with the value at a path, or at the nearest section around it."""
        while path and path not in self.places:
            path = path[:-1]
        self.say(self.places.get(path, Place(1, 1)), message)

    def section(self, shape: Section, written: Written, path: Path = ()) -> dict[str, Any]:
        """What a section holds; keys that are absent or wrong are left out."""
        found = self.read(shape, written, path)
        return found if isinstance(found, dict) else {}

    def read(self, shape: Shape, written: Written, path: Path) -> Any:
        """The value in the core's units, or a value of `_Absent` after noting what is wrong."""
        self.places[path] = written.place
        match shape:
            case Section():
                return self._section(shape, written, path)
            case Mapping():
                return self._mapping(shape, written, path)
            case Many():
                return self._many(shape, written, path)
            case Choice():
                return self._choice(shape, written, path)
            case Number():
                return self._number(shape, written, path)
            case _:
                return self._scalar(shape, written, path)

    def _wrong(self, written: Written, path: Path, needed: str) -> _Absent:
        value = written.value
        is_what = (
            "is empty"
            if value is None
            else "is a list"
            if isinstance(value, list)
            else "holds keys"
            if isinstance(value, dict)
            else f"is {'the text ' * (isinstance(value, str) and written.raw.isdigit())}"
            f"'{written.raw[:_SHOWN]}{'...' * (len(written.raw) > _SHOWN)}'"
        )
        self.broken.add(path)
        self.say(written.place, f"{shown(path) or self.whole} {is_what}: {needed}")
        return _ABSENT

    def _section(self, shape: Section, written: Written, path: Path) -> Any:
        if shape.shorthand and isinstance(written.value, str):
            value = self.read(shape.keys[shape.shorthand], written, (*path, shape.shorthand))
            return {} if value is _ABSENT else {shape.shorthand: value}
        if written.value is None and not shape.required:
            return {}
        if not isinstance(written.value, dict):
            hint = " (or one word)" if shape.shorthand else ""
            return self._wrong(written, path, f"keys are needed{hint}: {', '.join(shape.keys)}")
        found: dict[str, Any] = {}
        for key, value in written.value.items():
            if key not in shape.keys:
                inside = f" in {shown(path)}" if shape.noun == KEY else ""
                elsewhere = _ELSEWHERE.get(_bare(key)) if not path else None
                hint = f": did you mean {elsewhere}?" if elsewhere else did_you_mean(key, shape.keys)
                if _bare(key) in _SECRETS:
                    hint = ": a secret is an environment variable of the worker, never a part of the policy"
                said = f"'{key}' is not {shape.noun}{inside}{hint}"
                self.say(written.keys[key], said)
                continue
            read = self.read(shape.keys[key], value, (*path, key))
            if read is not _ABSENT:
                found[key] = read
        for key in shape.required:
            if key not in written.value:
                self.say(written.place, f"{shown(path) or self.whole} has no '{key}': it is required")
        return found

    def _mapping(self, shape: Mapping, written: Written, path: Path) -> Any:
        if written.value is None:
            return _ABSENT
        if not isinstance(written.value, dict):
            return self._wrong(written, path, f"keys are needed, each {shape.key}")
        found = {}
        for key, value in written.value.items():
            read = self.read(shape.value, value, (*path, key))
            if value.place.line > written.keys[key].line:
                self.places[*path, key] = written.keys[key]  # what begins below its name is found by the name
            if read is not _ABSENT:
                found[key] = read
        return found

    def _many(self, shape: Many, written: Written, path: Path) -> Any:
        if written.value is None and not shape.at_least:
            return _ABSENT
        if not isinstance(written.value, list):
            return self._wrong(written, path, "a list is needed ([a, b], or one '- item' a line)")
        if len(written.value) < shape.at_least:
            self.say(written.place, f"{shown(path)} is an empty list: at least one item is needed")
            return _ABSENT
        items: list[Any] = []
        for item in written.value:  # numbered by its place among those that can be used
            value = self.read(shape.item, item, (*path, len(items)))
            if value is not _ABSENT:
                items.append(value)
        return items

    def _choice(self, shape: Choice, written: Written, path: Path) -> Any:
        if written.value is None and shape.nullable:
            return None
        if not isinstance(written.value, str):
            return self._wrong(written, path, f"it is one of {', '.join(shape.options)}")
        if written.value in shape.options:
            return written.value
        if shape.prefix and written.value.startswith(shape.prefix) and len(written.value) > len(shape.prefix):
            return written.value
        self.say(written.place, f"{shown(path)} is '{written.value}'{_choice_hint(shape, written.value)}")
        return _ABSENT

    def _number(self, shape: Number, written: Written, path: Path) -> Any:
        span = f"a whole number from {shape.ge} to {shape.le} ({shape.unit})"
        needed = f"{shape.ge if shape.ge == shape.le else span} is needed{_or(shape.absent)}"
        if shape.absent and written.value == shape.absent:
            return None
        if not isinstance(written.value, int) or isinstance(written.value, bool):
            return self._wrong(written, path, needed)
        if not shape.ge <= written.value <= shape.le:
            return self._wrong(written, path, needed)
        return written.value

    def _scalar(self, shape: Money | Percent | Day | Rate | TimeOfDay | Text, written: Written, path: Path) -> Any:
        value = written.value
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        text = written.raw if is_number else value
        parse: Callable[[str], int]
        if isinstance(shape, Percent) and shape.absent and value == shape.absent:
            return None
        match shape:
            case Text():
                if isinstance(text, str) and text.strip():
                    return text
                return self._wrong(written, path, "a name is needed")
            case Day():
                needed = "a date (YYYY-MM-DD) is needed"
                parse = parse_date
            case Money():
                needed = "an amount such as 50000 or 1250.50 is needed"
                parse = parse_money
            case Percent():
                needed = f"a percentage from 0 to 100 is needed{_or(shape.absent)}"
                parse = parse_percent
            case Rate():
                needed = "a rate above 0 such as 1.08 is needed"
                parse = _parse_rate
            case TimeOfDay():
                needed = "a time of day (HH:MM) is needed"
                parse = _parse_time
        try:
            parsed = parse(text) if isinstance(text, str) else -1
        except ValueError:
            return self._wrong(written, path, needed)
        return parsed if parsed >= 0 else self._wrong(written, path, needed)


def _or(absent: str) -> str:
    return f", or {absent}" if absent else ""


def _parse_rate(text: str) -> int:
    """Millionths."""
    whole, _, decimals = text.partition(".")
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text) or not (rate := int(whole + decimals.ljust(6, "0"))):
        raise ValueError(text)
    return rate


def _parse_time(text: str) -> int:
    """Minutes since midnight; 24:00 is the end of the day."""
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})", text)
    if found is None or int(found[2]) > 59 or (minutes := int(found[1]) * 60 + int(found[2])) > DAY_MINUTES:
        raise ValueError(text)
    return minutes


def _choice_hint(shape: Choice, word: str) -> str:
    if not shape.prefix:
        return did_you_mean(word, shape.options)
    before, dot, name = word.partition(".")
    if dot and name and shape.prefix.startswith(before[:3]):
        return f": did you mean '{shape.prefix}{name}'?"
    return did_you_mean(word, (*shape.options, f"{shape.prefix}<name>"))
