"""Requests to read again from a CRM, and what its REST API says, as changes: state, and nobody's behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import orjson

from wellwon.core.units import format_instant, parse_instant
from wellwon.sources.bitmap import HEADER
from wellwon.sources.change import Ignored, Outcome, Rejected, Unreadable
from wellwon.sources.hubspot import DEAL_TYPE, HubSpotWebhooks
from wellwon.sources.lines import READ as LINE_FIELDS
from wellwon.sources.mapping import SALESFORCE_FACTS, SourceView, instant
from wellwon.sources.salesforce import LINE_ITEM, SalesforceCdc

MODIFIED: Final = "SystemModstamp"
_DELETED: Final = "IsDeleted"
_NOBODY: Final = {"id": "", "kind": "integration"}


class Request(msgspec.Struct, frozen=True):
    """A ``reread.v1`` record: one deal, or all of an entity."""

    source: str
    reason: str
    at: str
    opportunity_id: str = ""
    entity: str = ""
    since: str = ""

    @property
    def noticed_at(self) -> int:
        """Epoch milliseconds of the loss."""
        return parse_instant(self.at)


_decode: Final = msgspec.json.Decoder(Request).decode


def read_request(value: bytes) -> Request:
    """What a record asks for. Raises `Unreadable`."""
    try:
        request = _decode(value)
        for text in filter(None, (request.at, request.since)):
            parse_instant(text)
    except ValueError as error:  # msgspec's are among them
        raise Unreadable("bad_request", f"this is no reread.v1: {error}") from None
    if not (request.opportunity_id or request.entity):
        raise Unreadable("bad_request", "this reread.v1 names neither a deal nor an entity")
    return request


class SalesforceRecords:
    """Records of Salesforce's REST API, mapped as Change Data Capture's are: a snapshot is one of its change types."""

    def __init__(self, view: SourceView) -> None:
        self._cdc = SalesforceCdc(view)
        self._view = view

    def fields(self, entity: str, there: frozenset[str]) -> tuple[str, ...]:
        """The fields to ask for, of those that are ``there``."""
        mapped = LINE_FIELDS if entity == LINE_ITEM else {*self._view.fields, *SALESFORCE_FACTS}
        return ("Id", MODIFIED, _DELETED, *sorted(there.intersection(mapped)))

    def outcomes(self, entity: str, record: Mapping[str, Any], at: int, identity: str) -> list[Outcome]:
        """A record as it was read at an instant (epoch ms). ``identity``: of the reading."""
        gone = record.get(_DELETED) is True
        body = {name: value for name, value in record.items() if name not in ("attributes", "Id", MODIFIED, _DELETED)}
        header = {
            "entityName": entity,
            "recordIds": [record.get("Id")],
            "changeType": "DELETE" if gone else "SNAPSHOT",
            "transactionKey": f"read:{identity}:{record.get(MODIFIED)}",
            "sequenceNumber": 0,
            "commitTimestamp": at,
        }
        found = self._cdc.read(orjson.dumps({HEADER: header, **body}))
        return [{**one, "writer": _NOBODY} if isinstance(one, dict) else one for one in found]


def hubspot_history(mapper: HubSpotWebhooks, deal: str, record: Mapping[str, Any]) -> list[Outcome]:
    """A deal's whole past, from the histories of its properties: as its webhooks would have told it."""
    about = {"objectTypeId": DEAL_TYPE, "objectId": deal}
    events: list[tuple[int, dict[str, Any]]] = []
    try:
        created = instant(record.get("createdAt"))
        for name, versions in (record.get("propertiesWithHistory") or {}).items():
            for version in versions:
                said = {
                    "subscriptionType": "object.propertyChange",
                    "propertyName": name,
                    "propertyValue": version.get("value"),
                    "changeSource": version.get("sourceType"),
                    "sourceId": version.get("sourceId"),
                    "occurredAt": instant(version.get("timestamp")),
                }
                events.append((said["occurredAt"], said | about))
    except (AttributeError, TypeError, ValueError) as error:
        detail = f"HubSpot's history of deal {deal} cannot be read: {error}"
        return [Rejected("bad_history", detail, orjson.dumps(record))]
    events.sort(key=lambda event: event[0])
    born = {"subscriptionType": "object.creation", "occurredAt": created} | about
    told = [event for _, event in events]
    return [one for one in mapper.read(orjson.dumps([born, *told])) if not isinstance(one, Ignored)]


def hubspot_snapshot(mapper: HubSpotWebhooks, deal: str, record: Mapping[str, Any], at: int, why: str) -> Outcome:
    """A deal as it was read at an instant (epoch ms). ``why``: what the reading answers."""
    identity = f"hs:read:{why}:{deal}:{record.get('updatedAt')}"
    try:
        return mapper.whole(deal, dict(record.get("properties") or {}), at, identity)
    except Unreadable as error:
        return Rejected(error.reason, error.detail, orjson.dumps(record))


def identity_of(request: Request) -> str:
    """What tells one reading from another: a reading that is repeated after a crash has the same."""
    return format_instant(request.noticed_at)
