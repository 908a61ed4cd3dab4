"""HubSpot, as it posts webhooks: its events and its signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any
from urllib.parse import unquote

PORTAL = 48_975_575
DEAL = 332_507_367_156


def event(what: str, *, at: int, deal: int = DEAL, **fields: Any) -> dict[str, Any]:
    """An event of a deal at an instant (epoch ms)."""
    base = {
        "eventId": 2_995_724_042,
        "subscriptionId": 6_547_123,
        "portalId": PORTAL,
        "appId": 39_522_895,
        "occurredAt": at,
        "subscriptionType": what,
        "attemptNumber": 0,
        "objectId": deal,
        "changeSource": "CRM_UI",
        "sourceId": "userId:864745280",
    }
    return base | fields


def changed(name: str, value: str, *, at: int, deal: int = DEAL, **fields: Any) -> dict[str, Any]:
    """A property of a deal has a new value."""
    about = {"propertyName": name, "propertyValue": value}
    return event("deal.propertyChange", at=at, deal=deal, **about, **fields)


def signature(secret: str, url: str, body: bytes, at: int) -> str:
    """What HubSpot sends as X-HubSpot-Signature-v3."""
    signed = b"POST" + unquote(url).encode() + body + str(at).encode()
    return base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest()).decode()


def headers(secret: str, url: str, body: bytes, at: int) -> dict[str, str]:
    """The headers of a request signed at an instant (epoch ms)."""
    return {
        "Content-Type": "application/json",
        "X-HubSpot-Request-Timestamp": str(at),
        "X-HubSpot-Signature-v3": signature(secret, url, body, at),
    }
