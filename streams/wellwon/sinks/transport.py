"""What every way out has in common: what is handed to it, and what it says became of that."""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import Protocol

from wellwon.deliver.cards import Card

CREDENTIALS_S = 60.0
"""What is refused because of a token is tried again after this: somebody has to put it right, and nothing is lost."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A message to be sent."""

    id: str
    """The same whenever it is sent again."""
    to: str
    """A channel, or an e-mail address; empty where the sink has one address only."""
    private: bool
    """``to`` is a person's e-mail address."""
    card: Card
    zone: str
    """Of the reader."""
    refs: tuple[str, ...] = ()
    """Messages to be edited; empty: a new one."""
    thread: str = ""


@dataclass(frozen=True, slots=True)
class Delivered:
    """The sink took it."""

    ref: str = ""


@dataclass(frozen=True, slots=True)
class Later:
    """The sink did not take it now."""

    why: str
    seconds: float = 0.0
    """Not before this time is over, if the sink says so."""
    unsure: bool = False
    """It may have been taken all the same: no answer came."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The sink will never take it."""

    why: str


Outcome = Delivered | Later | Refused


class Transport(Protocol):
    """One sink of the policy, connected."""

    pace_s: float
    """Least time between two messages to one address."""
    parallel: int
    """Most messages under way at a time."""

    async def send(self, parcel: Parcel) -> Outcome:
        """Send one message. Raises nothing that the sink or the network did."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


def retry_after(value: str | None) -> float:
    """The seconds that a ``Retry-After`` asks for, as a number or a date; 0 where it says nothing, at most an hour."""
    if not value:
        return 0.0
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time()
        except (ValueError, OverflowError):
            return 0.0
    return min(max(0.0, seconds), 3_600.0) if seconds == seconds else 0.0
