"""A YAML text as it is written: values that know their line and column.

Scalars are read by YAML 1.2's core schema, whatever PyYAML's own 1.1 rules say: ``off`` and ``no`` are words, ``012``
is a number with a leading zero, a date is a text. Anchors work; merge keys and tags are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from wellwon.policy.problem import Place, PolicyProblem

_INTEGER: Final = re.compile(r"[-+]?[0-9]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# What PyYAML resolves plain values to; the types are ours to decide.
_TAGS: Final = frozenset(("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge", "value"))
_MAX_CHARACTERS: Final = 200_000
"""Policies travel in a record of the log, which takes 1 MB."""
START: Final = Place(1, 1)


@dataclass(frozen=True, slots=True)
class Written:
    """A value with its place. ``value``: None, bool, int, float, str, list of `Written`, dict of `Written`."""

    value: Any
    place: Place
    raw: str = ""
    """A scalar's text: what is meant where a name is expected and a number is written."""
    keys: dict[str, Place] = field(default_factory=dict)
    """Where each key of a mapping stands."""

    @property
    def plain(self) -> Any:
        """The value without places: what a JSON Schema is held against."""
        if isinstance(self.value, dict):
            return {key: value.plain for key, value in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain for item in self.value]
        return self.value


def read_yaml(text: str, file: str) -> tuple[Written, list[PolicyProblem]]:
    """The text's one document (an empty mapping if there is none) and what is wrong with its form."""
    empty = Written({}, START)
    if len(text) > _MAX_CHARACTERS:
        return empty, [PolicyProblem(file, START, f"the file is longer than {_MAX_CHARACTERS} characters")]
    try:
        node = yaml.compose(text.removeprefix("\ufeff"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        return empty, [PolicyProblem(file, _place(mark) if mark else START, f"this is not YAML: {said}")]
    except yaml.reader.ReaderError as error:
        before = text[: error.position].split("\n")
        place = Place(len(before), len(before[-1]) + 1)
        return empty, [PolicyProblem(file, place, f"this is not YAML: character {error.character!r} is not allowed")]
    except (RecursionError, ValueError) as error:
        said = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        return empty, [PolicyProblem(file, START, f"this is not YAML: {said}")]
    if node is None:
        return empty, []
    reading = _Reading(file)
    try:
        return reading.read(node), reading.problems
    except RecursionError:
        return empty, [PolicyProblem(file, START, "this is not YAML: it is nested too deeply")]


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)


class _Reading:
    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[PolicyProblem] = []
        self._done: dict[int, Written] = {}  # by node: an alias is its anchor's node
        self._inside: set[int] = set()

    def _say(self, place: Place, message: str) -> None:
        self.problems.append(PolicyProblem(self.file, place, message))

    def read(self, node: yaml.Node) -> Written:
        place = _place(node.start_mark)
        if id(node) in self._inside:
            self._say(place, f"the anchor on line {place.line} contains itself")
            return Written(None, place)
        if id(node) not in self._done:
            self._inside.add(id(node))
            self._done[id(node)] = self._read(node, place)
            self._inside.discard(id(node))
        return self._done[id(node)]

    def _read(self, node: yaml.Node, place: Place) -> Written:
        if node.tag.removeprefix("tag:yaml.org,2002:") not in _TAGS:
            self._say(place, f"the tag {node.tag} means nothing here")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return Written([self.read(item) for item in node.value], place)
        if not isinstance(node, yaml.ScalarNode):
            raise TypeError(f"a YAML node of kind {type(node).__name__}")
        return Written(node.value if node.style in ("'", '"', "|", ">") else _scalar(node.value), place, node.value)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> Written:
        values: dict[str, Written] = {}
        keys: dict[str, Place] = {}
        for key_node, value_node in node.value:
            at = _place(key_node.start_mark)
            if not isinstance(key_node, yaml.ScalarNode):
                self._say(at, "a key must be a word")
                continue
            key = key_node.value
            if key == "<<":
                self._say(at, "merge keys (<<) are not read: write the keys out")
            elif key in values:
                self._say(at, f"'{key}' is written twice: first on line {keys[key].line}")
            else:
                keys[key] = at
                values[key] = self.read(value_node)
        return Written(values, place, keys=keys)


def _scalar(text: str) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text) if len(text) < 20 else float(text)
    return float(text) if _FLOAT.fullmatch(text) else text
