"""Stories about what is promised: the forecast category, and the amount that goes with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wellwon.core.units import DAY, HOUR, format_money
from wellwon.simulate.deal import BY_FIELD, UNPRICED, Draft
from wellwon.simulate.label import Planted
from wellwon.simulate.organisation import (
    EVALUATION,
    LEGAL,
    NEGOTIATION,
    PROPOSAL,
    some_workday,
    some_workdays,
)

_COMMIT: Final = "Commit"
_BEST_CASE: Final = "Best Case"


def late_commit(draft: Draft) -> Planted:
    """In the last days a deal that stood still for weeks is suddenly a promise."""
    rng, quarter = draft.rng, draft.quarter
    committed_on, won_on = some_workdays(rng, quarter.window, quarter.end, 2)
    draft.mature(quarter.window - rng.randrange(10, 25), NEGOTIATION, quarter.end, category=_BEST_CASE)
    draft.forecast(draft.on(committed_on), _COMMIT)
    draft.win(draft.on(won_on))
    return Planted(("late-commit",), "first committed in the last days, the stage unchanged for weeks", severity="info")


def quiet_commit(draft: Draft) -> Planted:
    """Committed, and then nobody writes, calls or changes anything; a machine's scores are no sign of life."""
    rng, quarter = draft.rng, draft.quarter
    draft.attended = False
    date = some_workday(rng, quarter.start + 35, quarter.window - 8)
    draft.mature(date - rng.randrange(20, 28), NEGOTIATION, date)
    heard = draft.cursor
    if rng.random() < 0.4:
        scored = {"labels.score": str(rng.randrange(100))}
        draft.write(heard + 6 * DAY, scored, writer="005Scores", writer_kind="integration")
        draft.cursor = heard
    draft.win(draft.on(date - 1))
    return Planted(
        ("quiet-commit",), "committed for this month, and not a word for more than two weeks", severity="warning"
    )


def category_flip_flop(draft: Draft) -> Planted:
    """In the forecast, out, in, out: within a month, and before the commitment binds."""
    rng, quarter = draft.rng, draft.quarter
    moved = some_workdays(rng, quarter.lock - 29, quarter.lock - 3, 4)
    draft.mature(quarter.start + rng.randrange(10, 20), NEGOTIATION, quarter.lock + 8, category=_BEST_CASE)
    for day, category in zip(moved, (_COMMIT, _BEST_CASE, _COMMIT, _BEST_CASE), strict=True):
        draft.forecast(draft.on(day), category)
    draft.win(draft.on(quarter.lock + rng.randrange(3, 8)))
    return Planted(("category-flip-flop",), "committed twice and taken back twice within a month", severity="warning")


def category_stage_mismatch(draft: Draft) -> Planted:
    """Committed while it is still being evaluated, or left out of the forecast though it is nearly done."""
    rng, quarter = draft.rng, draft.quarter
    date = some_workday(rng, quarter.start + 45, quarter.window - 8)
    early = rng.random() < 0.5
    draft.mature(
        date - rng.randrange(25, 33),
        rng.choice((EVALUATION, PROPOSAL)) if early else NEGOTIATION,
        date,
        category=_COMMIT if early else "Omitted",
    )
    draft.advance(draft.on(date - rng.randrange(15, 19)), NEGOTIATION, _COMMIT if early else _BEST_CASE)
    draft.win(draft.on(date - 1))
    reason = "committed before the late stage" if early else "omitted from the forecast in the late stage"
    return Planted(("category-stage-mismatch",), reason, severity="info")


def amount_spike(draft: Draft) -> Planted:
    """In the last days the deal is worth half as much again, and nothing else moved."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(UNPRICED, BY_FIELD)
    raised_on, won_on = some_workdays(rng, quarter.window, quarter.end, 2)
    draft.mature(quarter.window - rng.randrange(10, 25), NEGOTIATION, quarter.end)
    draft.listed = draft.listed * rng.randrange(158, 260) // 100
    draft.price(draft.on(raised_on), draft.discount)
    draft.win(draft.on(won_on))
    return Planted(("amount-spike",), "the amount rose by half or more in the last days", severity="warning")


PLANTED: Final[dict[str, Callable[[Draft], Planted]]] = {
    "late-commit": late_commit,
    "quiet-commit": quiet_commit,
    "category-flip-flop": category_flip_flop,
    "category-stage-mismatch": category_stage_mismatch,
    "amount-spike": amount_spike,
}


# --- close to it ----------------------------------------------------------------------------------------------


def committed_in_time(draft: Draft) -> Planted:
    """First committed on one of the days before the last days; or in them, days after the stage moved on."""
    rng, quarter = draft.rng, draft.quarter
    if rng.random() < 0.5:
        draft.mature(quarter.window - rng.randrange(14, 25), NEGOTIATION, quarter.end, category=_BEST_CASE)
        draft.forecast(draft.on(some_workday(rng, quarter.window - 4, quarter.window - 1)), _COMMIT)
        reason = "first committed in the week before the last days"
    else:
        draft.mature(quarter.window - 12, NEGOTIATION, quarter.end, category=_BEST_CASE)
        draft.advance(draft.on(quarter.window - 3), LEGAL, _BEST_CASE)
        draft.forecast(draft.on(some_workday(rng, quarter.window, quarter.window + 1)), _COMMIT)
        reason = "first committed in the last days, within days of stage progress"
    draft.win(draft.on(quarter.last_workday))
    return Planted((), reason)


def twelve_quiet_days(draft: Draft) -> Planted:
    """Committed, and not a word for twelve or thirteen days."""
    rng, quarter = draft.rng, draft.quarter
    draft.attended = False
    date = some_workday(rng, quarter.start + 35, quarter.window - 8)
    draft.mature(date - 15, NEGOTIATION, date + 1)
    draft.win(draft.cursor + 13 * DAY - rng.randrange(HOUR, DAY))
    return Planted((), "committed, and nothing heard for less than two weeks")


def taken_back_once(draft: Draft) -> Planted:
    """Committed, taken back, committed again: two reversals."""
    rng, quarter = draft.rng, draft.quarter
    moved = some_workdays(rng, quarter.lock - 29, quarter.lock - 3, 3)
    draft.mature(quarter.start + rng.randrange(10, 20), NEGOTIATION, quarter.lock + 8, category=_BEST_CASE)
    for day, category in zip(moved, (_COMMIT, _BEST_CASE, _COMMIT), strict=True):
        draft.forecast(draft.on(day), category)
    draft.win(draft.on(quarter.lock + rng.randrange(3, 8)))
    return Planted((), "committed, taken back and committed again within a month")


def omitted_early(draft: Draft) -> Planted:
    """Left out of the forecast while it is early."""
    rng, quarter = draft.rng, draft.quarter
    draft.mature(quarter.start + rng.randrange(20, 40), PROPOSAL, quarter.end + 30, category="Omitted")
    draft.lose(draft.on(draft.today + rng.randrange(8, 20)))
    return Planted((), "omitted before the late stage")


def grown_a_little(draft: Draft) -> Planted:
    """The amount rises in the last days by less than half."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(UNPRICED, BY_FIELD)
    raised_on, won_on = some_workdays(rng, quarter.window, quarter.end, 2)
    draft.mature(quarter.window - rng.randrange(10, 25), NEGOTIATION, quarter.end)
    draft.listed = draft.listed * rng.randrange(135, 146) // 100
    draft.price(draft.on(raised_on), draft.discount)
    draft.win(draft.on(won_on))
    return Planted((), "the amount rose by less than half in the last days")


NEAR: Final[dict[str, Callable[[Draft], Planted]]] = {
    "committed in time": committed_in_time,
    "twelve quiet days": twelve_quiet_days,
    "taken back once": taken_back_once,
    "omitted early": omitted_early,
    "grown a little": grown_a_little,
}


# --- only alike -----------------------------------------------------------------------------------------------


def with_their_lawyers(draft: Draft) -> Planted:
    """Committed, and for weeks with the buyer's lawyers: quiet as it should be."""
    rng, quarter = draft.rng, draft.quarter
    draft.attended = False
    date = some_workday(rng, quarter.start + 45, quarter.window - 8)
    draft.mature(date - rng.randrange(28, 31), NEGOTIATION, date)
    draft.advance(draft.on(date - rng.randrange(21, 25)), LEGAL)
    draft.win(draft.on(date - 1))
    return Planted((), "no word for weeks while the contract was with the buyer's lawyers")


def talking(draft: Draft) -> Planted:
    """Committed and not changed for weeks, but the mails go back and forth."""
    rng, quarter = draft.rng, draft.quarter
    draft.attended = False
    date = some_workday(rng, quarter.start + 35, quarter.window - 8)
    draft.mature(date - rng.randrange(20, 28), NEGOTIATION, date)
    at = draft.cursor
    while (at := at + rng.randrange(5, 9) * DAY) < draft.cursor + 28 * DAY:
        draft.touch(at)
        draft.touch(at + 20 * HOUR, inbound=True)
    draft.win(draft.on(date - 1))
    return Planted((), "the record stood still, the conversation did not")


def category_by_machine(draft: Draft) -> Planted:
    """A forecasting tool writes its own opinion into the category, every few days another one."""
    rng, quarter = draft.rng, draft.quarter
    draft.mature(quarter.start + rng.randrange(10, 20), NEGOTIATION, quarter.lock + 8, category=_BEST_CASE)
    days = some_workdays(rng, quarter.lock - 29, quarter.lock - 3, 4)
    for day, category in zip(days, (_COMMIT, _BEST_CASE, _COMMIT, _BEST_CASE), strict=True):
        draft.write(draft.on(day), {"forecast_category": category}, writer="005Forecast", writer_kind="integration")
    draft.win(draft.on(quarter.lock + rng.randrange(3, 8)))
    return Planted((), "the category was moved to and fro by an integration, not by a person")


def second_year(draft: Draft) -> Planted:
    """In the last days the customer takes two years: twice the amount, the same amount a year."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(UNPRICED)
    draft.term = 12
    raised_on, won_on = some_workdays(rng, quarter.window, quarter.end, 2)
    draft.mature(quarter.window - rng.randrange(10, 25), NEGOTIATION, quarter.end)
    draft.term = 24
    draft.write(draft.on(raised_on), {"amount": format_money(draft.amount), "term_months": 24})
    draft.win(draft.on(won_on))
    return Planted((), "twice the amount for twice the term")


ALIKE: Final[dict[str, Callable[[Draft], Planted]]] = {
    "with their lawyers": with_their_lawyers,
    "talking": talking,
    "category by machine": category_by_machine,
    "second year": second_year,
}
