"""Salesforce's Task, Event and Quote events: touches of the deal they belong to.

A task is a touch when it is completed, a meeting when it is put in the calendar, a quote when it is presented, and when
the buyer accepts or denies it. An update does not say what the record belongs to unless the channel enriches it with
WhatId (Quote: OpportunityId); else what was seen of the record before is used, as far as it is remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from wellwon.core.items import CHANGED, CREATED
from wellwon.sources.change import Ignored
from wellwon.sources.mapping import salesforce_id

TASK: Final = "Task"
EVENT: Final = "Event"
QUOTE: Final = "Quote"
ACTIVITIES: Final = (TASK, EVENT, QUOTE)

REMEMBERED: Final = 200_000
OUTBOUND: Final = "outbound"
INBOUND: Final = "inbound"
QUOTE_STATUS: Final = {"Presented": OUTBOUND, "Accepted": INBOUND, "Denied": INBOUND, "Rejected": INBOUND}
"""Of a quote's standard states those that went between seller and buyer."""
_DEAL: Final = "006"


@dataclass(frozen=True, slots=True)
class Touch:
    """What an event says of a deal."""

    deal: str
    direction: str
    channel: str


@dataclass(slots=True)
class Activities:
    """Remembers what the records seen last belong to; the oldest are forgotten."""

    limit: int = REMEMBERED
    _seen: OrderedDict[str, tuple[str, bool]] = field(default_factory=OrderedDict)
    """Record to the deal (empty: another object) and whether the buyer called."""

    def read(
        self, entity: str, record: str, kind: str, body: dict[str, Any], names: set[str] | None
    ) -> Touch | Ignored:
        """The touch that an event is, or why it is none. ``names``: the changed fields of an update."""
        if kind not in (CREATED, CHANGED) or body.get("IsChild") is True:
            return Ignored("no_touch")
        deal, called = self._belongs(entity, record, kind, body, names)
        if deal is None:
            return Ignored("unknown_activity")
        if not deal:
            return Ignored("other_activity")

        def sets(name: str) -> bool:
            return body.get(name) is not None and (names is None or name in names)

        status = body.get("Status") if sets("Status") else None
        if entity == EVENT:
            return Touch(deal, OUTBOUND, "meeting") if kind == CREATED else Ignored("no_touch")
        if entity == QUOTE:
            direction = QUOTE_STATUS.get(status) if isinstance(status, str) else None
            return Touch(deal, direction, "quote") if direction else Ignored("no_touch")
        if status == "Completed" or (status is None and sets("IsClosed") and body["IsClosed"] is True):
            subtype = body.get("TaskSubtype")
            channel = subtype.lower() if isinstance(subtype, str) and subtype else "task"
            return Touch(deal, INBOUND if called else OUTBOUND, channel)
        return Ignored("no_touch")

    def _belongs(
        self, entity: str, record: str, kind: str, body: dict[str, Any], names: set[str] | None
    ) -> tuple[str | None, bool]:
        """The record's deal, empty where it belongs to something else, None where that is not known."""
        link = "OpportunityId" if entity == QUOTE else "WhatId"
        deal, called = self._seen.get(record, (None, False))
        told = body.get(link)
        if told is not None or kind == CREATED or (names is not None and link in names):
            long = salesforce_id(told)
            deal = long if long is not None and long.startswith(_DEAL) else ""
        if body.get("CallType") is not None:
            called = body["CallType"] == "Inbound"
        if deal is not None:
            self._seen[record] = deal, called
            self._seen.move_to_end(record)
            while len(self._seen) > self.limit:
                self._seen.popitem(last=False)
        return deal, called
