"""The forms that a value of a policy may have: what is written there, within which bounds, and what it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

KEY: Final = "a key"
"""What the keys of a section are where there is no better word."""


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number within a range."""

    doc: str
    ge: int
    le: int
    unit: str
    absent: str = ""
    """A word that says that there is no number."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount, not negative."""

    doc: str


@dataclass(frozen=True, slots=True)
class Percent:
    """0 to 100, decimals allowed."""

    doc: str
    absent: str = ""
    """A word that says that there is no number."""


@dataclass(frozen=True, slots=True)
class Day:
    """A date."""

    doc: str


@dataclass(frozen=True, slots=True)
class Rate:
    """A factor above 0, with up to six decimals."""

    doc: str


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """``HH:MM``, local."""

    doc: str


@dataclass(frozen=True, slots=True)
class Text:
    """A name or an id; a number is taken as it is written."""

    doc: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    doc: str
    options: tuple[str, ...]
    prefix: str = ""
    """Words beginning with this are taken as well (``labels.``)."""
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Many:
    """A list."""

    doc: str
    item: Shape
    at_least: int = 0


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys of the organisation's own, all with the same kind of value."""

    doc: str
    key: str
    """What a key is, in words."""
    value: Shape


@dataclass(frozen=True, slots=True)
class Section:
    """Fixed keys."""

    doc: str
    keys: dict[str, Shape]
    required: tuple[str, ...] = ()
    noun: str = KEY
    shorthand: str = ""
    """The key that is meant where only a word is written (``late-discount: shadow``)."""


Shape = Number | Money | Percent | Day | Rate | TimeOfDay | Text | Choice | Many | Mapping | Section
