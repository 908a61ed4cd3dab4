"""What an export has and the policy does not read: a discount may be among it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from wellwon.sources.change import Rejected
from wellwon.sources.history import ALIASES
from wellwon.sources.mapping import SALESFORCE_FACTS
from wellwon.sources.table import Table, has, plain
from wellwon.sources.whole import open_table

_OF_THE_EXPORT: Final = frozenset(
    (
        "id", "opportunityid", "dealid", "createdbyid", "systemmodstamp", "isdeleted", "field", "oldvalue", "newvalue",
        "lastmodifiedbyid", "lastmodifieddate", "datatype", "created", "opportunitycreatedfromlead",
    )
)  # fmt: skip
"""What a history has about its rows, not about deals."""


def unread_fields(files: Iterable[str], fields: Mapping[str, str]) -> list[str]:
    """Names of columns, or of the fields that a history of fields has rows of, as they are written.

    ``fields``: CRM field to field of a deal. Raises `NotATable` and OSError.
    """
    read = {plain(name) for name in (*fields, *SALESFORCE_FACTS)} | ALIASES.keys() | _OF_THE_EXPORT
    names = dict.fromkeys(name for file in files for name in _names(open_table(file)))
    return [name for name in names if plain(name) and plain(name) not in read and plain(name) + "id" not in read]


def _names(table: Table) -> Iterator[str]:
    """What the table has: its columns; of a row for each field, the fields that its rows name."""
    for deal, named, value in (("opportunityid", "field", "newvalue"), ("dealid", "name", "value")):
        if has(table, deal, named, value):
            place = table.columns.index(named)
            rows = (row for piece in table.pieces() for row in table.rows(piece))
            yield from dict.fromkeys(row[1][place].strip() for row in rows if not isinstance(row, Rejected))
            return
    yield from table.header
