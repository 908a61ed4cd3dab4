"""A value of a policy with its origin, as ``wellwon policy show`` tells it."""

from __future__ import annotations

from typing import Any, NamedTuple

from wellwon.policy.model import Policy
from wellwon.policy.read import Path

DEFAULT = "default"


class Row(NamedTuple):
    """A value in its written form.

    ``origin``: ``line 12``, whose value is taken over, or ``default``, with what a rule that is off waits for.
    """

    key: str
    value: Any
    origin: str

    @property
    def is_written(self) -> bool:
        """Whether it stands in the file."""
        return not self.origin.startswith(DEFAULT)


def row(policy: Policy, path: Path, value: Any, key: str = "") -> Row:
    """The row of the value at a path; ``key`` where it is not the path's own."""
    line = policy.origins.get(path)
    return Row(key or ".".join(map(str, path)), value, f"line {line}" if line else DEFAULT)
