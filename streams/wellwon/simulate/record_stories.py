"""Stories about how well a deal is written down, and who looks after it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wellwon.core.units import DAY, HOUR
from wellwon.simulate.deal import Draft
from wellwon.simulate.label import Planted
from wellwon.simulate.organisation import NEGOTIATION, PROPOSAL, is_workday, owner_id, some_workday

_BEST_CASE: Final = "Best Case"


def _colleague(draft: Draft) -> str:
    """Another seller, of the same division."""
    return owner_id(draft.number + 7) + draft.owner[-3:]


# --- planted --------------------------------------------------------------------------------------------------


def missing_amount(draft: Draft) -> Planted:
    """In negotiation without an amount: until weeks before the date, or nearly until it."""
    rng, quarter = draft.rng, draft.quarter
    date = some_workday(rng, quarter.start + 55, quarter.window - 8)
    draft.mature(date - rng.randrange(30, 36), NEGOTIATION, date, priced=False, estimate=False)
    near = rng.random() < 0.5
    draft.price(draft.on(date - (rng.randrange(6, 11) if near else rng.randrange(18, 25))), draft.discount)
    draft.win(draft.on(date - 1))
    reason = f"in the late stage without an amount, until {'days' if near else 'weeks'} before the date"
    return Planted(("missing-amount",), reason, severity="warning" if near else "info")


def next_step_missing(draft: Draft) -> Planted:
    """In negotiation with a next step that is empty, or more than a month old."""
    rng, quarter = draft.rng, draft.quarter
    draft.attended = False
    date = some_workday(rng, quarter.start + 60, quarter.window - 8)
    old = rng.random() < 0.5
    by = date - rng.randrange(36, 42)
    draft.mature(by, NEGOTIATION, date, category=_BEST_CASE, next_step="Ask for the decision" if old else None)
    draft.price(draft.on(date - rng.randrange(22, 26)), draft.discount + 100)
    draft.win(draft.on(date - 1))
    return Planted(("next-step-missing",), "the next step was old or never written", severity="info")


def late_stage_creation(draft: Draft) -> Planted:
    """In the last days a deal is written down that is nearly done, or done the same day."""
    rng, quarter = draft.rng, draft.quarter
    day = some_workday(rng, quarter.window, quarter.end - 4)
    if rng.random() < 0.4:
        save = draft.create(day, quarter.end)
        save.writer, save.writer_kind = draft.owner, "user"
        draft.win(draft.cursor + rng.randrange(2, 6) * HOUR)
        return Planted(("late-stage-creation",), "created and won on one day of the last days", severity="info")
    _create_late(draft, day)
    draft.win(draft.on(day + rng.randrange(3, 5)))
    return Planted(("late-stage-creation",), "created in the late stage in the last days", severity="info")


def _create_late(draft: Draft, day: int, writer: str = "", writer_kind: str = "user") -> None:
    stage = draft.stages[NEGOTIATION]
    save = draft.create(day, draft.quarter.end, stage=stage, forecast_category=_BEST_CASE)
    save.writer, save.writer_kind = writer or draft.owner, writer_kind
    draft.stage, draft.category = NEGOTIATION, _BEST_CASE


def last_day_parking(draft: Draft) -> Planted:
    """Dated on the quarter's last day, and for five weeks nobody touches it."""
    rng, quarter = draft.rng, draft.quarter
    draft.attended = False
    by = quarter.end - rng.randrange(42, 50)
    draft.mature(by, NEGOTIATION, quarter.end, category=_BEST_CASE)
    if rng.random() < 0.4:
        draft.touch(draft.cursor + 12 * DAY)
        draft.touch(draft.cursor + 13 * DAY, inbound=True)
    draft.win(draft.on(by + rng.randrange(34, 40)))
    return Planted(("last-day-parking",), "on the quarter's last day for more than a month, untouched", severity="info")


def late_owner_change(draft: Draft) -> Planted:
    """Somebody else takes over in the last days before the date."""
    rng, quarter = draft.rng, draft.quarter
    date = some_workday(rng, quarter.start + 45, quarter.window - 5)
    draft.mature(date - rng.randrange(18, 28), NEGOTIATION, date)
    other = _colleague(draft)
    draft.write(draft.on(date - rng.randrange(4, 12)), {"owner_id": other})
    draft.owner = other
    draft.win(draft.on(date))
    return Planted(("late-owner-change",), "another owner days before the close date", severity="info")


PLANTED: Final[dict[str, Callable[[Draft], Planted]]] = {
    "missing-amount": missing_amount,
    "next-step-missing": next_step_missing,
    "late-stage-creation": late_stage_creation,
    "last-day-parking": last_day_parking,
    "late-owner-change": late_owner_change,
}


# --- close to it ----------------------------------------------------------------------------------------------


def amount_in_time(draft: Draft) -> Planted:
    """Without an amount until the save that brings it into the late stage."""
    rng, quarter = draft.rng, draft.quarter
    date = some_workday(rng, quarter.start + 55, quarter.window - 8)
    draft.mature(date - rng.randrange(30, 36), PROPOSAL, date, priced=False, estimate=False)
    draft.advance(draft.on(date - rng.randrange(14, 20)), NEGOTIATION, priced=True)
    draft.win(draft.on(date - 1))
    return Planted((), "the amount came with the late stage")


def four_weeks_old_step(draft: Draft) -> Planted:
    """A next step that is four weeks old when it is written anew."""
    rng, quarter = draft.rng, draft.quarter
    draft.attended = False
    by = some_workday(rng, quarter.start + 20, quarter.start + 35)
    draft.mature(by, NEGOTIATION, quarter.window - 8, category=_BEST_CASE)
    draft.note(draft.cursor + HOUR, "Ask for the decision")
    renewed = draft.cursor + rng.randrange(23, 28) * DAY
    draft.note(renewed, "Decision on Friday")
    draft.cursor = renewed
    draft.win(draft.on(draft.today + rng.randrange(2, 8)))
    return Planted((), "the next step was written anew within four weeks")


def created_a_little_earlier(draft: Draft) -> Planted:
    """A deal is written down that is nearly done, in the week before the last days."""
    rng, quarter = draft.rng, draft.quarter
    _create_late(draft, some_workday(rng, quarter.window - 4, quarter.window - 1))
    draft.win(draft.on(quarter.window + rng.randrange(2, 7)))
    return Planted((), "created in the late stage before the last days")


def parked_for_four_weeks(draft: Draft) -> Planted:
    """Dated on the quarter's last day, untouched for four weeks; or for longer on the day before it."""
    rng, quarter = draft.rng, draft.quarter
    draft.attended = False
    by = quarter.end - rng.randrange(42, 50)
    draft.mature(by, NEGOTIATION, quarter.end, category=_BEST_CASE)
    draft.win(draft.cursor + rng.randrange(25, 29) * DAY)
    return Planted((), "on the quarter's last day, touched within four weeks")


def handed_over_in_time(draft: Draft) -> Planted:
    """Somebody else takes over more than two weeks before the date."""
    rng, quarter = draft.rng, draft.quarter
    days = range(quarter.start + 50, quarter.window - 5)
    date = rng.choice([day for day in days if is_workday(day - 17)])
    draft.mature(date - rng.randrange(24, 34), NEGOTIATION, date)
    other = _colleague(draft)
    draft.write(draft.on(date - 17), {"owner_id": other})
    draft.owner = other
    draft.win(draft.on(date))
    return Planted((), "another owner more than two weeks before the close date")


NEAR: Final[dict[str, Callable[[Draft], Planted]]] = {
    "amount in time": amount_in_time,
    "four weeks old step": four_weeks_old_step,
    "created a little earlier": created_a_little_earlier,
    "parked for four weeks": parked_for_four_weeks,
    "handed over in time": handed_over_in_time,
}


# --- only alike -----------------------------------------------------------------------------------------------


def amount_unknown(draft: Draft) -> Planted:
    """The source never says anything of an amount until it is set: that it is empty is not known."""
    rng, quarter = draft.rng, draft.quarter
    date = some_workday(rng, quarter.start + 55, quarter.window - 8)
    draft.mature(date - rng.randrange(30, 36), NEGOTIATION, date, priced=False, estimate=False)
    del draft.saves[0].values["amount"]
    draft.price(draft.on(date - rng.randrange(6, 25)), draft.discount)
    draft.win(draft.on(date - 1))
    return Planted((), "nothing was ever said of an amount: it is not known to be missing")


def shop_order(draft: Draft) -> Planted:
    """The web shop writes its orders down when they are nearly done."""
    rng, quarter = draft.rng, draft.quarter
    _create_late(draft, some_workday(rng, quarter.window, quarter.end - 4), writer="005Shop", writer_kind="integration")
    draft.win(draft.on(draft.today + rng.randrange(1, 4)))
    return Planted((), "created in the late stage by the web shop, not by a person")


def territories(draft: Draft) -> Planted:
    """Territories are drawn anew: hundreds of deals get other owners in one save, days before this one's date."""
    rng, quarter = draft.rng, draft.quarter
    date = some_workday(rng, quarter.start + 45, quarter.window - 5)
    draft.mature(date - rng.randrange(18, 28), NEGOTIATION, date)
    other = _colleague(draft)
    draft.write(draft.on(date - rng.randrange(4, 12)), {"owner_id": other}, writer="005Operations", bulk=240)
    draft.owner = other
    draft.win(draft.on(date))
    return Planted((), "another owner by an edit of 240 deals at once")


def stood_in(draft: Draft) -> Planted:
    """An administrator gives the deal to a colleague for a week of holidays, and back."""
    rng, quarter = draft.rng, draft.quarter
    date = some_workday(rng, quarter.start + 45, quarter.window - 5)
    draft.mature(date - rng.randrange(18, 28), NEGOTIATION, date)
    away = draft.on(date - 12)
    draft.write(away, {"owner_id": _colleague(draft)}, writer="005Operations", writer_kind="admin")
    draft.write(draft.on(date - 5), {"owner_id": draft.owner}, writer="005Operations", writer_kind="admin")
    draft.win(draft.on(date))
    return Planted((), "lent to a colleague for a week by an administrator")


ALIKE: Final[dict[str, Callable[[Draft], Planted]]] = {
    "amount unknown": amount_unknown,
    "shop order": shop_order,
    "territories": territories,
    "stood in": stood_in,
}
