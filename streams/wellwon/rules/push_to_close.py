"""Many acts in the last days, all towards one date.

## What it looks for
Inside the window, on a deal dated in this period: three or more acts of at least two kinds, in saves an hour or more
apart, among them a concession, a re-dating, or touches without an answer. Acts are, strongest first: a concession (the
discount raised by 3 points, or the amount cut by 5 % at the same scope, nothing in return); a pull-in over the period's
boundary; a re-dating within the period; Commit without stage progress; a jump of two stages; four outbound touches in
48 hours without an inbound one. One save counts once, as its strongest; touches are no saves.

## Why it matters
One act may have a good reason. Several kinds within days are the picture of a deal that is pushed, not bought: what it
brings this quarter was taken from its price, from the next quarter, or from the customer's goodwill.

## Example
```timeline
2026-07-06 10:00  created stage="Negotiation/Review" close_date=2026-10-18 discount=10 list=120000 by=anna   .
2026-09-27 10:00  close_date=2026-09-30 by=anna    .
2026-09-28 10:00  discount=14 by=anna              .
2026-09-29 10:00  close_date=2026-09-29 by=anna    ! push-to-close warning
2026-09-29 17:00  discount=18 by=anna              ! push-to-close high
2026-10-01        resolved push-to-close expired
```

## When it is fine
One honest save that changes everything is one act. A date that the buyer gave, a discount that was traded, the buyer's
own process, integrations, bulk edits and corrections are no acts. Touches count only where the policy says that
activities are fed both ways, and not while the buyer's process runs.

## What to do
Ask the customer for *their* date and set it: a date that they gave clears this, even in the next period. Stop giving
until there is something in return.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from wellwon.core.calendar import Period
from wellwon.core.deal import Deal, standing
from wellwon.core.model import BOTH_WAYS, COMMIT, OPEN
from wellwon.core.moves import COUNTS, Move, StageMove, Touch
from wellwon.core.rule import (
    AMOUNT,
    CATEGORY,
    DATE,
    HIGH,
    IN_WINDOW,
    IS_OPEN,
    PRICE,
    STAGE,
    STATUS,
    TIME,
    TOUCH,
    WARNING,
    Finding,
    View,
    param,
    rule,
)
from wellwon.core.units import DAY, HOUR, format_instant
from wellwon.rules import reading
from wellwon.rules.reading import POINT, before_period_end, counted


@dataclass(frozen=True, slots=True)
class Params:
    """Thresholds of push-to-close; how long the window is, is the policy's ``window_days``."""

    acts: int = param(3, ge=2, le=20, unit="acts", doc="Acts that count as a push.")
    kinds: int = param(2, ge=1, le=6, unit="kinds", doc="Kinds of acts among them.")
    hours_apart: int = param(1, ge=0, le=240, unit="hours", doc="Least time between the first save and the last.")
    high_acts: int = param(5, ge=2, le=20, unit="acts", doc="Acts from which it is high.")
    high_concessions: int = param(2, ge=1, le=20, unit="concessions", doc="Concessions from which it is high.")
    concession_points: int = param(3, ge=1, le=100, unit="percentage points", doc="Raise that is a concession.")
    concession_cut: int = param(5, ge=1, le=100, unit="percent", doc="Cut at the same scope that is a concession.")
    progress_days: int = param(7, ge=0, le=90, unit="days", doc="Commit this long after stage progress is no act.")
    jump: int = param(2, ge=2, le=20, unit="stages", doc="Stages moved forward at once that are a jump.")
    touches: int = param(4, ge=2, le=24, unit="touches", doc="Outbound touches without an answer that are a burst.")
    touch_hours: int = param(48, ge=1, le=240, unit="hours", doc="Within which they were made.")


CONCESSION: Final = "concession"
PULL_IN: Final = "pull-in"
RE_DATED: Final = "re-dated"
COMMITTED: Final = "commit without progress"
JUMP: Final = "stage jump"
BURST: Final = "unanswered touches"
STRENGTH: Final = (CONCESSION, PULL_IN, RE_DATED, COMMITTED, JUMP, BURST)
TELLING: Final = frozenset({CONCESSION, RE_DATED, BURST})
"""Without one of these, acts are only a busy end of a period."""


class Act(NamedTuple):
    """One act; ``commit`` is 0 for touches, which are no saves."""

    at: int
    commit: int
    kind: str


@rule(
    "push-to-close",
    family="pressure",
    severity=WARNING,
    reads=PRICE | AMOUNT | DATE | CATEGORY | STAGE | STATUS | TOUCH | TIME,
    rests_on=0,
    premise=IS_OPEN | IN_WINDOW,
    params=Params,
    doc=__doc__,
)
def RULE(view: View, params: Params) -> Finding | None:
    """The acts inside this period's window."""
    deal = view.deal
    if deal.status != OPEN or _most_acts(deal) < params.acts:
        return None
    period = view.period
    first_day = view.window_start(period)
    if view.today < first_day:
        return None
    began = view.midnight(first_day)
    if _moves_since(deal, began) < params.acts or not _is_dated_in(deal, period, began):
        return None
    acts = _one_a_save(_acts(view, period, began, params))
    if not _is_push(acts, params):
        return None
    view.wakes_at(period.end_at)
    concessions = sum(act.kind == CONCESSION for act in acts)
    high = len(acts) >= params.high_acts or concessions >= params.high_concessions
    return Finding(
        HIGH if high else WARNING,
        str(len(acts)),
        acts[-1].commit,
        _title(view, acts),
        _evidence(view, acts, params),
    )


def _most_acts(deal: Deal) -> int:
    """More acts than this the deal cannot have: the cheap question before any calendar."""
    return (
        len(deal.dates) + len(deal.prices) + len(deal.amounts) + len(deal.categories) + len(deal.stages)
        + len(deal.touches) // 2
    )  # fmt: skip


def _moves_since(deal: Deal, began: int) -> int:
    """More acts than this the window cannot have: few deals come further."""
    moves = sum(touch.at >= began for touch in deal.touches)
    histories: tuple[tuple[Move, ...], ...] = (deal.dates, deal.prices, deal.amounts, deal.categories, deal.stages)
    for history in histories:
        for move in reversed(history):
            if move.at < began:
                break
            moves += 1
    return moves


def _is_dated_in(deal: Deal, period: Period, began: int) -> bool:
    return reading.dated_in(period, deal.close_date) or reading.dated_in(
        period, standing(deal.dates, began, deal.close_date)
    )


def _is_push(acts: list[Act], params: Params) -> bool:
    saves = [act.at for act in acts if act.commit]
    if len(acts) < params.acts or len(saves) < 2 or saves[-1] - saves[0] < params.hours_apart * HOUR:
        return False
    kinds = {act.kind for act in acts}
    return len(kinds) >= params.kinds and not kinds.isdisjoint(TELLING)


# --- acts -----------------------------------------------------------------------------------------------------


def _acts(view: View, period: Period, began: int, params: Params) -> Iterator[Act]:
    deal = view.deal
    for raised in deal.prices:
        if raised.at >= began and reading.is_raise_for_nothing(raised, params.concession_points * POINT):
            yield Act(raised.at, raised.commit, CONCESSION)
    for cut in deal.amounts:
        if cut.at >= began and reading.is_cut_for_nothing(cut, params.concession_cut * POINT):
            yield Act(cut.at, cut.commit, CONCESSION)
    for move in deal.dates:
        if move.at >= began and move.why == COUNTS and reading.dated_in(period, move.new):
            if not move.crossed:
                yield Act(move.at, move.commit, RE_DATED)
            elif reading.is_pull_in(move):
                yield Act(move.at, move.commit, PULL_IN)
    for category in deal.categories:
        if category.at >= began and category.why == COUNTS and category.new == COMMIT:
            since = category.at - params.progress_days * DAY
            if not any(_is_progress(stage, since, category.at, category.commit) for stage in deal.stages):
                yield Act(category.at, category.commit, COMMITTED)
    for stage in deal.stages:
        if stage.at >= began and stage.why == COUNTS and stage.steps >= params.jump:
            yield Act(stage.at, stage.commit, JUMP)
    if view.ruleset.activities == BOTH_WAYS:
        sent = [touch for touch in deal.touches if touch.at >= began and not _waited(view, touch.at)]
        yield from _bursts(sent, params)


def _is_progress(stage: StageMove, since: int, until: int, commit: int) -> bool:
    return stage.progress and (since <= stage.at <= until or stage.commit == commit)


def _waited(view: View, at: int) -> bool:
    """Whether the deal was in the buyer's process then, where silence says nothing."""
    stage = view.stage(standing(view.deal.stages, at + 1, view.deal.stage))
    return stage is not None and stage.buyer_process


def _bursts(touches: list[Touch], params: Params) -> Iterator[Act]:
    """Runs of outbound touches that nobody answered while they lasted; each touch is part of one."""
    first = 0
    while first + params.touches <= len(touches):
        end = touches[first].at + params.touch_hours * HOUR
        run = [touch for touch in touches[first:] if touch.at <= end]
        if len(run) >= params.touches and not any(touch.inbound for touch in run):
            yield Act(run[params.touches - 1].at, 0, BURST)
            first += len(run)
        else:
            first += 1


def _one_a_save(found: Iterator[Act]) -> list[Act]:
    """Each save once, as its strongest act, in order of time."""
    strongest: dict[tuple[int, int], Act] = {}
    for act in found:
        save = (act.commit, 0 if act.commit else act.at)
        known = strongest.get(save)
        if known is None or STRENGTH.index(act.kind) < STRENGTH.index(known.kind):
            strongest[save] = act
    return sorted(strongest.values())


# --- what is told ---------------------------------------------------------------------------------------------


def _title(view: View, acts: list[Act]) -> str:
    days = view.calendar.local_day(acts[-1].at) - view.calendar.local_day(acts[0].at) + 1
    return f"{counted(len(acts), 'act')} in {counted(days, 'day')}, {before_period_end(view, acts[-1].at)}"


def _evidence(view: View, acts: list[Act], params: Params) -> dict[str, object]:
    return reading.evidence(
        view,
        at=acts[-1].at,
        before=0,
        after=len(acts),
        threshold=(
            f"{counted(params.acts, 'act')} of {counted(params.kinds, 'kind')} inside the window,"
            f" high from {params.high_acts} or {counted(params.high_concessions, 'concession')}"
        ),
        clears=f"the buyer gave the date, the {view.calendar.kind} is over, or the deal is closed",
        acts=[{"when": format_instant(act.at), "kind": act.kind} for act in acts],
        kinds=len({act.kind for act in acts}),
    )
