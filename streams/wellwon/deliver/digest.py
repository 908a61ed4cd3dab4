"""From what was held back to one message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wellwon.core.rule import SEVERITIES
from wellwon.core.units import parse_money
from wellwon.deliver.cards import DigestCard, DigestLine
from wellwon.deliver.plan import card_of, heading, leader
from wellwon.deliver.state import FIRST, DealFile, Held

LINES: Final = 30
"""A digest lists no more; the others are counted."""


def line(file: DealFile, held: Held, address: str) -> DigestLine | None:
    """A held headline as it stands now; None where it is over, or the address was told of what covers it by now."""
    mark = heading(file, held.mark)
    if leader(file, mark) is None or (mark != held.mark and address in file.told.get(mark, ())):
        return None
    card = card_of(file, mark)
    return DigestLine(card.alert, held.reason, len(card.together))


def digest(lines: Iterable[DigestLine], settled: int) -> DigestCard:
    """One card of all of them, what matters most first; ``settled`` is how many were over before anybody was told."""
    ordered = sorted(lines, key=_order)
    first = any(one.reason == FIRST for one in ordered)
    deals = {one.alert.opportunity_id for one in ordered} - {""}
    return DigestCard(tuple(ordered[:LINES]), len(ordered), settled, first, len(deals))


def _order(one: DigestLine) -> tuple[int, int, str]:
    alert = one.alert
    severity = SEVERITIES.index(alert.severity) if alert.severity in SEVERITIES else 0
    try:
        amount = parse_money(alert.amount or "0")
    except ValueError:
        amount = 0
    return -severity, -amount, alert.id
