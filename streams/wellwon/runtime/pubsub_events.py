"""Events of the Pub/Sub API, decoded by the schema that each was written with, in the form that the mapper reads."""

from __future__ import annotations

import io
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Final

import fastavro
import orjson

SCHEMAS_KEPT: Final = 256


class Undecodable(ValueError):
    """The event is not what its schema says; the text tells how."""


class Events:
    """``fetch`` gets a schema's JSON by its id; each is asked for once, and events of several may be mixed."""

    def __init__(self, fetch: Callable[[str], Awaitable[str]]) -> None:
        self._fetch = fetch
        self._schemas: OrderedDict[str, tuple[Any, list[str]]] = OrderedDict()

    async def decoded(self, event: Any, replay_id: bytes) -> bytes:
        """A record for the raw topic. Raises `Undecodable`, and whatever ``fetch`` raises."""
        schema, names = await self._schema(event.schema_id)
        stream = io.BytesIO(event.payload)
        try:
            payload = fastavro.schemaless_reader(stream, schema, None)
        except Exception as error:  # the reader raises whatever its bytes lead it to
            raise Undecodable(f"not of its schema {event.schema_id}: {type(error).__name__} {error}") from None
        if rest := len(event.payload) - stream.tell():
            raise Undecodable(f"{rest} bytes are left after what its schema {event.schema_id} says")
        record = {
            "id": event.id,
            "schemaId": event.schema_id,
            "replayId": replay_id.hex(),
            "fields": names,  # the bitmaps of changed fields are over this order
            "payload": payload,
        }
        return orjson.dumps(record, default=str, option=orjson.OPT_UTC_Z)

    async def _schema(self, id_: str) -> tuple[Any, list[str]]:
        if (known := self._schemas.get(id_)) is None:
            text = await self._fetch(id_)
            try:
                written = json.loads(text)
                known = fastavro.parse_schema(written, named_schemas={}), [one["name"] for one in written["fields"]]
            except Exception as error:
                raise Undecodable(f"its schema {id_} is none: {type(error).__name__} {error}") from None
            self._schemas[id_] = known
            if len(self._schemas) > SCHEMAS_KEPT:
                self._schemas.popitem(last=False)
        else:
            self._schemas.move_to_end(id_)
        return known
