"""The forecast call: what became of the deals since the last one, by team, in totals. No table of people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from wellwon.core.calendar import FiscalCalendar
from wellwon.core.facts import Fact
from wellwon.core.model import LOST, OPEN, WON
from wellwon.core.units import DAY
from wellwon.deliver.cards import CallCard, Sum
from wellwon.deliver.desk import Desk
from wellwon.deliver.directory import Directory
from wellwon.deliver.state import Position
from wellwon.policy.delivery import WEBHOOK
from wellwon.policy.model import id_forms

ADDED, SLIPPED, PULLED_IN, UP, DOWN, LOST_WORD = "added", "slipped", "pulled in", "up", "down", "lost"
WON_HOW: Final = {
    "earned": "won well",
    "mixed": "won, mixed",
    "pressured": "won at a concession",
    "unknown": "won, not known how",
}
FATES: Final = (ADDED, SLIPPED, PULLED_IN, UP, DOWN, *WON_HOW.values(), LOST_WORD)
"""In the order of the digest."""
EXAMPLES: Final = 3
WEEK_MS: Final = 7 * DAY

Moved = tuple[int, str, str]
"""Amount (hundredths), name and id of a deal that met a fate."""


def hold(desk: Desk, facts: Iterable[Fact], now: int) -> None:
    """Make the digest of the latest fact of each deal that changed, tell whom the policy names, and remember."""
    directory, since = desk.directory, desk.ledger.office.called_at or now - WEEK_MS
    calendar = directory.policy.calendar.build()
    found: dict[tuple[str, str, str], list[Moved]] = {}
    for fact in facts:
        win = desk.win_of(fact.deal)
        for fate, amount in fates(fact, desk.position(fact.deal), since, calendar, "" if win is None else win.reading):
            found.setdefault((team_of(fact, directory), fate, fact.currency), []).append((amount, fact.name, fact.deal))
        still = fact.status == OPEN
        position = Position(fact.status, fact.amount, fact.currency, fact.close_date)
        desk.keep_position(fact.deal, position if still else None)
    card = CallCard(since, now, tuple(_sums(found)))
    for address in directory.addresses(directory.delivery.weekly_digest.to, None):
        if directory.sinks[address.sink].kind != WEBHOOK:
            desk.post(address, card, now)
    desk.called(now)


def fates(
    fact: Fact, before: Position | None, since: int, calendar: FiscalCalendar, reading: str
) -> Iterator[tuple[str, int]]:
    """What became of a deal since ``since``, and the amount (hundredths) that it is about."""
    amount = fact.amount or 0
    if fact.status in (WON, LOST):
        if fact.closed_at >= since:
            yield (WON_HOW.get(reading, WON_HOW["unknown"]) if fact.status == WON else LOST_WORD), amount
        return
    if fact.status != OPEN:
        return
    if before is None and fact.first_at >= since:
        yield ADDED, amount
        return
    was = _close_date_at(fact, before, since)
    if was is not None and fact.close_date is not None:
        then, now = calendar.period_of_day(was).start_day, calendar.period_of_day(fact.close_date).start_day
        if now != then:
            yield (SLIPPED if now > then else PULLED_IN), amount
    if before is not None and before.amount is not None and fact.amount is not None:
        more = fact.amount - before.amount
        if more and before.currency == fact.currency:
            yield (UP if more > 0 else DOWN), abs(more)


def _close_date_at(fact: Fact, before: Position | None, since: int) -> int | None:
    """The close date that stood at the last call."""
    if before is not None:
        return before.close_date
    return next((move.old for move in fact.moves if move.at >= since), fact.close_date)


def team_of(fact: Fact, directory: Directory) -> str:
    """The team of a deal: of its label, of the policy's teams, of the file of people; in that order."""
    teams = directory.policy.teams
    return (
        fact.label
        or next((team for team, owners in teams.items() if _is_one(fact.owner, owners)), "")
        or directory.people.team_of(fact.owner)
    )


def _is_one(owner: str, owners: Iterable[str]) -> bool:
    return any(owner in id_forms(one) for one in owners)


def _sums(found: dict[tuple[str, str, str], list[Moved]]) -> Iterator[Sum]:
    # A team's lines stand together; deals without a team come last.
    ordered = sorted(found, key=lambda about: (not about[0], about[0], FATES.index(about[1]), about[2]))
    for team, fate, currency in ordered:
        deals = sorted(found[team, fate, currency], key=lambda deal: (-deal[0], deal[1]))
        named = [(name, deal) for _, name, deal in deals[:EXAMPLES] if name]
        total = sum(amount for amount, _, _ in deals)
        names, ids = tuple(name for name, _ in named), tuple(deal for _, deal in named)
        yield Sum(team, fate, currency, len(deals), total, names, ids)
