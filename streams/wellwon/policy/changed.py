"""What differs between two policies, value by value."""

from __future__ import annotations

from typing import Any, NamedTuple

from wellwon.policy.model import Policy
from wellwon.policy.show import rows


class Changed(NamedTuple):
    """A value before and after; None where it is not there."""

    key: str
    before: Any
    after: Any


def changed(old: Policy, new: Policy) -> list[Changed]:
    """The values that differ, in the order of the file's keys; those that are gone come last."""
    before = {row.key: row.value for row in rows(old)}
    after = {row.key: row.value for row in rows(new)}
    return [
        Changed(key, before.get(key), after.get(key))
        for key in dict.fromkeys((*after, *before))
        if before.get(key) != after.get(key)
    ]
