"""How sure a share is: Wilson's interval for a share, and the interval of a ratio of two shares."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from typing import Final

Z: Final = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""
MIN_N: Final = 20
"""Below this a share is an anecdote: the same least number as for norms (patterns.md, "norm")."""


@dataclass(frozen=True, slots=True)
class Share:
    """A share between 0 and 1 with its 95 % interval; ``n`` is how many it is of."""

    value: float
    n: float
    low: float
    high: float

    @classmethod
    def of(cls, part: float, whole: float) -> Share:
        """The share ``part / whole`` with Wilson's score interval. ``whole`` need not be an integer, but above 0."""
        value = part / whole
        square = Z * Z / whole
        middle = value + square / 2
        reach = Z * sqrt(value * (1 - value) / whole + square / (4 * whole))
        # At 0 and 1 the bound is the share itself, which rounding would miss by a hair.
        low = 0.0 if part == 0 else max(0.0, (middle - reach) / (1 + square))
        high = 1.0 if part == whole else min(1.0, (middle + reach) / (1 + square))
        return cls(value, whole, min(low, value), max(high, value))


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as high one share is as another, with its 95 % interval; ``high`` may be infinite."""

    value: float
    low: float
    high: float


def ratio(one: Share, other: Share) -> Ratio | None:
    """The ratio of two independent shares, its interval recovered from theirs; None where the other is 0.

    The method of variance estimates recovery (Donner and Zou, Stat. Methods Med. Res. 21, 2012), which needs no
    logarithm and so does not break down at a share of 0.
    """
    if other.value == 0:
        return None
    product = one.value * other.value
    lower = one.low * (2 * one.value - one.low)
    upper = one.high * (2 * one.value - one.high)
    below = other.low * (2 * other.value - other.low)
    above = other.high * (2 * other.value - other.high)
    low = 0.0
    if lower > 0:  # multiplied out so that nothing is divided by a difference that may be 0
        low = lower / (product + sqrt(max(0.0, product * product - lower * above)))
    high = inf
    if below > 0:
        high = (product + sqrt(max(0.0, product * product - upper * below))) / below
    return Ratio(one.value / other.value, low, high)
