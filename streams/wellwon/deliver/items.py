"""What deliver reads: alerts, wins, and what people replied. Keys that are not known here are ignored."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from wellwon.core.lifecycle import RESOLVED
from wellwon.core.units import parse_instant

ACKNOWLEDGED: Final = "acknowledged"
SNOOZED: Final = "snoozed"
NOTED: Final = "noted"
ANSWERED: Final = "answered"
REPLIES: Final = (ACKNOWLEDGED, SNOOZED, NOTED, ANSWERED)
REPLY_SCHEMA: Final = "reply.v1"


class Alert(msgspec.Struct, frozen=True):
    """One transition of an alert, ``alert.v1``."""

    id: str
    fingerprint: str
    revision: int
    transition: str
    reason: str
    rule: str
    severity: str
    mode: str
    at: str
    title: str
    family: str = ""
    opportunity_id: str = ""
    owner_id: str | None = ""
    name: str | None = ""
    segment: str = ""
    period: str = ""
    opened_at: str = ""
    amount: str | None = None
    annual_amount: str | None = None
    currency: str | None = None
    close_date: str | None = None
    evidence: dict[str, Any] = {}
    covered_by: str | None = None

    @property
    def headline(self) -> str:
        """Fingerprint of the alert that leads the message."""
        return self.covered_by or self.fingerprint

    @property
    def open(self) -> bool:
        """Whether it holds now."""
        return self.transition != RESOLVED

    @property
    def at_ms(self) -> int:
        """When it happened, epoch milliseconds."""
        return parse_instant(self.at)


class Win(msgspec.Struct, frozen=True):
    """How a deal was won, ``win.v1``."""

    id: str
    revision: int
    withdrawn: bool
    at: str
    opportunity_id: str
    won_at: str
    reading: str
    price_held: str
    date_held: str
    buyer_answered: str
    owner_id: str | None = ""
    name: str | None = ""
    segment: str = ""
    period: str = ""
    days_to_period_end: int = 0
    amount: str | None = None
    currency: str | None = None
    discount_percent: str | None = None
    baseline_percent: str | None = None
    traded: bool = False
    date_before: str | None = None
    late_concession: str | None = None

    @property
    def at_ms(self) -> int:
        """When it happened, or was last known otherwise, epoch milliseconds."""
        return parse_instant(self.at)


class Reply(msgspec.Struct, frozen=True):
    """What somebody said to a message, ``reply.v1``."""

    id: str
    opportunity_id: str
    kind: str
    """One of `REPLIES`."""
    at: str
    by: str = ""
    fingerprint: str = ""
    """The alert replied to; empty: the win."""
    answer: str = ""
    """Of an answer: buyer_date, traded, approved, legal, not_right."""
    note: str = ""
    until: str = ""
    """Of a snooze: when to tell again."""
    schema: str = REPLY_SCHEMA


class Unreadable(ValueError):
    """A record that is none of these; the text says why."""


_ALERT, _WIN, _REPLY = msgspec.json.Decoder(Alert), msgspec.json.Decoder(Win), msgspec.json.Decoder(Reply)


def _read(decoder: msgspec.json.Decoder[Any], value: bytes, *instants: str) -> Any:
    try:
        found = decoder.decode(value)
        for name in instants:
            parse_instant(getattr(found, name))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise Unreadable(str(error)) from None
    return found


def read_alert(value: bytes) -> Alert:
    """Read an ``alert.v1`` record. Raises Unreadable."""
    alert: Alert = _read(_ALERT, value, "at")
    return alert


def read_win(value: bytes) -> Win:
    """Read a ``win.v1`` record. Raises Unreadable."""
    win: Win = _read(_WIN, value, "at", "won_at")
    return win


def read_reply(value: bytes) -> Reply:
    """Read a ``reply.v1`` record. Raises Unreadable."""
    reply: Reply = _read(_REPLY, value, "at")
    if reply.kind not in REPLIES:
        raise Unreadable(f"kind {reply.kind!r}; known: {', '.join(REPLIES)}")
    if reply.kind == SNOOZED:
        try:
            parse_instant(reply.until)
        except ValueError as error:
            raise Unreadable(f"until: {error}") from None
    return reply
