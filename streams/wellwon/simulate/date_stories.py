"""Stories about the close date: planted, close to it, and only alike."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Final

from wellwon.core.units import format_date
from wellwon.simulate.deal import Draft
from wellwon.simulate.label import Planted
from wellwon.simulate.organisation import (
    DISCOVERY,
    EVALUATION,
    NEGOTIATION,
    PROPOSAL,
    some_workday,
    some_workdays,
)


def serial_slip(draft: Draft) -> Planted:
    """Out of the last quarter, then out of this one; progress in between, so that the deal does not stand still."""
    rng, quarter = draft.rng, draft.quarter
    _out_of_the_last_quarter(draft)
    draft.redate(draft.on(quarter.start + rng.randrange(24, 28)), quarter.end + rng.randrange(2, 8))
    draft.advance(draft.on(quarter.start + rng.randrange(34, 38)), NEGOTIATION, "Best Case")
    draft.lose(draft.on(quarter.start + rng.randrange(48, 58)))
    return Planted(("serial-slip",), "pushed out of the last quarter, then out of this one", severity="warning")


def _out_of_the_last_quarter(draft: Draft) -> None:
    rng, quarter = draft.rng, draft.quarter
    draft.mature(quarter.start - 36, EVALUATION, quarter.start - rng.randrange(3, 8))
    draft.redate(draft.on(quarter.start - rng.randrange(24, 30)), quarter.start + rng.randrange(44, 48))
    draft.advance(draft.on(quarter.start + rng.randrange(3, 6)), PROPOSAL)


def re_dated_in_window(draft: Draft) -> Planted:
    """From day to day in the last days, always one more day."""
    rng, quarter = draft.rng, draft.quarter
    days = some_workdays(rng, quarter.window, quarter.end, 4)
    draft.mature(quarter.window - rng.randrange(3, 15), NEGOTIATION, days[0])
    for today, following in pairwise(days):
        draft.redate(draft.on(today), following)
    draft.win(draft.on(days[3]))
    return Planted(("re-dated-in-window",), "re-dated on three of the last days", severity="warning")


def too_early_to_close(draft: Draft) -> Planted:
    """Dated in days, in a stage from which nobody wins in days; sometimes in Commit."""
    rng, quarter = draft.rng, draft.quarter
    date = some_workday(rng, quarter.start + 45, quarter.window - 30)
    draft.mature(date - rng.randrange(16, 26), rng.choice((DISCOVERY, EVALUATION)), date)
    committed = rng.random() < 0.4
    if committed:
        draft.forecast(draft.on(date - 9), "Commit")
    draft.lose(draft.on(date - 2))
    return Planted(
        ("too-early-to-close",),
        "dated in days before the deal was in a late stage",
        possible=("category-stage-mismatch",),
        severity="warning" if committed else "info",
    )


PLANTED: Final[dict[str, Callable[[Draft], Planted]]] = {
    "serial-slip": serial_slip,
    "re-dated-in-window": re_dated_in_window,
    "too-early-to-close": too_early_to_close,
}


# --- close to it ----------------------------------------------------------------------------------------------


def slipped_once(draft: Draft) -> Planted:
    """Out of the last quarter, and again within this one."""
    rng, quarter = draft.rng, draft.quarter
    _out_of_the_last_quarter(draft)
    draft.redate(draft.on(quarter.start + rng.randrange(24, 28)), quarter.end - rng.randrange(2, 12))
    draft.advance(draft.on(quarter.start + rng.randrange(34, 38)), NEGOTIATION, "Best Case")
    draft.lose(draft.on(quarter.start + rng.randrange(48, 58)))
    return Planted((), "pushed out of one quarter, and then within the next")


def re_dated_twice(draft: Draft) -> Planted:
    """Three moves of the date on two of the last days."""
    rng, quarter = draft.rng, draft.quarter
    days = some_workdays(rng, quarter.window, quarter.end - 2, 3)
    draft.mature(quarter.window - rng.randrange(3, 15), NEGOTIATION, days[0])
    draft.redate(draft.on(days[0]), quarter.end - 1)
    draft.redate(draft.on(days[0]), days[2])
    draft.redate(draft.on(days[1]), quarter.end)
    draft.win(draft.on(days[2]))
    return Planted((), "three moves of the date, on two of the last days")


def soon_enough(draft: Draft) -> Planted:
    """An early deal is ended a little more than two weeks before its date."""
    rng, quarter = draft.rng, draft.quarter
    date = some_workday(rng, quarter.start + 50, quarter.window - 30)
    draft.mature(date - rng.randrange(26, 40), rng.choice((DISCOVERY, EVALUATION)), date)
    draft.lose(draft.on(date - rng.randrange(15, 18)))
    return Planted((), "ended when there were still more than two weeks to the date")


NEAR: Final[dict[str, Callable[[Draft], Planted]]] = {
    "slipped once": slipped_once,
    "re-dated twice": re_dated_twice,
    "soon enough": soon_enough,
}


# --- only alike -----------------------------------------------------------------------------------------------


def buyers_dates(draft: Draft) -> Planted:
    """The buyer moves the date, from quarter to quarter, and says so."""
    rng, quarter = draft.rng, draft.quarter
    _out_of_the_last_quarter(draft)
    date = quarter.end + rng.randrange(10, 20)
    at = draft.on(quarter.start + rng.randrange(24, 28))
    draft.write(at, {"close_date": format_date(date), "buyer_confirmed_date": format_date(date)})
    draft.date = date
    draft.advance(draft.on(quarter.start + rng.randrange(34, 38)), NEGOTIATION, "Best Case")
    draft.lose(draft.on(quarter.start + rng.randrange(48, 58)))
    return Planted((), "out of the second quarter to a date that the buyer gave: no slip")


def buyers_early_day(draft: Draft) -> Planted:
    """The buyer has named a day, though the deal's stage is behind."""
    rng, quarter = draft.rng, draft.quarter
    date = some_workday(rng, quarter.start + 45, quarter.window - 30)
    draft.mature(date - rng.randrange(22, 30), PROPOSAL, date)
    draft.write(draft.on(date - rng.randrange(16, 19)), {"buyer_confirmed_date": format_date(date)})
    draft.win(draft.on(date))
    return Planted((), "the date is the buyer's own: the stage is behind, the date is not too early")


ALIKE: Final[dict[str, Callable[[Draft], Planted]]] = {
    "buyer's dates": buyers_dates,
    "buyer's early day": buyers_early_day,
}
