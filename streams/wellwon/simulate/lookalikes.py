"""Honest deals that look like pressured ones to a check that is careless: each must stay silent, and says why.

Here are those of people, and the list of them all. Slips of the hand may be flagged at once, and are retracted when
they are put right.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wellwon.core.units import DAY, MINUTE, SECOND, format_date, format_money
from wellwon.simulate import date_stories, promise_stories, record_stories, stage_stories
from wellwon.simulate.deal import BY_FIELD, BY_LIST, PRICED, UNPRICED, Draft, later
from wellwon.simulate.label import Planted
from wellwon.simulate.machine import BY_MACHINE
from wellwon.simulate.organisation import (
    CATEGORY_OF,
    EVALUATION,
    LEGAL,
    NEGOTIATION,
    PROPOSAL,
    RENEWAL_STAGES,
    RENEWALS,
    some_workday,
    some_workdays,
)


def other_currency(draft: Draft) -> Planted:
    """The deal turns out to be in another currency: a smaller figure, the same price."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(UNPRICED, BY_FIELD)
    draft.mature(quarter.window - rng.randrange(4, 20), NEGOTIATION, quarter.end)
    amount = format_money(draft.amount * 80 // 100)
    draft.write(draft.on(some_workday(rng, quarter.window, quarter.end - 1)), {"currency": "GBP", "amount": amount})
    draft.win(draft.on(quarter.last_workday))
    return Planted((), "amounts in two currencies do not compare")


def wrong_year(draft: Draft) -> Planted:
    """A slip of the hand, put right within minutes."""
    rng, quarter = draft.rng, draft.quarter
    draft.mature(quarter.window - rng.randrange(4, 20), NEGOTIATION, quarter.end)
    right, at = draft.date, draft.on(some_workday(rng, quarter.window, quarter.end - 2))
    draft.redate(at, right + 365)
    draft.redate(at + rng.randrange(60, 600) * SECOND, right)
    draft.win(draft.on(quarter.last_workday))
    reading = "unknown" if draft.style == UNPRICED else "earned"
    return Planted((), "the wrong year, corrected by the same person within minutes", reading)


def wrong_discount(draft: Draft) -> Planted:
    """A wrong discount, put right within minutes."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(BY_FIELD, BY_LIST)
    raised_on, won_on = some_workdays(rng, quarter.window + 1, quarter.end, 2)
    draft.mature(quarter.window - rng.randrange(4, 15), NEGOTIATION, quarter.end)
    right, at = draft.discount, draft.on(raised_on)
    draft.price(at, right + 2_000)
    draft.price(at + rng.randrange(60, 900) * SECOND, right)
    draft.win(draft.on(won_on))
    return Planted((), "a mistyped discount, corrected by the same person within minutes", "earned")


def buyers_date(draft: Draft) -> Planted:
    """The buyer gave a date in the next quarter; it is set, in the last days, on a committed deal."""
    rng, quarter = draft.rng, draft.quarter
    draft.mature(quarter.lock - rng.randrange(3, 15), NEGOTIATION, quarter.end - rng.randrange(2))
    date = quarter.end + rng.randrange(8, 30)
    at = draft.on(some_workday(rng, quarter.window, quarter.end - 2))
    draft.date = date
    draft.write(at, {"close_date": format_date(date), "buyer_confirmed_date": format_date(date)})
    draft.win(draft.on(date - 1))
    return Planted((), "the buyer gave this date: a move to it is no push, even into the next quarter")


def traded(draft: Draft) -> Planted:
    """A lower price for a prepayment, beside two other acts in the last days: one short of pressure."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(BY_FIELD)
    days = some_workdays(rng, quarter.window + 1, quarter.end, 4)
    draft.mature(quarter.window - rng.randrange(12, 25), NEGOTIATION, quarter.end + rng.randrange(6, 26))
    draft.redate(draft.on(days[0]), quarter.end - 1)
    draft.price(draft.on(days[1]), draft.discount + 400, prepaid_months=12)
    draft.redate(draft.on(days[2]), quarter.end)
    draft.win(draft.on(days[3]))
    return Planted((), "the discount was given for a prepayment of 12 months in the same save: traded, no concession")


def answered(draft: Draft) -> Planted:
    """Many mails in the last days, and the buyer answers: a conversation, beside two other acts."""
    rng, quarter = draft.rng, draft.quarter
    days = some_workdays(rng, quarter.window + 1, quarter.end, 4)
    draft.mature(quarter.window - rng.randrange(12, 25), NEGOTIATION, quarter.end + rng.randrange(6, 26))
    draft.redate(draft.on(days[0]), quarter.end - 1)
    at = draft.on(days[1])
    for mail in range(7):
        draft.touch(at + mail * 20 * MINUTE, inbound=mail == 3)
    draft.redate(draft.on(days[2]), quarter.end)
    draft.win(draft.on(days[3]))
    return Planted((), "seven mails in one day, one of them the buyer's answer: no burst, so one act short")


def longer_term(draft: Draft) -> Planted:
    """A cheaper year for a second one: the concession was traded, and the cut is none, year by year."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(BY_FIELD)
    draft.term = 12
    traded_on, won_on = some_workdays(rng, quarter.window + 1, quarter.end, 2)
    draft.mature(quarter.window - rng.randrange(5, 20), NEGOTIATION, quarter.end)
    draft.term = 24
    draft.price(draft.on(traded_on), draft.discount + 450, term_months=24)
    draft.win(draft.on(won_on))
    return Planted((), "the discount was given for a second year in the same save: traded", "earned")


def one_honest_save(draft: Draft) -> Planted:
    """After the decisive meeting everything is written down at once."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(BY_FIELD, BY_LIST)
    draft.mature(quarter.window - rng.randrange(10, 25), EVALUATION, quarter.end + rng.randrange(5, 20))
    at = draft.on(some_workday(rng, quarter.window, quarter.last_week))
    draft.date, draft.category = quarter.end, "Commit"
    draft.price(at, draft.discount + 350, stage=draft.stages[NEGOTIATION], forecast_category="Commit",
                close_date=format_date(quarter.end), next_step="Decided; contract out for signature")  # fmt: skip
    draft.win(draft.on(quarter.last_workday))
    return Planted((), "stage, forecast, date and price in one save after progress: one act, however much it changes")


def first_day_pricing(draft: Draft) -> Planted:
    """The first quote is refined on the same day, in the last days of the quarter."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(*PRICED)
    priced_on, won_on = some_workdays(rng, quarter.window, quarter.end, 3)[::2]
    draft.mature(quarter.window - rng.randrange(3, 12), NEGOTIATION, quarter.end, priced=False)
    draft.advance(draft.on(priced_on), LEGAL, priced=True)
    draft.price(later(rng, draft.cursor, 2, 4), draft.discount + 600)
    draft.win(draft.on(won_on))
    return Planted(
        (), "first priced that day: the discount that stands a day later is the baseline, not the first draft"
    )


def legal_review(draft: Draft) -> Planted:
    """The buyer's lawyers take their time; the date follows them within the quarter."""
    rng, quarter = draft.rng, draft.quarter
    draft.mature(quarter.start + rng.randrange(8, 16), LEGAL, quarter.start + 30, category="Best Case")
    draft.redate(draft.on(draft.today + 8), quarter.start + 52)
    draft.redate(draft.on(draft.today + 14), quarter.start + 66)
    draft.win(draft.on(quarter.start + rng.randrange(58, 66)))
    return Planted((), "pushed within the quarter while the deal was with the buyer's lawyers")


def renewal(draft: Draft) -> Planted:
    """A renewal is re-priced in the last days: other rules hold for renewals."""
    rng, quarter = draft.rng, draft.quarter
    draft.pipeline, draft.deal_type, draft.stages = RENEWALS, "renewal", RENEWAL_STAGES
    draft.priced_by(BY_FIELD, BY_LIST)
    draft.discount = 1_000
    raised_on, won_on = some_workdays(rng, quarter.window + 1, quarter.end, 2)
    draft.create(quarter.window - rng.randrange(30, 60), quarter.end)
    draft.advance(draft.on(quarter.window - rng.randrange(5, 25)), 1, CATEGORY_OF[PROPOSAL], priced=True)
    draft.price(draft.on(raised_on), 1_550)
    draft.win(draft.on(won_on))
    return Planted((), "a renewal: price patterns of new business do not run for it")


def won_well(draft: Draft) -> Planted:
    """The buyer names the day early, the price stands, and the day is kept."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(*PRICED)
    day = some_workday(rng, quarter.last_week, quarter.end)
    draft.mature(day - rng.randrange(28, 38), PROPOSAL, day)
    draft.touch(draft.cursor + DAY, inbound=True)
    draft.advance(draft.on(day - rng.randrange(17, 22)), NEGOTIATION, buyer_confirmed_date=format_date(day))
    draft.touch(draft.cursor + 6 * DAY)
    draft.touch(draft.cursor + 9 * DAY, inbound=True)
    draft.win(draft.on(day))
    return Planted((), "won on the buyer's own date, at the price first agreed, in the busiest week", "earned")


LOOKALIKES: Final[dict[str, Callable[[Draft], Planted]]] = {
    "buyer's date": buyers_date,
    "other currency": other_currency,
    "traded": traded,
    "one honest save": one_honest_save,
    "won well": won_well,
    "wrong discount": wrong_discount,
    "wrong year": wrong_year,
    "longer term": longer_term,
    "answered": answered,
    "first day pricing": first_day_pricing,
    "legal review": legal_review,
    "renewal": renewal,
    **BY_MACHINE,
    **promise_stories.ALIKE,
    **record_stories.ALIKE,
    **date_stories.ALIKE,
    **stage_stories.ALIKE,
}
"""Stories by what they look like, and are not."""
