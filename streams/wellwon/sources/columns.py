"""Columns of exports that nothing is read from: a discount may be among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from wellwon.sources.history import ALIASES
from wellwon.sources.mapping import SALESFORCE_FACTS
from wellwon.sources.table import plain
from wellwon.sources.whole import open_table

_OF_THE_EXPORT: Final = frozenset(
    (
        "id", "opportunityid", "createdbyid", "systemmodstamp", "isdeleted", "field", "oldvalue", "newvalue",
        "lastmodifiedbyid", "lastmodifieddate", "datatype",
    )
)  # fmt: skip
"""What a history has about its rows, not about deals."""


def unread_columns(files: Iterable[str], fields: Mapping[str, str]) -> list[str]:
    """Names as they are written. ``fields``: CRM field to field of a deal. Raises `NotATable` and OSError."""
    read = {plain(name) for name in (*fields, *SALESFORCE_FACTS)} | ALIASES.keys() | _OF_THE_EXPORT
    headers = [name for file in files for name in open_table(file).header]
    return [name for name in dict.fromkeys(headers) if plain(name) and plain(name) not in read]
