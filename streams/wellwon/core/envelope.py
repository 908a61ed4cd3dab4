"""The shapes of a record as msgspec reads it: types, no behaviour.

They live apart from the code that uses them, because that code may be compiled (mypyc) and these classes may not.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from wellwon.core import items

SCHEMA: Final = "opportunity-change.v1"


class Writer(msgspec.Struct, gc=False):
    """Who wrote a change."""

    id: str | None = None
    kind: str = items.USER


class Envelope(msgspec.Struct, gc=False):
    """One opportunity-change.v1 record, as written."""

    kind: str
    id: str = ""
    opportunity_id: str = ""
    occurred_at: str = ""
    source: str = "unknown"
    schema: str = SCHEMA
    writer: Writer | None = None
    transaction: str | None = None
    bulk: int = 1
    values: dict[str, Any] = {}
    line_item_id: str = ""
    direction: str = ""
    channel: str = ""
    answer: str = ""
    by: str = ""
    note: str = ""
    rule: str = ""
    changes: tuple[str, ...] = ()
    at: str = ""
    policy: str = ""


read_envelope = msgspec.json.Decoder(Envelope).decode
