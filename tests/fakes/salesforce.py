"""A Salesforce organisation: logins by client credentials, collections of records, a daily limit of calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from fakes.web import Request, Server

BATCH = 200


@dataclass
class Organisation:
    """``records`` by type and by id or external id, as they were written."""

    deals: set[str] | None = None
    """Opportunities that exist; None: any."""
    fields: set[str] | None = None
    """Fields that exist on the opportunity; None: any."""
    locked: set[str] = field(default_factory=set)
    tokens: int = 0
    expired: set[str] = field(default_factory=set)
    limit: int = 15_000
    used: int = 0
    records: dict[str, dict[str, dict[str, Any]]] = field(default_factory=lambda: {"Opportunity": {}, "flag": {}})
    clients: set[str] = field(default_factory=set)
    batches: list[int] = field(default_factory=list)

    def answer(self, request: Request) -> web.Response:
        if request.path == "/services/oauth2/token":
            form = parse_qs(request.body.decode())
            if form.get("client_secret") != ["secret"]:
                return web.json_response({"error": "invalid_client"}, status=400)
            self.tokens += 1
            return web.json_response({"access_token": f"token-{self.tokens}", "token_type": "Bearer"})
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token != f"token-{self.tokens}" or token in self.expired:
            return _refused(401, "INVALID_SESSION_ID", "Session expired or invalid")
        if self.used >= self.limit:
            return _refused(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        self.used += 1
        self.clients.add(request.headers.get("Sforce-Call-Options", ""))
        headers = {"Sforce-Limit-Info": f"api-usage={self.used}/{self.limit}"}
        if request.path.endswith("/describe"):
            fields = [{"name": name} for name in sorted(self.fields or ())]
            return web.json_response({"fields": fields}, headers=headers)
        about = request.json
        records = about["records"]
        self.batches.append(len(records))
        if len(records) > BATCH or about["allOrNone"] is not False:
            return _refused(400, "INVALID_BATCH_SIZE", "at most 200 records")
        flags = request.path.endswith("/Wellwon_Flag__c/Wellwon_Key__c")
        return web.json_response([self._write(record, flags) for record in records], headers=headers)

    def _write(self, record: dict[str, Any], flags: bool) -> dict[str, Any]:
        key = record["Wellwon_Key__c" if flags else "id"]
        values = {name: value for name, value in record.items() if name not in ("attributes", "id")}
        if not flags and self.fields is not None and not values.keys() <= self.fields:
            return _error("INVALID_FIELD", "No such column")
        if key in self.locked:
            return _error("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
        if not flags and self.deals is not None and key not in self.deals:
            return _error("ENTITY_IS_DELETED", "entity is deleted")
        kept = self.records["flag" if flags else "Opportunity"].setdefault(key, {})
        kept.update(values)
        return {"id": key, "success": True, "errors": []}


def _error(code: str, message: str) -> dict[str, Any]:
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": []}]}


def _refused(status: int, code: str, message: str) -> web.Response:
    return web.json_response([{"errorCode": code, "message": message}], status=status)


def salesforce(organisation: Organisation) -> Server:
    """Its REST API."""
    return Server(organisation.answer)
