"""What HubSpot knows of its deals, with the history of their properties, as the files that `hubspot-history` reads."""

from __future__ import annotations

import asyncio
import csv
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

log = logging.getLogger(__name__)

API: Final = "https://api.hubapi.com"
PAGE: Final = 50
"""Deals a page: HubSpot gives no more where histories are asked for."""
ATTEMPTS: Final = 8
WAIT_MAX_S: Final = 60.0
TIMEOUT_S: Final = 30.0

HISTORY: Final = "deal_property_history.csv"
DEALS: Final = "deal.csv"
STAGES: Final = "deal_pipeline_stage.csv"


class FetchFailed(OSError):
    """HubSpot does not give what was asked for; the text says what to do."""


class HubSpotApi:
    """Asks HubSpot's API, again where it says so. Use it as a context."""

    def __init__(
        self,
        token: str,
        base: str = API,
        *,
        timeout: float = TIMEOUT_S,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._base = base.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._timeout = aiohttp.ClientTimeout(total=timeout)
        self._pause = pause
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> HubSpotApi:
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=self._timeout)
        return self

    async def __aexit__(self, *error: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def deals(self, properties: Iterable[str], *, archived: bool) -> AsyncIterator[dict[str, Any]]:
        """All deals with the histories of these properties, page by page. Raises `FetchFailed`."""
        asked = {
            "limit": str(PAGE),
            "archived": str(archived).lower(),
            "properties": "createdate",
            "propertiesWithHistory": ",".join(properties),
        }
        after: str | None = None
        while True:
            page = await self.get("/crm/v3/objects/deals", asked | ({"after": after} if after else {}))
            for deal in page.get("results", ()):
                yield deal
            following = ((page.get("paging") or {}).get("next") or {}).get("after")
            if following is None:
                return
            if following == after:
                raise FetchFailed(f"HubSpot's pages do not end: after={after} comes again")
            after = following

    async def stages(self) -> list[dict[str, Any]]:
        """The stages of all pipelines. Raises `FetchFailed`."""
        found = await self.get("/crm/v3/pipelines/deals", {})
        return [stage for pipeline in found.get("results", ()) for stage in pipeline.get("stages", ())]

    async def get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        """The answer to a request, after as many attempts as it takes. Raises `FetchFailed`."""
        assert self._session is not None
        why = ""
        for attempt in range(ATTEMPTS):
            wait = min(WAIT_MAX_S, 2.0**attempt) * random.uniform(0.5, 1.0)
            try:
                async with self._session.get(self._base + path, params=query) as reply:
                    if reply.status == 200:
                        answer: dict[str, Any] = await reply.json()
                        return answer
                    said = (await reply.text())[:300]
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                why = f"{type(error).__name__} {error}".strip()
            else:
                why = f"{reply.status} {said}"
                if reply.status == 429 and '"DAILY"' in said:
                    raise FetchFailed(f"today's limit of requests is used up: run it again tomorrow ({why})")
                if reply.status != 429 and reply.status < 500:
                    scopes = "the token must be valid, and have crm.objects.deals.read"
                    raise FetchFailed(f"HubSpot refused {path}: {why}; {scopes}")
                told = reply.headers.get("Retry-After", "")
                wait = min(WAIT_MAX_S, float(told)) if told.isdecimal() else wait
            log.warning("HubSpot does not answer yet, asking again in %.1f s: %s", wait, why)
            await self._pause(wait)
        raise FetchFailed(f"HubSpot did not answer {path} in {ATTEMPTS} attempts: {why}")


@dataclass(slots=True)
class Fetched:
    """How much came."""

    deals: int = 0
    values: int = 0


async def fetch(api: HubSpotApi, properties: list[str], folder: Path) -> Fetched:
    """Write the three files into ``folder``. They are there when all of them are whole, and else none.

    Raises `FetchFailed`, OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    parts = {name: folder / f"{name}.part" for name in (HISTORY, DEALS, STAGES)}
    fetched = Fetched()
    try:
        with (
            parts[HISTORY].open("w", newline="", encoding="utf-8") as history_file,
            parts[DEALS].open("w", newline="", encoding="utf-8") as deals_file,
            parts[STAGES].open("w", newline="", encoding="utf-8") as stages_file,
        ):
            stages, history, deals = (csv.writer(file) for file in (stages_file, history_file, deals_file))
            stages.writerow(("stage_id", "label", "is_closed", "closed_won"))
            for stage in await api.stages():
                about = stage.get("metadata") or {}
                closed = str(about.get("isClosed")).lower() == "true"
                won = closed and about.get("probability") in ("1.0", "1", 1)
                stages.writerow((stage["id"], stage.get("label", ""), _word(closed), _word(won)))
            history.writerow(("deal_id", "timestamp", "name", "value", "source", "source_id"))
            deals.writerow(("deal_id", "createdate", "is_deleted"))
            for archived in (False, True):
                async for deal in api.deals(properties, archived=archived):
                    created = deal.get("createdAt") or (deal.get("properties") or {}).get("createdate") or ""
                    deals.writerow((deal["id"], created, _word(archived)))
                    fetched.deals += 1
                    fetched.values += _write_history(history, deal)
        for name, part in parts.items():
            part.replace(folder / name)
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
    return fetched


def _write_history(history: Any, deal: dict[str, Any]) -> int:
    """A row for each value that each property ever had; returns how many."""
    rows = 0
    for name, versions in (deal.get("propertiesWithHistory") or {}).items():
        for version in versions:
            value, source, by = version.get("value"), version.get("sourceType"), version.get("sourceId")
            history.writerow((deal["id"], version["timestamp"], name, value, source, by))
            rows += 1
    return rows


def _word(value: bool) -> str:
    return "true" if value else "false"
