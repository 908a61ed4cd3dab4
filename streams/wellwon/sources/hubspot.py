"""HubSpot's webhook events to `opportunity-change.v1`: one property of one deal at a time, in no certain order.

An event has no old value, and its ``eventId`` is not unique: what it says is its id. A merge ends the deals that were
taken in. Where one of them goes on under its own id, it keeps its history and is marked, so that it is read again;
where HubSpot made a new deal of them, that deal's history is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from wellwon.core.items import ACTIVITY, CHANGED, CREATED, DELETED, GAP, RESTORED, SNAPSHOT
from wellwon.core.units import format_instant
from wellwon.policy.own import is_own
from wellwon.sources.change import ChangeEvent, Ignored, Outcome, Rejected, Reread, Unreadable, change_event
from wellwon.sources.hubspot_history import writer_kind
from wellwon.sources.mapping import SourceView, calendar_day, instant, written

SOURCE: Final = "hubspot"
MERGED: Final = "merged"
"""Why a deal's history is asked for."""
DEAL_TYPE: Final = "0-3"
"""HubSpot's id of the type of object that deals are."""

TOUCHES: Final[dict[str, tuple[str, str]]] = {
    "notes_last_contacted": ("outbound", "contact"),
    "hs_sales_email_last_replied": ("inbound", "email"),
}
"""Properties that say when somebody last spoke or wrote: direction and channel. Their value is the time."""

CLOSED_STAGES: Final = {"closedwon": (True, True), "closedlost": (True, False)}
"""Stages of HubSpot's own pipeline: closed, won. Those of other pipelines the policy names."""

_SHORT: Final = 64


@dataclass(frozen=True, slots=True)
class _Event:
    """What all events have, checked."""

    deal: str
    what: str
    """``propertyChange``, ``creation`` and so on."""
    at: int
    portal: str
    user: str
    client: str
    kind: str
    """The writer's kind, empty where the policy decides."""
    body: dict[str, Any]


class HubSpotWebhooks:
    """The mapper. It holds no state."""

    def __init__(self, view: SourceView) -> None:
        self._view = view
        self._zone = ZoneInfo(view.zone)

    def read(self, value: bytes) -> Iterator[Outcome]:
        """Everything that one record says: an event, or a body of them as HubSpot posts it."""
        try:
            found = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            yield Rejected("not_json", f"the record is not JSON: {error}", value)
            return
        for event in found if isinstance(found, list) else [found]:
            try:
                yield from self._one(event)
            except Unreadable as error:
                yield Rejected(error.reason, error.detail, orjson.dumps(event) if isinstance(found, list) else value)

    def _one(self, body: Any) -> Iterator[Outcome]:
        if not isinstance(body, dict):
            raise Unreadable("bad_event", "an event is an object with subscriptionType and objectId")
        named = body.get("subscriptionType") or body.get("eventType")
        if not isinstance(named, str) or "." not in named:
            raise Unreadable("bad_event", f"subscriptionType {named!r} is none: is this a HubSpot webhook event?")
        entity, _, what = named.partition(".")
        if entity != "deal" and not (entity == "object" and body.get("objectTypeId") == DEAL_TYPE):
            yield Ignored("other_entity")
            return
        event = _checked(body, what)
        if event.client and self._view.writers.kind(event.user, event.client) == "self":
            yield Ignored("own_echo")
            return
        match what:
            case "propertyChange":
                yield self._property(event)
            case "creation":
                yield self._event(event, CREATED, f"created:{event.at}", {"created_at": format_instant(event.at)})
            case "deletion":
                yield self._event(event, DELETED, f"deleted:{event.at}")
            case "restore":
                yield self._event(event, RESTORED, f"restored:{event.at}")
            case "merge":
                yield from self._merge(event)
            case _:
                yield Ignored("other_event")

    def _property(self, event: _Event) -> Outcome:
        name, value = event.body.get("propertyName"), event.body.get("propertyValue")
        if not isinstance(name, str) or not name:
            raise Unreadable("bad_event", f"propertyName {name!r} is none")
        text = "" if value is None else str(value)
        said = text if len(text) <= _SHORT else hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
        if is_own(name):
            return Ignored("own_echo")
        if name in TOUCHES:
            return self._touch(event, name, text)
        ours = self._view.fields.get(name)
        if ours is None:
            return Ignored("no_mapped_field")
        return self._event(event, CHANGED, f"{name}:{event.at}:{said}", self._values(name, ours, value))

    def _values(self, name: str, ours: str, value: Any) -> dict[str, Any]:
        text = "" if value is None else str(value)
        try:
            day = ours in ("close_date", "buyer_confirmed_date") and text
            values = {ours: calendar_day(text, self._zone) if day else written(ours, value)}
        except ValueError as error:
            raise Unreadable("bad_value", f"{name}: {error}") from None
        if ours == "stage" and text in CLOSED_STAGES:
            values["is_closed"], values["is_won"] = CLOSED_STAGES[text]
        return values

    def whole(self, deal: str, properties: dict[str, Any], at: int, identity: str) -> ChangeEvent:
        """How a deal is, read at an instant (epoch ms): nobody's behaviour. Raises `Unreadable`."""
        values: dict[str, Any] = {}
        for name, ours in self._view.fields.items():
            if name in properties and not is_own(name):
                values |= self._values(name, ours, properties[name])
        return change_event(
            id=identity,
            deal=deal,
            source=SOURCE,
            at=at,
            kind=SNAPSHOT,
            writer_kind="integration",
            values=values,
        )

    def _touch(self, event: _Event, name: str, text: str) -> Outcome:
        if not text:
            return Ignored("no_mapped_field")
        try:
            at = instant(int(text) if text.isdecimal() else text)
        except ValueError as error:
            raise Unreadable("bad_value", f"{name}: {error}") from None
        direction, channel = TOUCHES[name]
        # One call moves the property once, however often it is told.
        return {
            **self._event(event, ACTIVITY, f"{name}:{at}"),
            "occurred_at": format_instant(at),
            "direction": direction,
            "channel": channel,
        }

    def _merge(self, event: _Event) -> Iterator[Outcome]:
        body = event.body
        primary, merged = body.get("primaryObjectId", body.get("objectId")), body.get("mergedObjectIds")
        if not isinstance(merged, list):
            raise Unreadable("bad_event", "a merge without mergedObjectIds")
        left = _identifier(body.get("newObjectId") or primary)
        for deal in dict.fromkeys(_identifier(one) for one in (*merged, primary)):
            if deal != left:
                yield self._event(event, DELETED, f"merged:{event.at}", deal=deal)
        if left == _identifier(primary):
            yield self._event(event, GAP, f"merged:{event.at}", deal=left)
        else:
            # Not a gap: the deal would be known from the merge on, and what was before it would come too late.
            yield Reread("", SOURCE, event.at, MERGED, f"hs:{event.portal}:{left}:merged:{event.at}", deal=left)

    def _event(
        self, event: _Event, kind: str, said: str, values: dict[str, Any] | None = None, deal: str = ""
    ) -> ChangeEvent:
        deal = deal or event.deal
        return change_event(
            id=f"hs:{event.portal}:{deal}:{said}",
            deal=deal,
            source=SOURCE,
            at=event.at,
            kind=kind,
            writer=event.user,
            writer_kind=event.kind or self._view.writers.kind(event.user),
            # The parts of a save come as events of their own, of one instant.
            transaction=f"hs:{event.portal}:{deal}:{event.at}",
            values=values,
        )


def _checked(body: dict[str, Any], what: str) -> _Event:
    try:
        at = instant(body.get("occurredAt"))
    except ValueError as error:
        raise Unreadable("bad_event", f"occurredAt: {error}") from None
    source, by = (str(body.get(name) or "") for name in ("changeSource", "sourceId"))
    user = by.removeprefix("userId:") if by.startswith("userId:") else ""
    identity = body.get("objectId", body.get("primaryObjectId"))
    return _Event(
        deal=_identifier(identity),
        what=what,
        at=at,
        portal=str(body.get("portalId") or ""),
        user=user or by,
        client="" if user else by,
        kind=writer_kind(source),
        body=body,
    )


def _identifier(value: Any) -> str:
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdecimal()) or len(text) > 20:
        raise Unreadable("bad_record_id", f"{value!r} is not the id of a HubSpot object")
    return text
