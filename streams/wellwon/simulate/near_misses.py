"""Deals that come close to a pattern and stay on the honest side of its threshold: nothing holds, so nothing is said.

Look-alikes are honest whatever the threshold; these would be flagged if the threshold were a little lower, or if one of
a pattern's conditions were forgotten.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wellwon.core.units import HOUR, MINUTE, format_date
from wellwon.simulate import date_stories, promise_stories, record_stories, stage_stories
from wellwon.simulate.deal import AHEAD, BY_FIELD, BY_LIST, PRICED, UNPRICED, Draft
from wellwon.simulate.healthy import finish
from wellwon.simulate.label import Planted
from wellwon.simulate.organisation import (
    DISCOVERY,
    EVALUATION,
    NEGOTIATION,
    PROPOSAL,
    calendar,
    is_workday,
    some_workday,
    some_workdays,
)


def small_raise(draft: Draft) -> Planted:
    """A raise in the window of less than 5 points."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(*PRICED)
    raised_on, won_on = some_workdays(rng, quarter.window + 1, quarter.end, 2)
    draft.mature(quarter.window - rng.randrange(3, 15), NEGOTIATION, quarter.end)
    draft.price(draft.on(raised_on), draft.discount + rng.randrange(300, 480, 10))
    draft.win(draft.on(won_on))
    return Planted((), "a raise of less than 5 points in the last days", "mixed")


def early_raise(draft: Draft) -> Planted:
    """A raise before the window, or on a deal that is dated in the next quarter."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(BY_FIELD, BY_LIST)
    draft.discount = 1_500
    if rng.random() < 0.5:
        draft.mature(quarter.window - rng.randrange(12, 20), NEGOTIATION, quarter.end)
        draft.price(draft.on(quarter.window - 3), draft.discount + 650)
        draft.win(draft.on(quarter.last_workday))
        return Planted((), "raised in the week before the last days", "mixed")
    draft.mature(quarter.window - rng.randrange(4, 15), NEGOTIATION, quarter.end + rng.randrange(20, 40))
    draft.price(draft.on(some_workday(rng, quarter.window, quarter.end - 1)), draft.discount + 650)
    finish(draft)
    return Planted((), "raised in the last days of a quarter that the deal is not dated in")


def evening_before(draft: Draft) -> Planted:
    """A raise on the evening before the window; by UTC it lies inside."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(BY_FIELD, BY_LIST)
    draft.discount = 1_500
    draft.mature(quarter.window - rng.randrange(12, 20), NEGOTIATION, quarter.end)
    evening = calendar().midnight(quarter.window - 1) + 22 * HOUR
    draft.price(evening + rng.randrange(60) * MINUTE, draft.discount + 650)
    draft.win(draft.on(quarter.last_workday))
    return Planted((), "raised on the evening before the last days began, local time", "mixed")


def shallow_creep(draft: Draft) -> Planted:
    """Three raises within a month, together less than 10 points."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(*PRICED)
    days = some_workdays(rng, quarter.window - 18, quarter.last_week, 4)
    draft.mature(quarter.window - rng.randrange(22, 30), NEGOTIATION, quarter.end)
    for day in days[:3]:
        draft.price(draft.on(day), draft.discount + rng.randrange(270, 320, 10))
    draft.win(draft.on(days[3]))
    return Planted((), "three raises within a month, together less than 10 points", "mixed")


def small_cut(draft: Draft) -> Planted:
    """The amount falls by less than a tenth in the window."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(UNPRICED)
    cut_on, won_on = some_workdays(rng, quarter.window + 1, quarter.end, 2)
    draft.mature(quarter.window - rng.randrange(5, 20), NEGOTIATION, quarter.end)
    draft.listed = draft.listed * 92 // 100
    draft.price(draft.on(cut_on), draft.discount)
    draft.win(draft.on(won_on))
    return Planted((), "the amount fell by 8 % in the last days", "unknown")


def two_acts(draft: Draft) -> Planted:
    """Two acts of two kinds, or three of one kind."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(*PRICED)
    days = some_workdays(rng, quarter.window + 1, quarter.end - 1, 3)
    draft.mature(quarter.window - rng.randrange(12, 25), NEGOTIATION, quarter.end - 1)
    if rng.random() < 0.5:
        draft.price(draft.on(days[0]), draft.discount + 400)
        draft.redate(draft.on(days[1]), quarter.end)
        reason = "two acts in the last days"
    else:
        for day in days:
            draft.price(draft.on(day), draft.discount + 310)
        reason = "three acts of the same kind in the last days, together less than 10 points"
    draft.win(draft.on(quarter.last_workday))
    return Planted((), reason, "mixed")


def short_pushes(draft: Draft) -> Planted:
    """Two short pushes within the quarter, or one long push over its end."""
    rng, quarter = draft.rng, draft.quarter
    stage = rng.choice((EVALUATION, PROPOSAL))
    if rng.random() < 0.5:
        draft.mature(quarter.start + rng.randrange(2, 9), stage, quarter.start + 30)
        draft.redate(draft.on(draft.today + 8), draft.date + 20)
        draft.redate(draft.on(draft.today + 9), draft.date + 20)
        draft.lose(draft.on(draft.date - 8))
        return Planted((), "two pushes of 20 days within the quarter")
    draft.mature(quarter.start + rng.randrange(5, 25), stage, quarter.end - 25)
    draft.redate(draft.on(draft.today + 8), draft.date + rng.randrange(45, 58))
    finish(draft)
    return Planted((), "one push of less than 60 days, over the end of the quarter")


def pushes_with_progress(draft: Draft) -> Planted:
    """Two pushes, the second over the end of the quarter, with progress between them."""
    rng, quarter = draft.rng, draft.quarter
    draft.mature(quarter.start + rng.randrange(5, 18), DISCOVERY, quarter.end - 35)
    draft.redate(draft.on(draft.today + 8), draft.date + 15)
    draft.advance(draft.on(draft.today + 4), EVALUATION)
    draft.redate(draft.on(draft.today + 9), quarter.end + rng.randrange(16, 30))
    finish(draft)
    return Planted((), "two pushes with stage progress between them")


def push_out_of_pipeline(draft: Draft) -> Planted:
    """Pushed over the boundary in the window, but never in the forecast when it began; or just before the window."""
    rng, quarter = draft.rng, draft.quarter
    story = rng.choice(("pipeline", "late best case", "before"))
    category = "Best Case" if story == "before" else "Pipeline"
    draft.mature(quarter.window - rng.randrange(8, 18), NEGOTIATION, quarter.end, category=category)
    if story == "before":
        draft.redate(draft.on(quarter.window - 3), quarter.end + 20)
        reason = "pushed out before the last days"
    else:
        days = some_workdays(rng, quarter.window, quarter.end - 1, 2)
        if story == "late best case":
            draft.forecast(draft.on(days[0]), "Best Case")
        draft.redate(draft.on(days[1]), quarter.end + 20)
        reason = "not in Commit or Best Case when the last days began"
    finish(draft)
    return Planted((), reason)


def a_day_late(draft: Draft) -> Planted:
    """The close date passes and is moved on the next day."""
    rng, quarter = draft.rng, draft.quarter
    days = range(quarter.start + 20, quarter.window - 30)
    date = rng.choice([day for day in days if is_workday(day) and is_workday(day + 1)])
    draft.mature(date - rng.randrange(20, 30), NEGOTIATION, date, category="Best Case")
    draft.redate(draft.on(date + 1), date + 15)
    draft.lose(draft.on(date + 12))
    return Planted((), "the close date was a day past when it was moved")


def pull_in_with_progress(draft: Draft) -> Planted:
    """An early deal is pulled in days after it moved on, or a deal in a late stage."""
    rng, quarter = draft.rng, draft.quarter
    late = rng.random() < 0.5
    pulled_on = some_workday(rng, quarter.lock + 7, quarter.end - 8)
    by = pulled_on - (rng.randrange(9, 18) if late else 3)
    draft.mature(by, NEGOTIATION if late else EVALUATION, quarter.end + rng.randrange(10, 30))
    draft.redate(draft.on(pulled_on), quarter.end)
    if late:
        draft.win(draft.on(quarter.last_workday))
        return Planted((), "pulled in in a late stage")
    draft.lose(draft.on(quarter.last_workday))
    return Planted((), "pulled in days after the stage moved on")


def early_downgrade(draft: Draft) -> Planted:
    """Committed for this quarter, and taken back before the commit lock."""
    rng, quarter = draft.rng, draft.quarter
    draft.mature(quarter.lock - rng.randrange(12, 20), NEGOTIATION, quarter.end)
    if rng.random() < 0.5:
        draft.forecast(draft.on(quarter.lock - rng.randrange(3, 6)), "Best Case")
        draft.lose(draft.on(quarter.last_workday))
        return Planted((), "downgraded before the commit lock")
    draft.redate(draft.on(quarter.lock - rng.randrange(3, 6)), quarter.end + 25)
    finish(draft)
    return Planted((), "committed and pushed out before the commit lock")


def reopened_by_mistake(draft: Draft) -> Planted:
    """Closed by mistake and put right within minutes, or reopened by an administrator."""
    rng, quarter = draft.rng, draft.quarter
    draft.mature(quarter.start + rng.randrange(15, 30), PROPOSAL, quarter.end - 20)
    at = draft.on(draft.today + 7)
    draft.lose(at)
    back = {"stage": draft.stages[PROPOSAL], "forecast_category": "Best Case"}
    draft.category = "Best Case"
    if rng.random() < 0.5:
        draft.write(at + rng.randrange(2, 25) * MINUTE, back)
        reason = "closed by mistake, put right by the same person within minutes"
    else:
        draft.write(draft.on(draft.today + 3), back, writer="005Operations", writer_kind="admin")
        reason = "reopened by an administrator, not by a person of the team"
    draft.write(draft.on(draft.today + 5), {"next_step": f"Decision by {format_date(draft.date)}"})
    draft.lose(draft.on(draft.date - AHEAD))
    return Planted((), reason)


NEAR_MISSES: Final[dict[str, Callable[[Draft], Planted]]] = {
    "small raise": small_raise,
    "early raise": early_raise,
    "evening before": evening_before,
    "shallow creep": shallow_creep,
    "small cut": small_cut,
    "two acts": two_acts,
    "short pushes": short_pushes,
    "pushes with progress": pushes_with_progress,
    "push out of pipeline": push_out_of_pipeline,
    "a day late": a_day_late,
    "pull-in with progress": pull_in_with_progress,
    "early downgrade": early_downgrade,
    "reopened by mistake": reopened_by_mistake,
    **promise_stories.NEAR,
    **record_stories.NEAR,
    **date_stories.NEAR,
    **stage_stories.NEAR,
}
"""Stories by what they come close to."""
