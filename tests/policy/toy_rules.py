"""Two rules that stand still, so that the messages expected here do not change with the thresholds of the real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wellwon.core.rule import DATE, PRICE, View, param, rule


@dataclass(frozen=True, slots=True)
class Discount:
    points: int = param(5, ge=1, le=50, unit="percentage points", doc="Smallest rise that counts.")
    high_from: int = param(15, ge=1, le=90, unit="percentage points", doc="Rise from which it is high.")


@dataclass(frozen=True, slots=True)
class Push:
    pushes: int = param(2, ge=1, le=10, unit="pushes", doc="Pushes that count as many.")


@rule(
    "late-discount",
    family="price",
    severity="warning",
    reads=PRICE,
    params=Discount,
    doc="A discount raised late.\n\nMore.",
)
def late_discount(view: View, params: Any) -> None:
    return None


@rule(
    "close-date-push",
    family="timing",
    severity="warning",
    reads=DATE,
    params=Push,
    doc="The close date moved.",
    mode="shadow",
)
def close_date_push(view: View, params: Any) -> None:
    return None


RULES = (late_discount, close_date_push)
