"""Facts into Salesforce: collections of 200 records, opportunities by id and flags by their external id."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

from wellwon.deliver.crm_facts import Facts, FlagFacts
from wellwon.policy.own import CLIENT
from wellwon.sinks import salesforce_records as records
from wellwon.sinks.crm import Usage, Whole, one_by_one, put_off
from wellwon.sinks.http import Answer, Client
from wellwon.sinks.oauth import Login
from wellwon.sinks.transport import Later, Outcome

API: Final = "/services/data/v62.0"
_USAGE: Final = re.compile(r"api-usage=(\d+)/(\d+)")


class _Field(msgspec.Struct):
    name: str


class _Description(msgspec.Struct):
    fields: list[_Field]


class Salesforce:
    """An organisation; ``url`` is its own domain's address."""

    batch = 200

    def __init__(self, url: str, login: Login, client: Client) -> None:
        self._url, self._login, self._client = url.rstrip("/"), login, client
        self.usage = Usage()

    async def write(self, facts: Sequence[Facts]) -> list[Outcome]:
        """Write facts of one kind."""
        return await one_by_one(facts, self._attempt)

    async def _attempt(self, facts: Sequence[Facts]) -> list[Outcome] | Later | Whole:
        path = f"{API}/composite/sobjects"
        if isinstance(facts[0], FlagFacts):
            path += f"/{records.FLAG}/{records.FLAG_KEY}"
        content = msgspec.json.encode({"allOrNone": False, "records": [records.record(one) for one in facts]})
        answer = await self.ask("PATCH", path, content)
        if isinstance(answer, Later):
            return answer
        if answer.status == 200:
            return records.outcomes(answer.body, len(facts))
        return put_off(answer) or records.refusal(answer.status, answer.body)

    async def ask(self, method: str, path: str, content: bytes | None = None) -> Answer | Later:
        """Ask once, and once more with a new token where the old one is refused."""
        refused = ""
        while True:
            access = await self._login.access(refused)
            if isinstance(access, Later):
                return access
            headers = {
                "Authorization": f"Bearer {access.token}",
                "Content-Type": "application/json",
                "Sforce-Call-Options": f"client={CLIENT}",
            }
            self.usage.calls += 1
            answer = await self._client.request(method, (access.url or self._url) + path, content, headers)
            if isinstance(answer, Later):
                return answer
            if found := _USAGE.search(answer.headers.get("Sforce-Limit-Info", "")):
                self.usage.used, self.usage.limit = int(found[1]), int(found[2])
            if answer.status != 401 or refused:
                return answer
            refused = access.token

    async def lacking(self) -> list[str]:
        """What is not there of the fields that are written; empty when all is well."""
        wrong = []
        for name, wanted in records.FIELDS.items():
            answer = await self.ask("GET", f"{API}/sobjects/{name}/describe")
            if isinstance(answer, Later):
                return [answer.why]
            if answer.status != 200:
                wrong.append(f"{name}: {records.refusal(answer.status, answer.body).why}")
                continue
            there = {one.name for one in msgspec.json.decode(answer.body, type=_Description).fields}
            wrong += [f"{name}.{field} is missing" for field in sorted(wanted - there)]
        return wrong

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
