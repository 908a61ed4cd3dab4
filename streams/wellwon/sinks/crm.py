"""What every way back into a CRM has in common: facts go out in one request, and each has an outcome of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from wellwon.deliver.crm_facts import Facts
from wellwon.sinks.http import Answer
from wellwon.sinks.transport import Later, Outcome, Refused

LIMIT_S: Final = 900.0
"""After a CRM said that its calls of the day are used up: the calls of a rolling day come back little by little."""


@dataclass(slots=True)
class Usage:
    """What a CRM's calls come to. ``used`` and ``limit`` are of the whole organisation's day, as it last said; or 0."""

    calls: int = 0
    """Ours, since the start."""
    used: int = 0
    limit: int = 0


class CrmTransport(Protocol):
    """A CRM, connected."""

    batch: int
    """Most facts in one request."""
    usage: Usage

    async def write(self, facts: Sequence[Facts]) -> list[Outcome]:
        """Write facts of one kind, at most `batch`; an outcome for each. Raises nothing that the CRM did."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class Whole:
    """A request that was refused as a whole, though perhaps for one of its records only."""

    why: str


Attempt = Callable[[Sequence[Facts]], Awaitable[list[Outcome] | Later | Whole]]


async def one_by_one(facts: Sequence[Facts], attempt: Attempt) -> list[Outcome]:
    """Write facts; where all are refused for one of them, halve until it is found."""
    found = await attempt(facts)
    if isinstance(found, list):
        return found
    if isinstance(found, Later):
        return [found] * len(facts)
    if len(facts) == 1:
        return [Refused(found.why)]
    middle = len(facts) // 2
    return [*await one_by_one(facts[:middle], attempt), *await one_by_one(facts[middle:], attempt)]


def put_off(answer: Answer) -> Later | None:
    """What an answer says that has nothing to do with what was written, None where it has."""
    if answer.status == 429:
        return Later("HTTP 429: too many requests", answer.retry_after or 10.0)
    if answer.status >= 500 or answer.status == 408:
        return Later(f"HTTP {answer.status}", answer.retry_after, unsure=True)
    return None
