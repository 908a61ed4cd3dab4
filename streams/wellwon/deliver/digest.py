"""From what was held back to one message."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wellwon.core.rule import SEVERITIES
from wellwon.core.units import parse_money
from wellwon.deliver.cards import DigestCard, DigestLine
from wellwon.deliver.plan import card_of
from wellwon.deliver.state import FIRST, DealFile, Held

LINES: Final = 30
"""A digest lists no more; the others are counted."""


def line(file: DealFile, held: Held) -> DigestLine | None:
    """A held headline as it stands now; None where it is over."""
    known = file.known.get(held.mark)
    if known is None or known.alert.headline != held.mark:
        return None
    return DigestLine(known.alert, held.reason, len(card_of(file, held.mark).together))


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
