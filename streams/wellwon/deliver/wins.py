"""What people are told of a win: earned ones their owner and RevOps, every one customer success."""

from __future__ import annotations

from typing import Final

from wellwon.core.units import DAY, HOUR, MINUTE, parse_instant
from wellwon.core.win import EARNED
from wellwon.deliver.cards import Card, HandoverCard, RawCard, WinCard
from wellwon.deliver.directory import Address, Directory
from wellwon.deliver.items import Win
from wellwon.deliver.state import OLD, POST, UPDATE, DealFile
from wellwon.deliver.telling import Plan, Telling

HANDOVER_MS: Final = DAY
"""A win's facts may still change for a day; customer success is told when they are final."""
OLD_MS: Final = DAY + HOUR
"""Of a win that is read this long after it happened nobody is told: it is history."""
WIN: Final = "win"
HANDOVER: Final = "handover"


def heard(file: DealFile, win: Win, now: int, directory: Directory, record: bytes, made: Plan) -> None:
    """Take in a win, or what is known of it now."""
    if win.revision <= file.revisions.get(WIN, 0):
        made.repeat = True
        return
    file.revisions[WIN] = win.revision
    file.win = win
    delivery = directory.delivery
    for address in directory.webhooks((*delivery.earned_wins_to, *delivery.handover_to)):
        made.tellings.append(Telling(address, win.id, POST, RawCard(win.id, "win.v1", record), free=True))
    won_at = parse_instant(win.won_at)
    if now - won_at > OLD_MS and not file.win_told:
        made.silent.append(OLD)
        return
    file.win_due = now if WIN in file.win_told else max(now, won_at + delivery.settle_minutes * MINUTE)
    if delivery.handover_to:
        file.handover_due = now if HANDOVER in file.win_told else max(now, won_at + HANDOVER_MS)


def due(file: DealFile, now: int, directory: Directory, made: Plan) -> None:
    """Tell what has settled."""
    win, delivery = file.win, directory.delivery
    if win is None:
        return
    if file.win_due and file.win_due <= now:
        file.win_due = 0
        to = delivery.earned_wins_to if win.reading == EARNED else ()
        _tell(file, WIN, win, WinCard(win), directory.addresses(to, win.owner_id), made)
    if file.handover_due and file.handover_due <= now:
        file.handover_due = 0
        addresses = directory.addresses(delivery.handover_to, win.owner_id)
        _tell(file, HANDOVER, win, HandoverCard(win, file.notes), addresses, made)


def _tell(file: DealFile, what: str, win: Win, card: Card, addresses: list[Address], made: Plan) -> None:
    told = file.win_told.get(what, [])
    mark = f"{what}:{win.opportunity_id}"
    for text in told:
        made.tellings.append(Telling(Address.parse(text), mark, UPDATE, card, ended=win.withdrawn))
    fresh = [] if win.withdrawn else [address for address in addresses if str(address) not in told]
    for address in fresh:
        made.tellings.append(Telling(address, mark, POST, card, free=what == HANDOVER))
    if told or fresh:
        file.win_told[what] = [*told, *map(str, fresh)]
