"""What a plan is made from, and what it says."""

from __future__ import annotations

from dataclasses import dataclass, field

from wellwon.deliver.cards import Card
from wellwon.deliver.directory import Address
from wellwon.deliver.items import Alert, Reply, Win


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed."""


Item = Alert | Win | Reply | Tick


@dataclass(slots=True)
class Telling:
    """Something that an address should be told."""

    address: Address
    mark: str
    kind: str
    card: Card
    hold: str = ""
    """Why it should go into a digest instead."""
    again: bool = False
    """The address was told already, and this rings once more."""
    ended: bool = False
    """What it is about is over: a message that has not gone out yet need not."""
    free: bool = False
    """It needs no leave of the address's book: a machine hears everything, a hand-over is not counted."""


@dataclass(slots=True)
class Plan:
    """What comes of one item. ``silent`` counts what people are not told, by reason."""

    tellings: list[Telling] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    repeat: bool = False
