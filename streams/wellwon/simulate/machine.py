"""Look-alikes by machine: what the CRM, its administrators, its integrations and its connectors do to honest deals.

Two kinds may speak and take it back at once: what a later record shows to be a bulk edit, or written with the close,
is retracted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wellwon.core.units import HOUR, MINUTE, SECOND, format_date, format_money
from wellwon.simulate import organisation
from wellwon.simulate.deal import BY_FIELD, BY_LIST, UNPRICED, Draft
from wellwon.simulate.healthy import finish
from wellwon.simulate.label import Planted
from wellwon.simulate.organisation import (
    EVALUATION,
    NEGOTIATION,
    some_workday,
)
from wellwon.simulate.save import Save

BULK: Final = 240
"""Deals in an administrator's one save at the quarter's end; most of them are not in the simulated book."""


def early_win(draft: Draft) -> Planted:
    """A deal of the next quarter is won in this one: the CRM pulls its date in and the amount is set with the win."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(UNPRICED)
    draft.mature(quarter.window - rng.randrange(4, 20), NEGOTIATION, quarter.end + rng.randrange(4, 30))
    final = format_money(draft.amount * rng.randrange(80, 89) // 100)
    draft.win(draft.on(some_workday(rng, quarter.window, quarter.end)), amount=final)
    return Planted(
        (), "date and amount were written with the close: the CRM sets the date of a win to today", "unknown"
    )


def closed_in_two_records(draft: Draft) -> Planted:
    """The CRM sets the date of a close by itself, and tells it before the close, in the same transaction."""
    rng, quarter = draft.rng, draft.quarter
    draft.mature(quarter.lock - rng.randrange(2, 20), EVALUATION, quarter.end + rng.randrange(10, 45))
    at, transaction = draft.on(some_workday(rng, quarter.lock + 8, quarter.end)), len(draft.saves)
    draft.redate(at, organisation.calendar().local_day(at), transaction=transaction)
    draft.lose(at).transaction = transaction
    return Planted((), "the date was written with the close, in a record of its own")


def read_again(draft: Draft) -> Planted:
    """Changes were lost on the way; what the re-read finds is known, but not who did it or when."""
    rng, quarter = draft.rng, draft.quarter
    draft.mature(quarter.window - rng.randrange(4, 20), NEGOTIATION, quarter.end - 1)
    at, draft.date = draft.on(some_workday(rng, quarter.window, quarter.end - 1)), quarter.end + 20
    draft.write(at, {}, kind="gap", writer_kind="system")
    found = {
        "stage": draft.stages[draft.stage],
        "close_date": format_date(draft.date),
        "forecast_category": "Best Case",
    }
    draft.write(at + 3 * MINUTE, found, kind="snapshot", writer_kind="system")
    draft.category = "Best Case"
    finish(draft)
    return Planted((), "found by reading the deal again after a gap: state, not behaviour")


def last_evening_win(draft: Draft) -> Planted:
    """Won on the last evening of the quarter: in UTC it is the next quarter already."""
    rng, quarter = draft.rng, draft.quarter
    draft.mature(quarter.window - rng.randrange(4, 20), NEGOTIATION, quarter.end + 2)
    evening = organisation.calendar().midnight(quarter.end) + 21 * HOUR + rng.randrange(3600) * SECOND
    draft.win(max(evening, draft.cursor + HOUR))
    reading = "unknown" if draft.style == UNPRICED else "earned"
    return Planted(
        (), "won on the last evening: the date that the CRM wrote is the next quarter's first, in UTC", reading
    )


def bulk_edit(draft: Draft) -> Planted:
    """Operations moves everything that will not make it, in one save."""
    rng, quarter = draft.rng, draft.quarter
    committed = rng.random() < 0.5
    category = "Commit" if committed else "Best Case"
    draft.mature(quarter.window - rng.randrange(4, 20), NEGOTIATION, quarter.end - 1, category=category)
    at = organisation.calendar().midnight(quarter.last_workday) + 8 * HOUR
    draft.redate(max(at, draft.cursor), quarter.end + 31, writer="005Operations",
                 writer_kind=rng.choice(("user", "admin")), bulk=BULK)  # fmt: skip
    finish(draft)
    return Planted((), f"the date moved over the boundary in an edit of {BULK} deals at once: no seller's act")


def bulk_edit_found_later(draft: Draft) -> Planted:
    """The same by a macro, save by save; only after a while is it known to be a bulk edit."""
    rng, quarter = draft.rng, draft.quarter
    draft.mature(quarter.window - rng.randrange(4, 20), NEGOTIATION, quarter.end - 1, category="Best Case")
    at = organisation.calendar().midnight(quarter.last_workday) + 7 * HOUR + rng.randrange(40) * SECOND
    at = max(at, draft.cursor + HOUR)
    draft.redate(at, quarter.end + 31, writer="005Operations")
    moved = len(draft.saves) - 1
    draft.saves.append(
        Save(at + 20 * SECOND, "reclassified", {}, "", "system", transaction=moved + 1, changes=(moved,))
    )
    finish(draft)
    return Planted((), "the move turned out to be part of a bulk edit and was taken back")


def default_date(draft: Draft) -> Planted:
    """Created with the date that the CRM puts in by itself; its first change is the first real date."""
    rng, quarter = draft.rng, draft.quarter
    by = quarter.start + rng.randrange(25, 45)
    draft.mature(by, EVALUATION, quarter.end + rng.randrange(15, 45), first_date=quarter.start + 30,
                 created=quarter.start - rng.randrange(1, 12))  # fmt: skip
    finish(draft)
    return Planted((), "the first change of the date that the deal was created with: no push, however long")


def integration(draft: Draft) -> Planted:
    """The billing system writes back its own price, or its own date."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(BY_FIELD, BY_LIST)
    draft.mature(quarter.window - rng.randrange(4, 20), NEGOTIATION, quarter.end, category="Best Case")
    at = draft.on(some_workday(rng, quarter.window, quarter.end - 2))
    if rng.random() < 0.5:
        draft.discount += 900
        values = {"amount": format_money(draft.amount)}
        if draft.style == BY_FIELD:
            values["discount_percent"] = str(draft.discount / 100)
        draft.write(at, values, writer="005Billing", writer_kind="integration")
        draft.win(draft.on(quarter.last_workday))
        return Planted((), "the discount was written by an integration, not by a person")
    draft.redate(at, quarter.end + 20, writer="005Billing", writer_kind="integration")
    finish(draft)
    return Planted((), "the date was moved by an integration, not by a person")


def duplicate(draft: Draft) -> Planted:
    """A connector delivers a push twice, with another save between: counted twice, it would be two pushes."""
    rng, quarter = draft.rng, draft.quarter
    draft.mature(quarter.start + rng.randrange(10, 30), EVALUATION, quarter.end - 20)
    first, at = draft.date, draft.on(draft.today + 8)
    draft.redate(at, first + 40).deliveries = (0, 8 * MINUTE)
    draft.redate(at + 5 * MINUTE, first + 39)
    finish(draft)
    return Planted((), "the same change delivered twice: once applied, one push")


def out_of_order(draft: Draft) -> Planted:
    """Two saves arrive in the wrong order; taken as they come, the date would stand at one that is soon past."""
    rng, quarter = draft.rng, draft.quarter
    draft.mature(quarter.start + rng.randrange(10, 25), EVALUATION, quarter.end - 30)
    at = draft.on(draft.today + 8)
    soon = draft.today + 3
    draft.redate(at, soon).deliveries = (7 * MINUTE,)
    draft.redate(at + 3 * MINUTE, soon + 30)
    draft.lose(draft.on(soon + rng.randrange(8, 15)))
    return Planted((), "two saves delivered in the wrong order within the lateness: the later save stands")


BY_MACHINE: Final[dict[str, Callable[[Draft], Planted]]] = {
    "bulk edit": bulk_edit,
    "early win": early_win,
    "closed in two records": closed_in_two_records,
    "read again": read_again,
    "integration": integration,
    "default date": default_date,
    "last evening win": last_evening_win,
    "duplicate": duplicate,
    "out of order": out_of_order,
    "bulk edit found later": bulk_edit_found_later,
}
