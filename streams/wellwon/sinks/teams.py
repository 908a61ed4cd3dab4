"""Microsoft Teams: an Adaptive Card to the address of a workflow. An accepted card is all the proof that there is."""

from __future__ import annotations

import json

from wellwon.sinks import teams_card
from wellwon.sinks.http import Client, Secret
from wellwon.sinks.layout import layout
from wellwon.sinks.transport import CREDENTIALS_S, Delivered, Later, Outcome, Parcel, Refused


class Teams:
    """One channel, behind a workflow."""

    pace_s = 0.3
    parallel = 1

    def __init__(self, url: Secret, client: Client, *, page: str = "") -> None:
        self._url, self._client, self._page = url, client, page

    async def send(self, parcel: Parcel) -> Outcome:
        """Post a card."""
        card = teams_card.message(layout(parcel.card, zone=parcel.zone, page=self._page))
        answer = await self._client.post(self._url(), json.dumps(card).encode(), {"Content-Type": "application/json"})
        if isinstance(answer, Later):
            return answer
        if 200 <= answer.status < 300:
            return Delivered()
        if answer.status in (401, 403, 404):
            return Later(f"HTTP {answer.status}: does the workflow still exist?", CREDENTIALS_S)
        if answer.status == 429:
            return Later("too many requests", answer.retry_after or 1.0)
        if answer.status >= 500:
            return Later(f"HTTP {answer.status}", answer.retry_after, unsure=True)
        return Refused(f"HTTP {answer.status}")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
