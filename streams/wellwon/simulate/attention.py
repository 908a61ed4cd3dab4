"""What a seller does about a deal that is promised, or nearly done: every week or so the next step is written anew.

Stories tell what is special about a deal; this is what is not, and without it every ordinary deal would look forgotten.
"""

from __future__ import annotations

from typing import Final

from wellwon.core.units import DAY
from wellwon.simulate.deal import Draft
from wellwon.simulate.organisation import NEGOTIATION, NEW_BUSINESS, OPEN_STAGES, calendar, office_hours, workday
from wellwon.simulate.save import Save

EVERY_DAYS: Final = 10
"""With a weekend between less than the two weeks after which a deal is quiet."""
_STEPS: Final = ("Contract to their counsel", "Redlines back from them", "Call with the buyer", "Plan the kick-off")


def attend(draft: Draft, until: int) -> None:
    """Write next steps into the times in which a person would, up to an instant (ms)."""
    if not draft.attended or draft.pipeline != NEW_BUSINESS:
        return
    since, stepped, is_late, is_committed, is_open = 0, False, False, False, False
    for save in [*sorted(draft.saves, key=lambda save: save.at), None]:
        if is_open and (is_late or is_committed):
            for at in _times(draft, since, until if save is None else save.at):
                draft.note(at, f"{draft.rng.choice(_STEPS)} ({len(draft.saves)})")
                since, stepped = at, True
        if save is None:
            return
        stage = save.values.get("stage")
        if stage is not None:
            is_open = stage in OPEN_STAGES
            is_late = is_open and OPEN_STAGES.index(stage) >= NEGOTIATION
        is_committed = save.values.get("forecast_category", "Commit" if is_committed else "") == "Commit"
        if _is_persons(save) and not stepped:
            since = save.at


def _times(draft: Draft, since: int, until: int) -> list[int]:
    """Once a step is written down, the next follows whatever else is saved."""
    times, day = list[int](), calendar().local_day(since) + EVERY_DAYS
    while (at := office_hours(draft.rng, workday(day))) < until - DAY:
        times.append(at)
        day += EVERY_DAYS
    return times


def _is_persons(save: Save) -> bool:
    """Whoever created it, from there on it has a seller."""
    return save.kind == "created" or (save.kind == "changed" and save.writer_kind == "user" and save.bulk == 1)
