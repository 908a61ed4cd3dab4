"""Sums of money in several currencies, brought into one only where the policy has plan rates for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from wellwon.policy import Policy
from wellwon.policy.materiality import in_reporting_currency

Money = Counter[str]
"""Hundredths by currency; the empty text is a currency that the data does not name."""

UNNAMED: Final = ""


@dataclass(frozen=True, slots=True)
class Rates:
    """The policy's plan rates."""

    reporting: str
    """The reporting currency; empty: sums stay in the currencies of their deals."""
    convert: Callable[[int, str], int | None]
    """An amount (hundredths) of a currency in the reporting currency; None where there is no rate."""

    @classmethod
    def of(cls, policy: Policy) -> Rates:
        """The plan rates of a policy."""
        return cls(policy.reporting_currency, partial(in_reporting_currency, policy))

    def add(self, money: Money, amount: int | None, currency: str) -> None:
        """Add an amount (hundredths), converted where there is a rate."""
        if amount is None:
            return
        converted = self.convert(amount, currency) if self.reporting else None
        if converted is None:
            money[currency] += amount
        else:
            money[self.reporting] += converted


def said(amount: int, currency: str) -> str:
    """An amount as people read it: ``USD 1.2 M``, ``84 k``. ``amount`` is in hundredths."""
    units = amount / 100
    sign, size = ("-" if units < 0 else ""), abs(units)
    if size >= 999_500_000:
        text = f"{size / 1e9:.1f} bn"
    elif size >= 999_500:
        text = f"{size / 1e6:.1f} M"
    elif size >= 1_000:
        text = f"{size / 1e3:.0f} k"
    else:
        text = f"{size:.0f}"
    return f"{currency} {sign}{text}".strip()


def said_all(money: Mapping[str, int]) -> str:
    """All the sums, largest first; ``-`` where there is none."""
    sums = sorted(((amount, currency) for currency, amount in money.items() if amount), reverse=True)
    return ", ".join(said(amount, currency) for amount, currency in sums) or "-"
