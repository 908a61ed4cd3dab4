"""What a message says, before any sink gives it its form."""

from __future__ import annotations

from typing import Final

import msgspec

from wellwon.deliver.items import Alert, Win

OPEN: Final = "open"


class Said(msgspec.Struct, frozen=True):
    """A reply, as a message shows it."""

    kind: str
    answer: str
    by: str
    note: str
    at: int


class AlertCard(msgspec.Struct, frozen=True, tag="alert"):
    """One headline, with the patterns that came from the same save as its evidence."""

    alert: Alert
    together: tuple[Alert, ...] = ()
    said: tuple[Said, ...] = ()
    escalated: bool = False


class WinCard(msgspec.Struct, frozen=True, tag="win"):
    """A win, for its owner and RevOps."""

    win: Win


class HandoverCard(msgspec.Struct, frozen=True, tag="handover"):
    """A win, for customer success: facts, the owner's notes, what to ask at the kick-off."""

    win: Win
    notes: tuple[Said, ...] = ()


class DigestLine(msgspec.Struct, frozen=True):
    """One headline within a digest."""

    alert: Alert
    reason: str
    """Why it was held back."""
    more: int = 0
    """How many patterns came from the same save."""


class DigestCard(msgspec.Struct, frozen=True, tag="digest"):
    """What was held back from one address; ``total`` counts those as well that are not listed."""

    lines: tuple[DigestLine, ...]
    total: int
    settled: int = 0
    """Held back, and resolved before anybody was told."""
    first: bool = False
    """The one report of a first connection."""
    deals: int = 0
    """The deals that these headlines are of; an owner's or a team's is of none."""


class Sum(msgspec.Struct, frozen=True):
    """Deals of one team that met one fate since the last call."""

    team: str
    fate: str
    currency: str
    deals: int
    amount: int
    """Hundredths."""
    examples: tuple[str, ...] = ()
    """Names of the largest of them."""
    example_ids: tuple[str, ...] = ()
    """Their ids, in the same order."""


class CallCard(msgspec.Struct, frozen=True, tag="forecast-call"):
    """What happened since the last forecast call, by team."""

    since: int
    until: int
    sums: tuple[Sum, ...]


class RawCard(msgspec.Struct, frozen=True, tag="raw"):
    """A record as it was published, for machines."""

    id: str
    schema: str
    record: bytes


Card = AlertCard | WinCard | HandoverCard | DigestCard | CallCard | RawCard
