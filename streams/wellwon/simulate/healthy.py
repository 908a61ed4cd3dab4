"""Ordinary lives: won, lost, cleared away on the last day, or carried into the next quarter with its date."""

from __future__ import annotations

from typing import Final

from wellwon.core.units import DAY
from wellwon.simulate.deal import AHEAD, PATIENCE, UNPRICED, Draft
from wellwon.simulate.label import Planted
from wellwon.simulate.organisation import (
    DISCOVERY,
    EVALUATION,
    LAST_DAY_SIZE,
    LAST_WEEK_WINS,
    LEGAL,
    NEGOTIATION,
    PROPOSAL,
    WIN_RATE,
    some_workday,
    workday,
)

_NEXT_QUARTER_SHARE: Final = 0.22


def healthy(draft: Draft) -> tuple[str, Planted]:
    """An ordinary deal by the shape of the quarter: its kind, and what was planted (nothing)."""
    rng, quarter = draft.rng, draft.quarter
    if rng.random() < _NEXT_QUARTER_SHARE:
        return "next quarter", next_quarter(draft)
    weights = [wins for slot, wins in LAST_WEEK_WINS.items()]
    weights += [wins * (1 - WIN_RATE[slot]) / WIN_RATE[slot] for slot, wins in LAST_WEEK_WINS.items()]
    choice = rng.choices(range(6), weights)[0]
    slot = tuple(LAST_WEEK_WINS)[choice % 3]
    if slot == "last day":
        day = quarter.last_workday
        draft.shrink(LAST_DAY_SIZE)
    elif slot == "last week":
        day = some_workday(rng, quarter.last_week, quarter.last_workday - 1)
    elif rng.random() < 0.15:
        day = some_workday(rng, quarter.start, quarter.start + 6)
    else:
        day = some_workday(rng, quarter.start + 7, quarter.last_week - 1)
    if choice < 3:
        return "won", won(draft, day, edge=day >= quarter.window - 3 or day < quarter.start + 7)
    if slot == "last day":
        return "cleared away", cleared_away(draft, day)
    return "lost", lost(draft, day)


def won(draft: Draft, day: int, *, edge: bool = False) -> Planted:
    """Won on about the date that was said long before, at the price that was first agreed."""
    rng = draft.rng
    draft.discount = draft.usual_discount(edge=edge)
    unpriced = draft.style == UNPRICED
    if day >= draft.quarter.start + 25 and rng.random() < 0.2:
        # Deals that are won change their date more often than those that are lost (evidence.md, section 5.2).
        moved = day - rng.randrange(9, 13)
        draft.mature(moved - 4, NEGOTIATION, day - 8)
        draft.redate(draft.on(moved), day)
        draft.advance(draft.on(moved + 2), LEGAL)
        draft.win(draft.on(day))
        return Planted((), "won a little later than was first said, with progress after", _known("mixed", unpriced))
    said = min(day + rng.choice((0, 0, 0, 1, 2, 4, 6)), max(draft.quarter.end, day))
    reach = LEGAL if rng.random() < 0.55 else NEGOTIATION
    draft.mature(said - rng.randrange(AHEAD, AHEAD + 4), reach, said)
    draft.win(draft.on(day))
    reason = "won near the date that was said long before, at the price first agreed"
    return Planted((), reason, _known("earned", unpriced))


def _known(reading: str, unpriced: bool) -> str:
    return "unknown" if unpriced else reading


def lost(draft: Draft, day: int) -> Planted:
    """Lost before it was ever committed; the date may have moved once on the way."""
    rng, quarter = draft.rng, draft.quarter
    said = max(workday(quarter.end), day + rng.randrange(AHEAD, 3 * AHEAD))
    reach = rng.choice((DISCOVERY, EVALUATION, PROPOSAL, PROPOSAL))
    moved = rng.random() < 0.3
    first = said if not moved else max(day + AHEAD, said - rng.randrange(8, 25))
    draft.mature(day - rng.randrange(12, 30), reach, first)
    if moved and first < said and draft.today < quarter.window - 3 and draft.today - draft.saves[0].at // DAY > 7:
        draft.redate(draft.on(min(draft.today + 2, first)), said)
    draft.lose(draft.on(day))
    return Planted((), "lost without having been committed; one move of the date is no pattern")


def cleared_away(draft: Draft, day: int) -> Planted:
    """Long dead, closed as lost on the quarter's last day: clean-up, not pressure."""
    rng, date = draft.rng, draft.quarter.end + draft.rng.randrange(AHEAD, 3 * AHEAD)
    draft.mature(day - rng.randrange(25, 40), rng.choice((DISCOVERY, EVALUATION)), date)
    draft.lose(draft.on(day))
    return Planted((), "a dead deal cleared away on the last day of the quarter: the loss is older than the save")


def next_quarter(draft: Draft) -> Planted:
    """Created in this quarter for the next one."""
    rng, quarter = draft.rng, draft.quarter
    date = quarter.end + rng.randrange(30, 80)
    stage = rng.choice((DISCOVERY, DISCOVERY, EVALUATION, PROPOSAL))
    by = quarter.start + rng.randrange(62, 88)
    draft.mature(by, stage, date, days=rng.randrange(16, 40))
    finish(draft)
    return Planted((), "created for the next quarter, and its date stands")


def finish(draft: Draft) -> None:
    """What becomes of a deal that leaves the quarter open: it ends well before its date, and before it stands still."""
    low = max(draft.today + 2, draft.quarter.end + 8)
    while low > draft.staged + PATIENCE and draft.stage < LEGAL:
        draft.advance(draft.on(max(draft.today + 1, draft.staged + PATIENCE)), draft.stage + 1, draft.category)
    high = min(draft.date - AHEAD, draft.staged + PATIENCE)
    draft.lose(draft.on(some_workday(draft.rng, low, max(low, high))))
