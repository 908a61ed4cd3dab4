"""What a CRM can be asked to read again, and what it answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final, Protocol

from wellwon.sinks.crm import Usage
from wellwon.sinks.http import Answer
from wellwon.sinks.transport import Later, Refused
from wellwon.sources.change import Outcome
from wellwon.sources.reread import Request

SETTLED_MS: Final = 10_000
"""A deal that was saved so recently is read again a little later: the event of that save is still on its way, and must
not come after a snapshot that knows it already, for then it would change nothing and count for nothing."""


@dataclass(frozen=True, slots=True)
class Found:
    """A deal, or a page of an entity, as changes."""

    outcomes: Sequence[Outcome]
    at: int
    """When it was read, epoch milliseconds of the CRM."""
    cursor: str = ""
    """Where the next page begins; empty: there is none."""


class Reader(Protocol):
    """A CRM, connected."""

    batch: int
    """Most deals in one reading."""
    usage: Usage

    async def deals(self, requests: Sequence[Request]) -> list[Found | Later | Refused] | Later:
        """Read deals, at most `batch`: an answer for each, or one for all. Raises nothing that the CRM did."""
        ...

    async def page(self, request: Request, cursor: str) -> Found | Later | Refused:
        """Read a page of what a request for an entity asks for."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


class CrmClock:
    """The CRM's time, from the dates of its answers: ours may be another."""

    def __init__(self) -> None:
        self._ahead_ms = 0

    def learn(self, answer: Answer) -> None:
        """Take in the date of an answer that has just come."""
        try:
            told = parsedate_to_datetime(answer.headers.get("Date", "")).timestamp() * 1_000
        except (TypeError, ValueError):
            return
        self._ahead_ms = int(told) - time.time_ns() // 1_000_000

    def settled(self) -> int:
        """The instant (epoch ms) up to which every save's event has arrived: what was read is dated so."""
        return time.time_ns() // 1_000_000 + self._ahead_ms - SETTLED_MS


FRESH: Final = Later("it was saved a moment ago", SETTLED_MS / 1_000)
