"""Deals read again from Salesforce, with their line items: two queries for up to 200 of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from wellwon.core.units import format_instant, parse_instant
from wellwon.runtime.reread_answers import FRESH, CrmClock, Found
from wellwon.sinks import salesforce_records
from wellwon.sinks.crm import put_off
from wellwon.sinks.http import Answer
from wellwon.sinks.salesforce import API, Salesforce
from wellwon.sinks.transport import CREDENTIALS_S, Later, Refused
from wellwon.sources.change import Outcome
from wellwon.sources.mapping import SourceView, instant, salesforce_id
from wellwon.sources.reread import MODIFIED, Request, SalesforceRecords, identity_of
from wellwon.sources.salesforce import LINE_ITEM, OPPORTUNITY

Record = dict[str, Any]

GONE: Final = "Salesforce knows no such opportunity, or does not show it to the user as whom wellwon reads (View All)"
_LINK: Final = {OPPORTUNITY: "Id", LINE_ITEM: "OpportunityId"}


class _Page(msgspec.Struct):
    records: list[Record]
    nextRecordsUrl: str = ""


class _Field(msgspec.Struct):
    name: str


class _Description(msgspec.Struct):
    fields: list[_Field]


class SalesforceReader:
    """See the module."""

    batch = 200

    def __init__(self, crm: Salesforce, view: SourceView) -> None:
        self._crm = crm
        self.usage = crm.usage
        self._records = SalesforceRecords(view)
        self._fields: dict[str, frozenset[str]] = {}
        """What an entity has for us, by its name; empty where the organisation does not use it, or hides it."""
        self._clock = CrmClock()

    async def deals(self, requests: Sequence[Request]) -> list[Found | Later | Refused] | Later:
        """See `Reader`."""
        ids = [salesforce_id(request.opportunity_id) for request in requests]
        known = [deal for deal in dict.fromkeys(ids) if deal is not None and deal.startswith("006")]
        by_deal: dict[str, dict[str, list[Record]]] = {deal: {OPPORTUNITY: [], LINE_ITEM: []} for deal in known}
        for entity, link in _LINK.items() if known else ():
            fields = await self._there(entity)
            if isinstance(fields, Later):
                return fields
            if not fields:
                continue
            listed = ",".join(f"'{deal}'" for deal in known)
            records = await self._all(self._select(entity, fields, f"{link} IN ({listed})"))
            if isinstance(records, Later):
                return records
            for record in records:
                if (deal := salesforce_id(record.get(link))) in by_deal:
                    by_deal[deal][entity].append(record)
        at = self._clock.settled()
        return [self._answer(by_deal.get(deal or ""), request, at) for deal, request in zip(ids, requests, strict=True)]

    def _answer(self, found: dict[str, list[Record]] | None, request: Request, at: int) -> Found | Later | Refused:
        if found is None:
            return Refused(f"{request.opportunity_id!r} is not the id of an opportunity")
        if not found[OPPORTUNITY]:
            return Refused(GONE)
        if any(_saved_at(record) > at for records in found.values() for record in records):
            return FRESH
        return Found([one for entity in found for one in self._told(entity, found[entity], at, request)], at)

    def _told(self, entity: str, records: list[Record], at: int, request: Request) -> list[Outcome]:
        identity = identity_of(request)
        return [one for record in records for one in self._records.outcomes(entity, record, at, identity)]

    async def page(self, request: Request, cursor: str) -> Found | Later | Refused:
        """See `Reader`."""
        entity = request.entity
        if entity not in _LINK:
            return Refused(f"{entity} tells of touches, and when they were is told by their events alone")
        fields = await self._there(entity)
        if isinstance(fields, Later):
            return fields
        if not fields:
            return Found((), self._clock.settled())
        at = self._clock.settled()
        # What was saved since comes as an event.
        which = f"{MODIFIED} <= {format_instant(at)} AND "
        if request.since:
            path = self._select(entity, fields, f"{which}{MODIFIED} >= {format_instant(parse_instant(request.since))}")
        else:
            still_open = "IsClosed = false" if entity == OPPORTUNITY else "Opportunity.IsClosed = false"
            path = self._select(entity, fields, f"{which}{still_open}", deleted=False)
        page = await self._page(cursor or path)
        if isinstance(page, Later):
            return page
        return Found(self._told(entity, page.records, at, request), at, page.nextRecordsUrl)

    def _select(self, entity: str, there: frozenset[str], which: str, *, deleted: bool = True) -> str:
        fields = ",".join(self._records.fields(entity, there))
        query = f"SELECT {fields} FROM {entity} WHERE {which}"
        return f"{API}/{'queryAll' if deleted else 'query'}?q={quote(query, safe='')}"

    async def _there(self, entity: str) -> frozenset[str] | Later:
        """The entity's fields that we may read: a query that names another one is refused as a whole."""
        if entity not in self._fields:
            answer = await self._ask(f"{API}/sobjects/{entity}/describe")
            if isinstance(answer, Later):
                return answer
            if answer.status == 404 and entity != OPPORTUNITY:
                self._fields[entity] = frozenset()
            elif answer.status != 200:
                return _later(answer)
            else:
                described = msgspec.json.decode(answer.body, type=_Description)
                self._fields[entity] = frozenset(field.name for field in described.fields)
        return self._fields[entity]

    async def _all(self, path: str) -> list[Record] | Later:
        records: list[Record] = []
        while path:
            page = await self._page(path)
            if isinstance(page, Later):
                return page
            records += page.records
            path = page.nextRecordsUrl
        return records

    async def _page(self, path: str) -> _Page | Later:
        answer = await self._ask(path)
        if isinstance(answer, Later):
            return answer
        if answer.status != 200:
            self._fields.clear()  # a field may have been taken away
            return _later(answer)
        try:
            return msgspec.json.decode(answer.body, type=_Page)
        except msgspec.MsgspecError:
            return Later("an answer that is none of Salesforce's, or too long")

    async def _ask(self, path: str) -> Answer | Later:
        answer = await self._crm.ask("GET", path)
        if isinstance(answer, Answer):
            self._clock.learn(answer)
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._crm.close()


def _later(answer: Answer) -> Later:
    """Why a reading was refused: nothing of it is the deals' fault, so somebody can put it right."""
    said = put_off(answer) or salesforce_records.refusal(answer.status, answer.body)
    return said if isinstance(said, Later) else Later(said.why, CREDENTIALS_S)


def _saved_at(record: Record) -> int:
    try:
        return instant(record.get(MODIFIED))
    except ValueError:
        return 0
