"""What counts travel by between processes: a compiled class of slots is not pickled by itself."""

from __future__ import annotations

from dataclasses import fields
from typing import Any


class Travels:
    """A dataclass that is pickled as its fields, in order; ``__init__`` takes all of them."""

    __slots__ = ()

    def __reduce__(self) -> tuple[type[Any], tuple[Any, ...]]:
        made: Any = self
        return type(made), tuple([getattr(made, one.name) for one in fields(made)])
