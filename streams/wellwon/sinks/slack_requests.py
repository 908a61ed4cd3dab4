"""What Slack sends when somebody presses a button: is it from Slack, is it new, and what does it say."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import OrderedDict
from typing import Any, Final
from urllib.parse import parse_qs

from wellwon.core.items import ANSWERS
from wellwon.core.units import DAY, format_instant
from wellwon.core.wire import is_identifier
from wellwon.deliver.items import ACKNOWLEDGED, ANSWERED, SNOOZED, Reply
from wellwon.sinks.layout import NOT_RIGHT
from wellwon.sinks.slack_blocks import ACKNOWLEDGE, NOT_RIGHT_ACTION, SNOOZE

WINDOW_S: Final = 300
"""A request may be this old, or this far ahead of our clock."""
BODY_MAX: Final = 512 * 1024
REMEMBERED: Final = 50_000


class Forged(Exception):
    """Not from Slack, too old, or seen before; the text says which."""


class Meaningless(ValueError):
    """From Slack, and nothing that we asked."""


class Verifier:
    """Checks signatures in constant time, and refuses what it has seen before."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        self._seen: OrderedDict[str, int] = OrderedDict()

    def check(self, timestamp: str, signature: str, body: bytes, now: int) -> None:
        """Raise Forged unless Slack signed this body within `WINDOW_S` of ``now`` (s), for the first time."""
        if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 12:
            raise Forged("no timestamp")
        if abs(now - int(timestamp)) > WINDOW_S:
            raise Forged("the timestamp is not of these minutes")
        signed = b"v0:" + timestamp.encode() + b":" + body
        expected = "v0=" + hmac.new(self._secret, signed, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), signature.encode(errors="replace")):
            raise Forged("the signature is wrong")
        while self._seen and (len(self._seen) >= REMEMBERED or next(iter(self._seen.values())) < now - 2 * WINDOW_S):
            self._seen.popitem(last=False)
        if expected in self._seen:
            raise Forged("seen before")
        self._seen[expected] = now


def read(body: bytes, now_ms: int) -> Reply | None:
    """The reply in an interaction request; None for what needs none (a link). Raises Meaningless."""
    try:
        payload = json.loads(parse_qs(body.decode(), strict_parsing=True)["payload"][0])
        if payload["type"] != "block_actions":
            raise Meaningless(f"type {str(payload['type'])[:40]}")
        (action,) = payload["actions"]
        pressed, user = action["action_id"], payload["user"]
        if pressed == "timeline":
            return None
        about = json.loads(_value(action, payload))
        deal, mark = about["deal"], about["mark"]
    except (LookupError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise Meaningless(f"not an interaction of ours: {type(error).__name__}") from None
    if not isinstance(deal, str) or not isinstance(mark, str) or (deal and not is_identifier(deal)):
        raise Meaningless("no deal")
    if not isinstance(user, dict):
        raise Meaningless("no user")
    kind, answer, note = _said(pressed, action)
    by = str(user.get("name") or user.get("username") or user.get("id", ""))[:120]
    unique = json.dumps([user.get("id"), action.get("action_ts"), pressed, note, deal, mark])
    return Reply(
        id=hashlib.blake2b(unique.encode(), digest_size=12).hexdigest(),
        opportunity_id=deal,
        kind=kind,
        at=format_instant(now_ms),
        by=by,
        fingerprint=mark,
        answer=answer,
        note=note,
        until=format_instant(now_ms + DAY) if kind == SNOOZED else "",
    )


def _value(action: dict[str, Any], payload: dict[str, Any]) -> str:
    """What the pressed element is about; a menu has no room for it, so its neighbour says it."""
    if "value" in action:
        return str(action["value"])
    for block in payload["message"]["blocks"]:
        for element in block.get("elements", ()):
            if element.get("action_id") == ACKNOWLEDGE:
                return str(element["value"])
    raise Meaningless("no value")


def _said(pressed: str, action: dict[str, Any]) -> tuple[str, str, str]:
    if pressed == ACKNOWLEDGE:
        return ACKNOWLEDGED, "", ""
    if pressed == SNOOZE:
        return SNOOZED, "", ""
    if pressed == NOT_RIGHT_ACTION:
        option = action.get("selected_option")
        reason = option.get("value", "") if isinstance(option, dict) else ""
        return ANSWERED, "not_right", NOT_RIGHT.get(reason, NOT_RIGHT["other"])
    if pressed in ANSWERS:
        return ANSWERED, pressed, ""
    raise Meaningless(f"action {str(pressed)[:40]}")
