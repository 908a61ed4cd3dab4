"""Whether a deal is large enough to tell people of it, in the reporting currency at plan rates."""

from __future__ import annotations

from typing import Final

from wellwon.policy.model import Policy

_ONE: Final = 1_000_000


def in_reporting_currency(policy: Policy, amount: int, currency: str) -> int | None:
    """An amount (hundredths) at the plan rate; None where the policy has no rate for its currency.

    A CRM with one currency does not name it: that is the reporting currency.
    """
    reporting = policy.reporting_currency
    if not reporting or currency in ("", reporting):
        return amount
    rate = policy.plan_rates.get(currency)
    return None if rate is None else amount * rate // _ONE


def is_material(policy: Policy, segment: str, annual_amount: int | None, currency: str) -> bool:
    """Whether people are told of a deal with this amount of a year (hundredths).

    An amount that is not known, or cannot be compared, is no reason to be silent.
    """
    least = next((known.least_amount for known in policy.segments if known.name == segment), policy.least_amount)
    if not least or annual_amount is None:
        return True
    compared = in_reporting_currency(policy, annual_amount, currency)
    return compared is None or compared >= least
