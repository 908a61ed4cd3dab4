"""Deals read again from HubSpot, in batches: as they are, or with their histories where a merge made a new deal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from wellwon.core.items import DELETED
from wellwon.runtime.reread_answers import FRESH, CrmClock, Found
from wellwon.sinks import hubspot_records
from wellwon.sinks.crm import put_off
from wellwon.sinks.http import Answer
from wellwon.sinks.hubspot import HubSpot
from wellwon.sinks.transport import CREDENTIALS_S, Later, Refused
from wellwon.sources.change import change_event
from wellwon.sources.hubspot import MERGED, SOURCE, TOUCHES, HubSpotWebhooks
from wellwon.sources.mapping import SourceView, instant
from wellwon.sources.reread import Request, hubspot_history, hubspot_snapshot, identity_of

Record = dict[str, Any]

PATH: Final = "/crm/v3/objects/deals/batch/read"
GONE: Final = "HubSpot knows no such deal, or does not show it to the app as which wellwon reads"


class _Read(msgspec.Struct):
    results: list[Record] = []


class HubSpotReader:
    """See the module."""

    batch = 50  # HubSpot gives no more where histories are asked for

    def __init__(self, crm: HubSpot, view: SourceView) -> None:
        self._crm = crm
        self.usage = crm.usage
        self._mapper = HubSpotWebhooks(view)
        # HubSpot's internal names are lower case; Salesforce's are not.
        self._properties = sorted({name for name in view.fields if name == name.lower()} | TOUCHES.keys())
        self._clock = CrmClock()

    async def deals(self, requests: Sequence[Request]) -> list[Found | Later | Refused] | Later:
        """See `Reader`."""
        ids = dict.fromkeys(one.opportunity_id for one in requests if one.opportunity_id.isdecimal())
        merged = [one.opportunity_id for one in requests if one.reason == MERGED and one.opportunity_id in ids]
        others = [deal for deal in ids if deal not in merged]
        there: dict[str, Record] = {}
        archived: dict[str, Record] = {}
        for deals, asked in ((merged, "propertiesWithHistory"), (others, "properties")):
            found = await self._read(deals, {asked: self._properties})
            if isinstance(found, Later):
                return found
            there |= found
        if missing := [deal for deal in ids if deal not in there]:
            found = await self._read(missing, {"properties": []}, "?archived=true")
            if isinstance(found, Later):
                return found
            archived = found
        at = self._clock.settled()
        return [self._answer(one, there.get(one.opportunity_id), archived, at) for one in requests]

    def _answer(
        self, request: Request, record: Record | None, archived: dict[str, Record], at: int
    ) -> Found | Later | Refused:
        deal, why = request.opportunity_id, identity_of(request)
        if record is None:
            if deal not in archived:
                return Refused(GONE)
            gone = change_event(
                id=f"hs:read:{why}:{deal}:archived", deal=deal, source=SOURCE, at=at, kind=DELETED,
                writer_kind="integration",
            )  # fmt: skip
            return Found([gone], at)
        if request.reason == MERGED:
            return Found(hubspot_history(self._mapper, deal, record), at)
        if _saved_at(record) > at:
            return FRESH
        return Found([hubspot_snapshot(self._mapper, deal, record, at, why)], at)

    async def page(self, request: Request, cursor: str) -> Found | Later | Refused:
        """See `Reader`."""
        return Refused(f"HubSpot's webhooks lose no {request.entity} that they do not name")

    async def _read(self, deals: list[str], asked: dict[str, list[str]], query: str = "") -> dict[str, Record] | Later:
        if not deals:
            return {}
        answer = await self._crm.ask("POST", PATH + query, {"inputs": [{"id": deal} for deal in deals], **asked})
        if isinstance(answer, Later):
            return answer
        if answer.status not in (200, 207):
            return _later(answer)
        self._clock.learn(answer)
        try:
            results = msgspec.json.decode(answer.body, type=_Read).results
        except msgspec.MsgspecError:
            return Later("an answer that is none of HubSpot's, or too long")
        # A deal that was merged away is answered by the one it went into.
        return {str(record.get("id")): record for record in results if str(record.get("id")) in deals}

    async def close(self) -> None:
        """Close the connections."""
        await self._crm.close()


def _later(answer: Answer) -> Later:
    if answer.status == 429:
        return Later("HTTP 429: too many requests", answer.retry_after or hubspot_records.limited(answer.body))
    said = put_off(answer) or hubspot_records.refusal(answer.status, answer.body)
    return said if isinstance(said, Later) else Later(said.why, CREDENTIALS_S)


def _saved_at(record: Record) -> int:
    try:
        return instant(record.get("updatedAt"))
    except ValueError:
        return 0
