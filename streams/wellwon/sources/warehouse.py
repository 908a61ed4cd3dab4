"""Rows as Airbyte and Fivetran write them, sent on to Kafka as they come."""

from __future__ import annotations

from typing import Any, Final

import orjson

from wellwon.core.items import DELETED
from wellwon.sources.change import Ignored, Unreadable
from wellwon.sources.mapping import SourceView
from wellwon.sources.rows import Row, Rows, read_instant

_AIRBYTE_TIMES: Final = ("_airbyte_extracted_at", "_airbyte_emitted_at")


class Airbyte(Rows):
    """Airbyte's records: the row in ``_airbyte_data``, or flattened beside Airbyte's own columns."""

    def __init__(self, view: SourceView) -> None:
        super().__init__(view, "airbyte")

    def opened(self, record: dict[str, Any]) -> Row | Ignored:
        """See `Rows`."""
        data = record.get("_airbyte_data", record)
        if isinstance(data, str):
            try:
                data = orjson.loads(data)
            except orjson.JSONDecodeError as error:
                raise Unreadable("bad_row", f"_airbyte_data is not JSON: {error}") from None
        if not isinstance(data, dict):
            raise Unreadable("bad_row", "_airbyte_data is no object")
        seen = next((record[name] for name in _AIRBYTE_TIMES if record.get(name) is not None), None)
        if seen is None:
            raise Unreadable("bad_row", "neither _airbyte_extracted_at nor _airbyte_emitted_at: is this from Airbyte?")
        nested = data.get("properties")
        values = {**data, **nested} if isinstance(nested, dict) else data  # HubSpot's
        gone = data.get("_ab_cdc_deleted_at") is not None
        return Row(values, None, DELETED if gone else None, None, read_instant("_airbyte_extracted_at", seen))


class Fivetran(Rows):
    """Fivetran's rows, history mode or not. A version that has ended was told when it began."""

    def __init__(self, view: SourceView) -> None:
        super().__init__(view, "fivetran")

    def opened(self, record: dict[str, Any]) -> Row | Ignored:
        """See `Rows`."""
        start, synced = record.get("_fivetran_start"), record.get("_fivetran_synced")
        if start is None and synced is None:
            raise Unreadable("bad_row", "neither _fivetran_start nor _fivetran_synced: is this from Fivetran?")
        if record.get("_fivetran_active") is False:
            return Ignored("ended_version")
        began = None if start is None else read_instant("_fivetran_start", start)
        return Row(record, None, None, began, None if synced is None else read_instant("_fivetran_synced", synced))
