"""What wellwon itself writes into a CRM, and so what is no news of a deal when it comes back as a change."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

CLIENT: Final = "wellwon"
"""The client id under which wellwon writes to Salesforce; it stands in the change events of what was written."""
_PREFIX: Final = "wellwon_"
"""What the name of every field begins with that wellwon writes, in Salesforce and in HubSpot."""
_MARKS: Final = frozenset(("LastModifiedDate", "LastModifiedById", "SystemModstamp"))
"""Fields that every save changes."""


def is_own(field: str) -> bool:
    """Whether this CRM field (or column of a copy of the CRM) is one that wellwon writes."""
    return field.lower().removeprefix("property_").startswith(_PREFIX)


def only_own(changed: Collection[str]) -> bool:
    """Whether a save that changed these fields touched nothing but fields that wellwon writes."""
    told = [field for field in changed if field not in _MARKS]
    return bool(told) and all(map(is_own, told))
