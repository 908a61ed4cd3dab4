"""Messages on their way: one takes the place of another that has not gone out yet, and none is lost."""

from __future__ import annotations

from wellwon.core.lifecycle import RETRACTED
from wellwon.deliver.cards import AlertCard, Card, HandoverCard, WinCard
from wellwon.deliver.state import POST, Message


def edit(outbox: list[Message], message: Message, *, ended: bool, editable: bool) -> str:
    """Make what stands, or is about to stand, say what ``message`` says. Return what became of it.

    ``withdrawn``: the message it would edit had not gone out and is taken back. ``replaced``: it goes out as this one
    says. ``added``: it stands, and will be edited, or corrected where it cannot be edited and was wrong. ``dropped``:
    it stands where nothing can be edited, and was right at its time.
    """
    about = message.address, message.mark
    waiting = [one for one in outbox if (one.address, one.mark) == about and not one.attempted]
    for one in waiting:
        one.card = message.card
        if ended and one.kind == POST:
            outbox.remove(one)
    first = [one for one in waiting if one.kind == POST and not one.again]
    if first or any(one.kind != POST for one in waiting):
        return "withdrawn" if ended and first else "replaced"
    if not editable:
        if not _wrong(message.card):
            return "dropped"
        message.kind = POST
    outbox.append(message)
    return "added"


def waits(outbox: list[Message], address: str, mark: str) -> bool:
    """Whether a new message about this is about to go out there."""
    return any(m.kind == POST and m.address == address and m.mark == mark and not m.attempted for m in outbox)


def _wrong(card: Card) -> bool:
    """Whether what was told did not happen that way."""
    if isinstance(card, AlertCard):
        return card.alert.reason == RETRACTED and not card.alert.open
    return isinstance(card, WinCard | HandoverCard) and card.win.withdrawn


def find(outbox: list[Message], id_: str) -> Message | None:
    """The message of this id."""
    return next((message for message in outbox if message.id == id_), None)
