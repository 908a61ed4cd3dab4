"""Salesforce Change Data Capture to `opportunity-change.v1`.

The event may come from CometD (JSON), from the Pub/Sub API (decoded Avro) or from a Kafka Connect connector: the
ChangeEventHeader is looked for at the value, ``payload``, ``data.payload`` and ``payload.payload``. Opportunity and
OpportunityLineItem are read, and of Task, Event and Quote what touches a deal; other entities are ignored.

- A merged event (several ``recordIds``) becomes one change for each record.
- Enrichment fields are in the body of an update without being in ``changedFields``: they are no changes.
- GAP events tell that something changed and not what: the deal is marked and a re-read is asked for.
- What wellwon wrote itself is recognised, by its client id in ``changeOrigin`` or because nothing but its own fields
  changed, and ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from wellwon.core.items import ACTIVITY, CHANGED, CREATED, DELETED, GAP, RESTORED, SNAPSHOT
from wellwon.core.items import LINE_ITEM as ITEM
from wellwon.core.units import HOUR
from wellwon.policy.own import is_own, only_own
from wellwon.sources.activities import ACTIVITIES, Activities
from wellwon.sources.bitmap import HEADER, changed_names, order_beside
from wellwon.sources.change import (
    ChangeEvent,
    Ignored,
    Outcome,
    Rejected,
    Reread,
    Unreadable,
    change_event,
)
from wellwon.sources.lines import LineItems
from wellwon.sources.mapping import EMPTY_TELLS, SALESFORCE_FACTS, SourceView, instant, salesforce_id, written

SOURCE: Final = "salesforce"
OPPORTUNITY: Final = "Opportunity"
LINE_ITEM: Final = "OpportunityLineItem"

_KINDS: Final = {
    "CREATE": CREATED,
    "UPDATE": CHANGED,
    "DELETE": DELETED,
    "UNDELETE": RESTORED,
    "SNAPSHOT": SNAPSHOT,
    "GAP_CREATE": GAP,
    "GAP_UPDATE": GAP,
    "GAP_DELETE": DELETED,
    "GAP_UNDELETE": GAP,
}
_RECORDS_MAX: Final = 2_000
TRANSACTION_MS: Final = HOUR
"""What one transaction saved was saved within this time before its commit."""


@dataclass(frozen=True, slots=True)
class Header:
    """A ChangeEventHeader, checked."""

    entity: str
    records: tuple[str, ...]
    change_type: str
    client: str
    """Client id under which an API app wrote; empty where it gave none."""
    transaction: str
    sequence: int
    at: int
    user: str
    changed: tuple[str, ...] | None
    """None where the header has no such list."""
    nulled: tuple[str, ...] | None


@dataclass(slots=True)
class SalesforceCdc:
    """The mapper. It holds no state but what line items and activities were seen to belong to."""

    view: SourceView
    lines: LineItems = field(default_factory=LineItems)
    activities: Activities = field(default_factory=Activities)
    _fields: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        fields = {**self.view.fields, **SALESFORCE_FACTS}
        self._fields = tuple((crm, ours) for crm, ours in fields.items() if not is_own(crm))

    def read(self, value: bytes) -> Iterator[Outcome]:
        """Everything that one record says."""
        try:
            yield from self.map(orjson.loads(value))
        except orjson.JSONDecodeError as error:
            yield Rejected("not_json", f"the record is not JSON: {error}", value)
        except Unreadable as error:
            yield Rejected(error.reason, error.detail, value)

    def map(self, value: Any) -> Iterator[Outcome]:
        """Everything that one decoded record says. Raises `Unreadable`."""
        found = find_event(value)
        if found is None:
            raise Unreadable(
                "no_change_event_header",
                "no ChangeEventHeader at the value, payload, data.payload or payload.payload:"
                " is this a Change Data Capture event?",
            )
        body, wrappers = found
        header = read_header(body[HEADER])
        if header.entity not in (OPPORTUNITY, LINE_ITEM, *ACTIVITIES):
            yield Ignored("other_entity")
        elif header.client and self.view.writers.kind(header.user, header.client) == "self":
            yield Ignored("own_echo")
        elif header.change_type == "GAP_OVERFLOW" or _is_everything(header.records):
            overflow = header.change_type == "GAP_OVERFLOW"
            yield Reread(
                header.entity,
                SOURCE,
                header.at,
                "overflow" if overflow else "wildcard",
                f"sf:{header.transaction}:{header.sequence}:{header.entity}",
                since=header.at - TRANSACTION_MS if overflow else None,
            )
        else:
            changes = list(self._changes(header, body, order_beside(*wrappers)))
            yield from changes or [Ignored("no_mapped_field")]

    def _changes(self, header: Header, body: dict[str, Any], order: tuple[str, ...] | None) -> Iterator[Outcome]:
        kind = _KINDS.get(header.change_type)
        if kind is None:
            raise Unreadable("unknown_change_type", f"changeType {header.change_type!r} is not one that Salesforce has")
        names = _told(header, body, order) if kind is CHANGED else None
        if names is not None and only_own(names):
            yield Ignored("own_echo")
            return
        records = []
        for text in header.records:
            record = salesforce_id(text)
            if record is None:
                raise Unreadable("bad_record_id", f"recordIds holds {text[:40]!r}, which is not a Salesforce id")
            records.append(record)
        if header.entity in ACTIVITIES:
            for record in records:
                touch = self.activities.read(header.entity, record, kind, body, names)
                if isinstance(touch, Ignored):
                    yield touch
                else:
                    about = {"direction": touch.direction, "channel": touch.channel}
                    yield self._event(header, record, touch.deal, ACTIVITY, {}) | about
            return
        if header.entity == LINE_ITEM:
            for record in records:
                deal, values = self.lines.read(record, kind, body, names)
                if values is None:
                    yield self._event(header, record, deal, GAP, {})
                elif values:
                    yield self._event(header, record, deal, ITEM, values, record)
            return
        values = {} if kind in (GAP, DELETED) else self._values(kind, body, names)
        if kind is CHANGED and not values:
            return
        for record in records:
            yield self._event(header, record, record, kind, values)

    def _event(
        self,
        header: Header,
        record: str,
        deal: str,
        kind: str,
        values: dict[str, Any],
        line_item: str | None = None,
    ) -> ChangeEvent:
        return change_event(
            id=f"sf:{header.transaction}:{header.sequence}:{record}",
            deal=deal,
            source=SOURCE,
            at=header.at,
            kind=kind,
            writer=header.user,
            writer_kind=self.view.writers.kind(header.user, header.client),
            transaction=header.transaction,
            bulk=len(header.records),
            values=dict(values),
            line_item=line_item,
        )

    def _values(self, kind: str, body: dict[str, Any], names: set[str] | None) -> dict[str, Any]:
        """The mapped fields that this event sets. ``names``: the changed fields of an update."""
        values: dict[str, Any] = {}
        for crm, ours in self._fields:
            if names is None:
                # A whole record. Of a new deal's empty fields, which CometD leaves out, few say something; in a
                # snapshot an empty field says that it is empty.
                if crm not in body or (body[crm] is None and kind is not SNAPSHOT):
                    continue
            elif crm not in names:
                continue
            elif crm not in body:
                raise Unreadable("missing_field", f"changedFields names {crm}, and the event has no {crm}")
            if (value := _whole_text(ours, body[crm])) is _PARTLY:
                continue
            try:
                values[ours] = written(ours, value)
            except ValueError as error:
                raise Unreadable("bad_value", f"{crm}: {error}") from None
        if kind is CREATED:
            values = {**{ours: None for _, ours in self._fields if ours in EMPTY_TELLS}, **values}
        return values


def find_event(value: Any) -> tuple[dict[str, Any], tuple[Any, ...]] | None:
    """The record that holds the ChangeEventHeader, and what it is wrapped in, outermost last."""
    if not isinstance(value, dict):
        return None
    wrappers: list[Any] = []
    for path in ((), ("payload",), ("data", "payload"), ("payload", "payload")):
        found: Any = value
        wrappers = [value]
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
            wrappers.insert(0, found)
        if isinstance(found, dict) and isinstance(found.get(HEADER), dict):
            # A record's own field could be called "fields" or "schema": only what is around it tells its order.
            return found, tuple(w for w in wrappers if w is not found) or (value,)
    return None


def read_header(header: dict[str, Any]) -> Header:
    """The header's fields, checked. Raises `Unreadable`."""
    entity, change_type = _word(header, "entityName"), _word(header, "changeType")
    # A raw topic name or a generic entity sometimes stands here.
    entity = entity.removesuffix("ChangeEvent")
    records = header.get("recordIds")
    if not isinstance(records, list) or not records or not all(isinstance(r, str) for r in records):
        raise Unreadable("bad_header", "recordIds must be a list of ids")
    if len(records) > _RECORDS_MAX:
        raise Unreadable("bad_header", f"recordIds holds {len(records)} ids: more than {_RECORDS_MAX} is not believed")
    sequence = header.get("sequenceNumber")
    if not isinstance(sequence, int) or isinstance(sequence, bool):
        raise Unreadable("bad_header", f"sequenceNumber {sequence!r} is not a number")
    try:
        at = instant(header.get("commitTimestamp"))
    except ValueError as error:
        raise Unreadable("bad_header", f"commitTimestamp: {error}") from None
    origin = header.get("changeOrigin")
    client = origin.partition(";client=")[2].strip("/ ") if isinstance(origin, str) else ""
    user = header.get("commitUser")
    return Header(
        entity=entity,
        records=tuple(dict.fromkeys(records)),
        change_type=change_type,
        client=client,
        transaction=_word(header, "transactionKey"),
        sequence=sequence,
        at=at,
        user=salesforce_id(user) or (user if isinstance(user, str) else ""),
        changed=_list(header, "changedFields"),
        nulled=_list(header, "nulledFields"),
    )


def _word(header: dict[str, Any], name: str) -> str:
    value = header.get(name)
    if not isinstance(value, str) or not value:
        raise Unreadable("bad_header", f"the header's {name} is {value!r}: a text is needed")
    return value


def _list(header: dict[str, Any], name: str) -> tuple[str, ...] | None:
    value = header.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise Unreadable("bad_header", f"the header's {name} must be a list of texts")
    return tuple(value)


def _told(header: Header, body: dict[str, Any], order: tuple[str, ...] | None) -> set[str]:
    """Names of the fields that an update changed; those it emptied are null in ``body`` afterwards."""
    if not header.changed:
        # CometD sends the changed fields only, so they tell themselves; a Pub/Sub body has every field, null or not.
        if header.nulled is None and "LastModifiedDate" in body:
            return set(body)
        raise Unreadable(
            "unknown_changed_fields",
            "an update without changedFields: which of its fields changed cannot be known; let the bridge pass it on",
        )
    changed, nulled = changed_names(header.entity, header.changed, header.nulled or (), body, order)
    for name in nulled:
        body[name] = None
    return changed | nulled


def _is_everything(records: tuple[str, ...]) -> bool:
    return any(record.endswith("*") or record == "000000000000000AAA" for record in records)


_PARTLY: Final = object()


def _whole_text(ours: str, value: Any) -> Any:
    """A long text may come as a unified diff. Its digest tells the next step's age; for other fields it is no value."""
    diff = value.get("diff") if isinstance(value, dict) else value
    if not isinstance(diff, str) or not diff.startswith("--- \n+++ "):
        return value
    return f"sha256:{diff[9:].partition(chr(10))[0].strip()[:64]}" if ours == "next_step" else _PARTLY
