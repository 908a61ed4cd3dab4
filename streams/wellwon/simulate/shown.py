"""What a life shows whatever its story is: patterns that come of stage, date and time alone.

A deal that stands still for two months stands still whether its story is about that or not, so its label must say so.
Here it is read from the saves, by the words of the catalogue and by no rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Final, NamedTuple

from wellwon.core.units import DAY, MINUTE, parse_date
from wellwon.simulate.deal import Draft
from wellwon.simulate.label import Planted
from wellwon.simulate.organisation import LEGAL, NEGOTIATION, NEW_BUSINESS, OPEN_STAGES, calendar
from wellwon.simulate.save import Save

STALL: Final = 45 * DAY
EARLY_DAYS: Final = 14
SKIPPED: Final = 2
"""The catalogue's figures without a norm."""
CORRECTION: Final = 30 * MINUTE
MARGIN: Final = DAY
"""Nearer to a figure than this, the label leaves it open."""
CLOSED: Final = -1


class Stretch(NamedTuple):
    """A time in which neither stage nor date changed; ``stage`` is a place, `CLOSED` where it is none."""

    began: int
    ended: int
    stage: int
    stage_began: int
    date: int | None
    buyers: bool
    legal: bool
    """Somebody answered that the buyer's legal process moves it."""


def with_shown(planted: Planted, draft: Draft, until: int) -> Planted:
    """The story's label, and what the life shows besides up to an instant (ms)."""
    if draft.pipeline != NEW_BUSINESS:
        return planted
    saves = [save for save in sorted(draft.saves, key=lambda save: save.at) if save.at < until]
    sure, may = set(planted.expected), set(planted.possible)
    for stretch in _stretches(saves, until):
        for rule, lasts in (("stage-stall", _stalls(stretch)), ("too-early-to-close", _is_too_early(stretch))):
            if lasts > MARGIN:
                sure.add(rule)
            elif lasts > -MARGIN:
                may.add(rule)
    if _skips(saves):
        sure.add("stage-skip")
    expected = (*planted.expected, *sorted(sure - set(planted.expected)))
    return replace(planted, expected=expected, possible=tuple(sorted(may - sure)))


def _stretches(saves: list[Save], until: int) -> Iterator[Stretch]:
    stage, stage_began, date, buyers, legal = CLOSED, 0, None, None, False
    slips = {id(half): began for began, *halves in _slips(saves) for half in halves}
    for save, following in pairwise([*saves, None]):
        assert save is not None
        values = save.values
        if "stage" in values and (now := _place(values["stage"])) != stage:
            stage, stage_began, legal = now, slips.get(id(save), save.at), False
        date = parse_date(values["close_date"]) if "close_date" in values else date
        buyers = parse_date(values["buyer_confirmed_date"]) if "buyer_confirmed_date" in values else buyers
        legal = legal or save.answer == "legal"
        ended = until if following is None else following.at
        yield Stretch(save.at, ended, stage, stage_began, date, buyers is not None and buyers == date, legal)


def _stalls(stretch: Stretch) -> int:
    """How long it stands still beyond the limit; negative for less."""
    if stretch.stage in (CLOSED, LEGAL) or stretch.legal:
        return -STALL
    return stretch.ended - stretch.stage_began - STALL


def _is_too_early(stretch: Stretch) -> int:
    """How long the date is too near for an early stage; negative for how far it is from that."""
    if not 0 <= stretch.stage < NEGOTIATION or stretch.date is None or stretch.buyers:
        return -STALL
    period = calendar().period_of_day(stretch.date)
    near = calendar().midnight(stretch.date - EARLY_DAYS + 1)
    return min(stretch.ended, period.end_at) - max(stretch.began, near, period.start_at)


def _skips(saves: list[Save]) -> bool:
    """Whether a person moved it on by two places or more, and did not take that back within minutes."""
    slips = {id(half) for _, *halves in _slips(saves) for half in halves}
    for before, save in pairwise(_staged(saves)):
        old, new = _place(before.values["stage"]), _place(save.values["stage"])
        by_person = save.kind == "changed" and save.writer_kind == "user" and save.bulk == 1
        if by_person and old != CLOSED and new - old >= SKIPPED and id(save) not in slips:
            return True
    return False


def _slips(saves: list[Save]) -> Iterator[tuple[int, Save, Save]]:
    """A stage that was set wrong and put right by its writer within minutes: since when the right one holds."""
    staged = _staged(saves)
    for before, wrong, right in zip(staged, staged[1:], staged[2:], strict=False):
        soon = right.at - wrong.at <= CORRECTION and right.writer == wrong.writer
        if soon and right.values["stage"] == before.values["stage"]:
            yield before.at, wrong, right


def _staged(saves: list[Save]) -> list[Save]:
    return [save for save in saves if "stage" in save.values]


def _place(stage: str) -> int:
    return OPEN_STAGES.index(stage) if stage in OPEN_STAGES else CLOSED
