"""A HubSpot account: deals with properties, batches, tokens that expire, daily and short limits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from fakes.web import Request, Server

BATCH = 100


@dataclass
class Account:
    """``written`` are the properties by deal."""

    gone: set[str] = field(default_factory=set)
    unwelcome: set[str] = field(default_factory=set)
    """Deals for which HubSpot refuses the whole batch."""
    forgets: set[str] = field(default_factory=set)
    """Deals that its answers do not mention."""
    token: str = "pat-good"
    refreshed: int = 0
    properties: dict[str, dict[str, Any]] = field(default_factory=dict)
    groups: set[str] = field(default_factory=set)
    strict: bool = False
    """Properties must have been made."""
    written: dict[str, dict[str, str]] = field(default_factory=dict)
    writes: Counter[str] = field(default_factory=Counter)
    """How often each deal was written."""
    batches: list[int] = field(default_factory=list)
    deals: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Deals that can be read, as HubSpot tells them whole."""
    archived: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answer(self, request: Request) -> web.Response:
        if request.path == "/oauth/v1/token":
            assert parse_qs(request.body.decode())["grant_type"] == ["refresh_token"]
            self.refreshed += 1
            self.token = f"access-{self.refreshed}"
            return web.json_response({"access_token": self.token, "expires_in": 1800})
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            return _refused(401, "EXPIRED_AUTHENTICATION", "The OAuth token used to make this call expired")
        limits = {"X-HubSpot-RateLimit-Daily": "650000", "X-HubSpot-RateLimit-Daily-Remaining": "649000"}
        if request.path == "/crm/v3/properties/deals/groups":
            return self._groups(request)
        if request.path.startswith("/crm/v3/properties/deals"):
            return self._properties(request)
        inputs = request.json["inputs"]
        if request.path.endswith("/batch/read"):
            return self._read(request, [one["id"] for one in inputs], limits)
        self.batches.append(len(inputs))
        if len(inputs) > BATCH:
            return _refused(400, "VALIDATION_ERROR", "at most 100 inputs")
        if any(one["id"] in self.unwelcome for one in inputs):
            return _refused(400, "VALIDATION_ERROR", "one of the values is not valid")
        if self.strict and any(name not in self.properties for one in inputs for name in one["properties"]):
            codes = [{"message": "no such property", "code": "PROPERTY_DOESNT_EXIST"}]
            return _refused(400, "VALIDATION_ERROR", "Property values were not valid", codes)
        return self._update(inputs, limits)

    def _read(self, request: Request, ids: list[str], limits: dict[str, str]) -> web.Response:
        there = self.archived if request.query.get("archived") == "true" else self.deals
        asked = request.json
        results = []
        for id_ in ids:
            if (deal := there.get(id_)) is None:
                continue
            about = {name: deal[name] for name in ("id", "createdAt", "updatedAt")}
            for part in ("properties", "propertiesWithHistory"):
                if part in asked:
                    about[part] = {name: value for name, value in deal.get(part, {}).items() if name in asked[part]}
            results.append(about)
        body: dict[str, Any] = {"status": "COMPLETE", "results": results}
        if len(results) < len(ids):
            missing = [id_ for id_ in ids if id_ not in there]
            about = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "Could not get some DEAL objects"}
            body |= {"numErrors": 1, "errors": [about | {"context": {"ids": missing}}]}
        return web.json_response(body, status=207 if len(results) < len(ids) else 200, headers=limits)

    def _update(self, inputs: list[dict[str, Any]], limits: dict[str, str]) -> web.Response:
        good = [one for one in inputs if one["id"] not in self.gone | self.forgets]
        for one in good:
            self.written.setdefault(one["id"], {}).update(one["properties"])
            self.writes[one["id"]] += 1
        body: dict[str, Any] = {"status": "COMPLETE", "results": [{"id": one["id"], "properties": {}} for one in good]}
        missing = [one["id"] for one in inputs if one["id"] in self.gone]
        if missing:
            about = {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "Could not get some DEAL objects"}
            body |= {"numErrors": 1, "errors": [about | {"context": {"ids": missing}}]}
        return web.json_response(body, status=207 if missing else 200, headers=limits)

    def _groups(self, request: Request) -> web.Response:
        if request.body:
            self.groups.add(request.json["name"])
        return web.json_response({"results": [{"name": name} for name in self.groups]})

    def _properties(self, request: Request) -> web.Response:
        name = request.path.removeprefix("/crm/v3/properties/deals").strip("/")
        if request.body:
            about = request.json
            self.properties.setdefault(name or about["name"], {}).update(about)
        return web.json_response({"results": list(self.properties.values())})


def _refused(status: int, category: str, message: str, errors: list[Any] | None = None) -> web.Response:
    about = {"status": "error", "message": message, "correlationId": "c", "category": category, "errors": errors or []}
    return web.json_response(about, status=status)


def hubspot(account: Account) -> Server:
    """Its API."""
    return Server(account.answer)
