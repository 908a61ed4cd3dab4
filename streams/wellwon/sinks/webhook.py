"""A signed webhook: every transition of every alert, and every win, as it was published."""

from __future__ import annotations

import time
from typing import Final

from wellwon.deliver.cards import RawCard
from wellwon.sinks import webhook_body
from wellwon.sinks.http import Client, Secret
from wellwon.sinks.transport import Delivered, Later, Outcome, Parcel, Refused

_NEVER: Final = frozenset((400, 410, 413, 415, 422))
"""Answers after which the same request would be refused again; 410 says that nobody listens any more."""


class Webhook:
    """One receiver. ``secrets`` has one signing secret, or two with a space between while they are being changed."""

    pace_s = 0.0
    parallel = 64
    """Each is noted in Kafka before it goes out and after: half of these, or fewer, are at the receiver at a time."""

    def __init__(self, url: Secret, secrets: Secret, client: Client) -> None:
        self._url, self._secrets, self._client = url, secrets, client

    async def send(self, parcel: Parcel) -> Outcome:
        """Post a record."""
        card = parcel.card
        assert isinstance(card, RawCard)
        try:
            keys = [webhook_body.key_of(secret) for secret in self._secrets().split()]
        except webhook_body.BadSecret as error:
            return Later(str(error), 60.0)
        content = webhook_body.body(card)
        headers = webhook_body.headers(card.id, int(time.time()), content, keys)
        answer = await self._client.post(self._url(), content, headers)
        if isinstance(answer, Later):
            return answer
        if 200 <= answer.status < 300:
            return Delivered()
        if answer.status in _NEVER:
            return Refused(f"HTTP {answer.status}")
        return Later(f"HTTP {answer.status}", answer.retry_after, unsure=answer.status >= 500)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
