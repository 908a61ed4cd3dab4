"""A Salesforce organisation: logins by client credentials, collections of records, a daily limit of calls."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from fakes.web import Request, Server
from wellwon.core.units import parse_instant

BATCH = 200
ORGANISATION = "00DWx0000000001AAA"


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
    writes: Counter[str] = field(default_factory=Counter)
    """How often each record was written, by id or external id."""
    batches: list[int] = field(default_factory=list)
    rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Records to be queried, by type."""
    page: int = 2_000
    queries: list[str] = field(default_factory=list)
    _cursors: list[list[dict[str, Any]]] = field(default_factory=list)

    def answer(self, request: Request) -> web.Response:
        if request.path == "/services/oauth2/token":
            form = parse_qs(request.body.decode())
            if form.get("client_secret") != ["secret"]:
                return web.json_response({"error": "invalid_client"}, status=400)
            self.tokens += 1
            here = f"http://{request.headers['Host']}"
            about = {"instance_url": here, "id": f"{here}/id/{ORGANISATION}/005Wx0000000001AAA", "token_type": "Bearer"}
            return web.json_response({"access_token": f"token-{self.tokens}", **about})
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token != f"token-{self.tokens}" or token in self.expired:
            return _refused(401, "INVALID_SESSION_ID", "Session expired or invalid")
        if self.used >= self.limit:
            return _refused(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        self.used += 1
        self.clients.add(request.headers.get("Sforce-Call-Options", ""))
        headers = {"Sforce-Limit-Info": f"api-usage={self.used}/{self.limit}"}
        if request.path.endswith("/describe"):
            return self._describe(request.path.split("/")[-2], headers)
        if "/query" in request.path:
            return self._query(request, headers)
        about = request.json
        records = about["records"]
        self.batches.append(len(records))
        if len(records) > BATCH or about["allOrNone"] is not False:
            return _refused(400, "INVALID_BATCH_SIZE", "at most 200 records")
        flags = request.path.endswith("/Wellwon_Flag__c/Wellwon_Key__c")
        return web.json_response([self._write(record, flags) for record in records], headers=headers)

    def _describe(self, entity: str, headers: dict[str, str]) -> web.Response:
        if self.fields is not None or not self.rows:
            names = set(self.fields or ())
        elif entity in self.rows:
            names = {name for row in self.rows[entity] for name in row} - {"Id", "attributes"}
        else:
            return _refused(404, "NOT_FOUND", "The requested resource does not exist")
        return web.json_response({"fields": [{"name": name} for name in sorted(names)]}, headers=headers)

    def _query(self, request: Request, headers: dict[str, str]) -> web.Response:
        """As much of SOQL as a few patterns are."""
        if "q" in request.query:
            soql = request.query["q"]
            self.queries.append(soql)
            asked = re.fullmatch(r"SELECT (\S+) FROM (\w+) WHERE (.+)", soql)
            if asked is None or asked[2] not in self.rows:
                return _refused(400, "MALFORMED_QUERY", soql)
            rows = [row for row in self.rows[asked[2]] if _matches(row, asked[3])]
            if request.path.endswith("/query"):
                rows = [row for row in rows if not row["IsDeleted"]]
            found = [{"attributes": {"type": asked[2]}, **{n: row.get(n) for n in asked[1].split(",")}} for row in rows]
        else:
            found = self._cursors[int(request.path.rpartition("-")[2])]
        body: dict[str, Any] = {"totalSize": len(found), "done": len(found) <= self.page, "records": found[: self.page]}
        if not body["done"]:
            body["nextRecordsUrl"] = f"/services/data/v62.0/query/01g000-{len(self._cursors)}"
            self._cursors.append(found[self.page :])
        return web.json_response(body, headers=headers)

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
        self.writes[key] += 1
        return {"id": key, "success": True, "errors": []}


def _matches(row: dict[str, Any], where: str) -> bool:
    for condition in where.split(" AND "):
        if within := re.fullmatch(r"(\w+) IN \((.*)\)", condition):
            if row.get(within[1]) not in within[2].replace("'", "").split(","):
                return False
        elif modified := re.fullmatch(r"SystemModstamp (<=|>=) (\S+)", condition):
            saved, bound = (parse_instant(text[:19] + "Z") for text in (row["SystemModstamp"], modified[2]))
            if not (saved <= bound if modified[1] == "<=" else saved >= bound):
                return False
        elif condition.endswith("IsClosed = false"):
            if row.get("IsClosed"):
                return False
        else:
            raise AssertionError(f"the fake does not know {condition}")
    return True


def _error(code: str, message: str) -> dict[str, Any]:
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": []}]}


def _refused(status: int, code: str, message: str) -> web.Response:
    return web.json_response([{"errorCode": code, "message": message}], status=status)


def salesforce(organisation: Organisation) -> Server:
    """Its REST API."""
    return Server(organisation.answer)
