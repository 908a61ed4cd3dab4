"""HubSpot: the webhooks that it posts, with its signature, and the part of its API that tells of deals."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from .web import Request, Server

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


# --- the API --------------------------------------------------------------------------------------------------------


@dataclass
class Account:
    """Deals with their histories: ``(property, value, instant)`` by deal, the latest first as HubSpot has them."""

    deals: dict[str, list[tuple[str, str, str]]]
    archived: dict[str, list[tuple[str, str, str]]] = field(default_factory=dict)
    token: str = "pat-good"

    def answer(self, request: Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return error(401, "INVALID_AUTHENTICATION")
        if request.path == "/crm/v3/pipelines/deals":
            stages = [("demo", "false", "0.4"), ("101", "true", "1.0"), ("102", "true", "0.0")]
            listed = [
                {"id": name, "label": name.upper(), "metadata": {"isClosed": closed, "probability": probability}}
                for name, closed, probability in stages
            ]
            return web.json_response({"results": [{"id": "default", "label": "Sales", "stages": listed}]})
        if request.path != "/crm/v3/objects/deals" or int(request.query["limit"]) > 50:
            return error(400, "VALIDATION_ERROR")
        deals = sorted((self.archived if request.query["archived"] == "true" else self.deals).items())
        names = request.query["propertiesWithHistory"].split(",")
        first = int(request.query.get("after", 0))
        last = first + int(request.query["limit"])
        page: dict[str, Any] = {"results": [self._deal(deal, told, names) for deal, told in deals[first:last]]}
        if last < len(deals):
            page["paging"] = {"next": {"after": str(last), "link": "elsewhere"}}
        return web.json_response(page)

    @staticmethod
    def _deal(deal: str, told: list[tuple[str, str, str]], names: list[str]) -> dict[str, Any]:
        histories: dict[str, list[dict[str, str]]] = {}
        for name, value, at in told:
            if name in names:
                version = {"value": value, "timestamp": at, "sourceType": "CRM_UI", "sourceId": "userId:5"}
                histories.setdefault(name, []).append(version)
        created = min(at for _, _, at in told)
        return {"id": deal, "createdAt": created, "properties": {}, "propertiesWithHistory": histories}


def error(status: int, category: str, policy: str = "", **headers: str) -> web.Response:
    """A refusal in HubSpot's form."""
    body = {"status": "error", "message": "no", "category": category, "policyName": policy}
    return web.json_response(body, status=status, headers=headers)


def api(account: Account) -> Server:
    """HubSpot's API."""
    return Server(account.answer)
