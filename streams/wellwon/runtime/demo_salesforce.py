"""A Salesforce for the demo: as much of its REST API as deliver writes to, over loopback. It keeps the records."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from wellwon.runtime.loopback import on_loopback
from wellwon.sinks.salesforce_records import FLAG, FLAG_KEY

CALLS_A_DAY: Final = 100_000
Fields = dict[str, Any]


@dataclass(slots=True)
class DemoSalesforce:
    """An organisation in which every opportunity exists, with the fields of `deploy/salesforce`."""

    url: str = ""
    opportunities: dict[str, Fields] = field(default_factory=dict)
    """What was written on each, by its id."""
    flags: dict[str, Fields] = field(default_factory=dict)
    """Records of the object *Flag*, by their external id."""
    calls: int = 0

    def flagged(self) -> list[str]:
        """The opportunities on which a flag is shown."""
        return [deal for deal, fields in self.opportunities.items() if fields.get("Wellwon_Flags__c")]

    def counts(self) -> dict[str, int]:
        """How many flags are open, and of how many wins it holds the facts."""
        return {
            "flags_open": sum(flag["Wellwon_Open__c"] for flag in self.flags.values()),
            "wins": sum(fields["Wellwon_Days_To_Period_End__c"] is not None for fields in self.opportunities.values()),
        }

    async def token(self, _request: web.Request) -> web.Response:
        """Let everybody in."""
        return web.json_response({"access_token": "demo", "token_type": "Bearer"})

    async def write(self, request: web.Request) -> web.Response:
        """Take a collection of records: opportunities by id, flags by external id."""
        self.calls += 1
        records = (await request.json())["records"]
        for record in records:
            about = record.pop("attributes")["type"]
            kept, key = (self.flags, FLAG_KEY) if about == FLAG else (self.opportunities, "id")
            kept.setdefault(record[key], {}).update(record)
        limit = {"Sforce-Limit-Info": f"api-usage={self.calls}/{CALLS_A_DAY}"}
        return web.json_response([{"success": True, "errors": []} for _ in records], headers=limit)


@contextlib.asynccontextmanager
async def demo_salesforce() -> AsyncIterator[DemoSalesforce]:
    """Serve on a free port for the length of the block."""
    salesforce = DemoSalesforce()
    app = web.Application(client_max_size=2**22)
    app.router.add_post("/services/oauth2/token", salesforce.token)
    app.router.add_patch("/services/data/{rest:.+}", salesforce.write)
    async with on_loopback(app) as salesforce.url:
        yield salesforce
