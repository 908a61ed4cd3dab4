"""What deliver remembers: per deal what holds and what was told, per address what was held back."""

from __future__ import annotations

from typing import Final

import msgspec

from wellwon.deliver.cards import Card, Said
from wellwon.deliver.items import Alert, Win

POST: Final = "post"
"""A new message: it rings."""
UPDATE: Final = "update"
"""A message that stands is changed in place: nobody is disturbed."""

STANDING: Final = 5
"""Messages about one headline at one address that are kept true: the last ones, where it rang more often."""

QUIET: Final = "quiet"
CAP: Final = "cap"
SMALL: Final = "small"
OLD: Final = "old"
POLICY: Final = "policy"
FIRST: Final = "first"
FLOOD: Final = "flood"
HOLDS: Final = (QUIET, CAP, SMALL, OLD, POLICY, FIRST, FLOOD)
"""Why a message is held back: quiet hours; the owner's cap; a deal too small; an alert, or a message, that is old by
now; a policy's edit; the first connection; too much at once in a channel."""
BURSTS: Final = frozenset((OLD, POLICY, FIRST))
"""These come many at once, and are told together when no more come."""


class Known(msgspec.Struct):
    """An open alert as it was last heard, and what people said to it."""

    alert: Alert
    said: tuple[Said, ...] = ()

    @property
    def answered(self) -> bool:
        """Whether somebody took it up."""
        return bool(self.said)


class Told(msgspec.Struct):
    """What stands at one address about one headline."""

    at: int
    severity: str
    escalated: bool = False
    digest: bool = False
    """As a line of a digest: nothing that could be edited."""


class Message(msgspec.Struct):
    """A message on its way to one address. Its id is the same whenever it is planned again."""

    id: str
    address: str
    kind: str
    mark: str
    """What it is about: the headline's fingerprint, a win, a digest."""
    card: Card
    due_at: int
    """Since when it could have been sent, epoch milliseconds."""
    again: bool = False
    """It rings once more: what stands already goes on standing, and is kept true as well."""
    attempted: bool = False
    """It may have been sent: a crash came before the answer, or the answer was no."""


class DealFile(msgspec.Struct):
    """One deal."""

    known: dict[str, Known] = {}
    """Open alerts by fingerprint."""
    revisions: dict[str, int] = {}
    """The last revision heard of every fingerprint, open or not: a repeat is recognised by it."""
    due: dict[str, int] = {}
    """Headlines that nobody was told of yet, and when they are to be."""
    told: dict[str, dict[str, Told]] = {}
    """By headline and address."""
    escalate: dict[str, int] = {}
    """Headlines that go further up when nobody answers, and when."""
    refs: dict[str, list[str]] = {}
    """By ``address mark``: the sink's own references to what stands there; by ``address``: its thread of the deal."""
    outbox: list[Message] = []
    win: Win | None = None
    win_due: int = 0
    win_told: dict[str, list[str]] = {}
    """By ``win`` or ``handover``: the addresses that were told."""
    handover_due: int = 0
    notes: tuple[Said, ...] = ()
    serial: int = 0
    """Messages planned so far."""
    last_at: int = 0
    """When something was last heard of it, or when it was last seen that it cannot be forgotten yet."""
    crm: dict[str, dict[str, str]] = {}
    """By CRM: digests of the facts that it shows (`crm_facts`)."""


class Held(msgspec.Struct, frozen=True):
    """A headline held back from an address."""

    deal: str
    mark: str
    reason: str
    due: int
    """When it is told at the latest; of a burst 0: with the burst."""


class Page(msgspec.Struct):
    """What is remembered of an address, beside what is held back from it."""

    day: int = 0
    """What `posted` counts for: a person's local day, a channel's stretch of time."""
    posted: int = 0
    burst_since: int = 0
    burst_due: int = 0
    outbox: list[Message] = []
    serial: int = 0


class Position(msgspec.Struct, array_like=True, frozen=True):
    """How a deal stood at the last forecast call."""

    status: int
    amount: int | None
    """Of a year, hundredths."""
    currency: str
    close_date: int | None


class Office(msgspec.Struct):
    """What concerns no one deal."""

    first_until: int = 0
    """When the first connection's report is over, as far as is known; 0: nothing has come yet."""
    first_since: int = 0
    introduced: bool = False
    """It is over."""
    call_due: int = 0
    """When the next forecast-call digest is due; 0: not known yet."""
    called_at: int = 0
    """When the last one was made."""
