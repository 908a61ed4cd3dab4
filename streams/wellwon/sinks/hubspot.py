"""Facts into HubSpot: properties of deals, in batches of 100."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from wellwon.deliver.crm_facts import DealFacts, Facts
from wellwon.sinks import hubspot_records as records
from wellwon.sinks.crm import Usage, Whole, one_by_one, put_off
from wellwon.sinks.http import Answer, Client
from wellwon.sinks.oauth import Login
from wellwon.sinks.transport import Later, Outcome

PROPERTIES: Final = "/crm/v3/properties/deals"


class SetupFailed(Exception):
    """HubSpot did not let us look at the properties, or make one."""


class HubSpot:
    """An account."""

    batch = 100

    def __init__(self, url: str, login: Login, client: Client) -> None:
        self._url, self._login, self._client = url.rstrip("/"), login, client
        self.usage = Usage()

    async def write(self, facts: Sequence[Facts]) -> list[Outcome]:
        """Write the facts of deals."""
        return await one_by_one(facts, self._attempt)

    async def _attempt(self, facts: Sequence[Facts]) -> list[Outcome] | Later | Whole:
        deals = [one for one in facts if isinstance(one, DealFacts)]
        content = {"inputs": [records.update(one) for one in deals]}
        answer = await self.ask("POST", "/crm/v3/objects/deals/batch/update", content)
        if isinstance(answer, Later):
            return answer
        if answer.status in (200, 207):
            return records.outcomes(answer.body, [one.deal for one in deals])
        if answer.status == 429:
            return Later("HTTP 429: too many requests", answer.retry_after or records.limited(answer.body))
        return put_off(answer) or records.refusal(answer.status, answer.body)

    async def ask(self, method: str, path: str, content: Any = None) -> Answer | Later:
        """Ask once, and once more with a new token where the old one is refused."""
        refused = ""
        body = None if content is None else msgspec.json.encode(content)
        while True:
            access = await self._login.access(refused)
            if isinstance(access, Later):
                return access
            headers = {"Authorization": f"Bearer {access.token}", "Content-Type": "application/json"}
            self.usage.calls += 1
            answer = await self._client.request(method, self._url + path, body, headers)
            if isinstance(answer, Later):
                return answer
            limit = answer.headers.get("X-HubSpot-RateLimit-Daily", "")
            left = answer.headers.get("X-HubSpot-RateLimit-Daily-Remaining", "")
            if limit.isdecimal() and left.isdecimal():
                self.usage.used, self.usage.limit = int(limit) - int(left), int(limit)
            if answer.status != 401 or refused:
                return answer
            refused = access.token

    async def missing(self) -> list[tuple[str, str, dict[str, Any]]]:
        """The requests (method, path, body) that make what is not there yet. Raises SetupFailed."""
        found = {one["name"]: one for one in await self._listed(PROPERTIES)}
        groups = {one["name"] for one in await self._listed(f"{PROPERTIES}/groups")}
        asked: list[tuple[str, str, dict[str, Any]]] = []
        if records.GROUP not in groups:
            asked.append(("POST", f"{PROPERTIES}/groups", {"name": records.GROUP, "label": "wellwon"}))
        for wanted in records.definitions():
            there = found.get(wanted["name"])
            if there is None:
                asked.append(("POST", PROPERTIES, wanted))
            elif lacking := _lacking(wanted, there):
                kept = there.get("options", [])
                asked.append(("PATCH", f"{PROPERTIES}/{wanted['name']}", {"options": [*kept, *lacking]}))
        return asked

    async def _listed(self, path: str) -> list[dict[str, Any]]:
        results: list[dict[str, Any]] = msgspec.json.decode((await self._must("GET", path)).body)["results"]
        return results

    async def make(self, asked: tuple[str, str, dict[str, Any]]) -> None:
        """Make what `missing` told of. Raises SetupFailed."""
        await self._must(*asked)

    async def _must(self, method: str, path: str, content: Any = None) -> Answer:
        answer = await self.ask(method, path, content)
        if isinstance(answer, Later):
            raise SetupFailed(answer.why)
        if answer.status == 409 and method == "POST":
            return answer  # somebody made it in the meantime
        if not 200 <= answer.status < 300:
            refused = records.refusal(answer.status, answer.body)
            raise SetupFailed(f"{method} {path}: {refused.why}")
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()


def _lacking(wanted: dict[str, Any], there: dict[str, Any]) -> list[dict[str, Any]]:
    known = {one["value"] for one in there.get("options", ())}
    return [one for one in wanted.get("options", ()) if one["value"] not in known]
