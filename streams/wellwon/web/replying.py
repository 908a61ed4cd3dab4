"""What somebody pressed, as the reply that Slack's buttons would have made."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any, Final

from wellwon.core.units import HOUR, format_instant
from wellwon.deliver.cards import AlertCard
from wellwon.deliver.items import ACKNOWLEDGED, ANSWERED, SNOOZED, Alert, Reply
from wellwon.sinks.layout import NOT_RIGHT, layout
from wellwon.sinks.words import clean

BODY_MAX: Final = 16 * 1024
NOTE_MAX: Final = 500
SNOOZE_MAX_H: Final = 24 * 31
_PRESS: Final = re.compile(r"[A-Za-z0-9-]{8,64}")


class Meaningless(ValueError):
    """Nothing that the page asks; the text says what is wrong."""


def mark_of(body: Any) -> str:
    """The fingerprint of the alert that is replied to. Raises Meaningless."""
    mark = body.get("mark") if isinstance(body, dict) else None
    if not isinstance(mark, str) or not mark:
        raise Meaningless("mark: the alert's fingerprint is missing")
    return mark


def reply(body: Any, alert: Alert, by: str, now: int) -> Reply:
    """The reply to an alert, at ``now`` (epoch ms). The same press of a button has the same id. Raises Meaningless."""
    press, kind = body.get("press"), body.get("kind")
    answer, value = body.get("answer") or "", body.get("value") or ""
    if not isinstance(press, str) or not _PRESS.fullmatch(press):
        raise Meaningless("press: 8 to 64 letters and digits, of this press of the button")
    if not isinstance(answer, str) or not isinstance(value, str):
        raise Meaningless("answer and value are texts")
    note, until = "", ""
    if kind == ANSWERED:
        if answer not in layout(AlertCard(alert), zone="UTC").answers:
            raise Meaningless(f"answer: {clean(answer, 40)!r} is no answer to {alert.rule}")
        note = clean(NOT_RIGHT.get(value, value), NOTE_MAX)
        if answer == "not_right" and not note:
            raise Meaningless("value: why is it not right?")
    elif kind == SNOOZED:
        if not (value.isascii() and value.isdigit() and len(value) < 6 and 1 <= int(value) <= SNOOZE_MAX_H):
            raise Meaningless(f"value: hours from 1 to {SNOOZE_MAX_H}")
        until = format_instant(now + int(value) * HOUR)
    elif kind != ACKNOWLEDGED:
        raise Meaningless(f"kind: {ANSWERED}, {ACKNOWLEDGED} or {SNOOZED}")
    unique = json.dumps([by, press, alert.fingerprint, kind, answer, value])
    return Reply(
        id=hashlib.blake2b(unique.encode(), digest_size=12).hexdigest(),
        opportunity_id=alert.opportunity_id,
        kind=kind,
        at=format_instant(now),
        by=by[:120],
        fingerprint=alert.fingerprint,
        answer=answer if kind == ANSWERED else "",
        note=note,
        until=until,
    )
