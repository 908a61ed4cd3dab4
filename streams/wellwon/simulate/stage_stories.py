"""Stories about stages, silence and wins that come undone: planted, close to it, and only alike."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wellwon.core.units import DAY, MINUTE, SECOND, format_date, format_money
from wellwon.simulate.deal import UNPRICED, Draft
from wellwon.simulate.label import Planted
from wellwon.simulate.organisation import (
    DISCOVERY,
    EVALUATION,
    LEGAL,
    NEGOTIATION,
    PROPOSAL,
    QUALIFICATION,
    calendar,
    some_workday,
)


def stage_regression(draft: Draft) -> Planted:
    """Something was taken for done that is not."""
    rng, quarter = draft.rng, draft.quarter
    late = rng.random() < 0.5
    by = quarter.start + rng.randrange(8, 25)
    draft.mature(by, NEGOTIATION if late else PROPOSAL, quarter.end + 20, category="Best Case")
    draft.advance(draft.on(by + rng.randrange(5, 20)), rng.choice((DISCOVERY, EVALUATION)))
    draft.lose(draft.on(draft.today + rng.randrange(8, 30)))
    reason = f"moved back from {'a late stage' if late else 'the proposal'}"
    return Planted(("stage-regression",), reason, severity="warning" if late else "info")


def stage_stall(draft: Draft) -> Planted:
    """Nothing moves, for two months or for three."""
    rng, quarter = draft.rng, draft.quarter
    long = rng.random() < 0.3
    by = quarter.start - 40 if long else quarter.start + rng.randrange(2, 8)
    draft.mature(by, rng.choice((DISCOVERY, EVALUATION)), quarter.end + rng.randrange(25, 50))
    draft.lose(draft.on(by + (rng.randrange(96, 110) if long else rng.randrange(52, 75))))
    reason = f"{'three' if long else 'two'} months in one stage"
    return Planted(("stage-stall",), reason, severity="warning" if long else "info")


def stage_skip(draft: Draft) -> Planted:
    """From discovery to the negotiation in one save, in the middle of the quarter or in its last days."""
    rng, quarter = draft.rng, draft.quarter
    at_the_end = rng.random() < 0.5
    day = some_workday(rng, *(quarter.window, quarter.end) if at_the_end else (quarter.start + 15, quarter.window - 5))
    draft.mature(day - rng.randrange(8, 25), DISCOVERY, quarter.end + rng.randrange(25, 50))
    draft.advance(draft.on(day), rng.choice((PROPOSAL, NEGOTIATION)), "Best Case")
    draft.lose(draft.on(day + rng.randrange(5, 25)))
    severity = "warning" if at_the_end else "info"
    return Planted(("stage-skip",), "two stages or three at once", severity=severity)


def won_reversed(draft: Draft) -> Planted:
    """Won, and weeks later open again, lost, or worth less."""
    rng, quarter = draft.rng, draft.quarter
    story = rng.choice(("reopened", "lost", "cut"))
    draft.priced_by(UNPRICED)
    won_on = quarter.start + rng.randrange(12, 30)
    draft.mature(won_on - rng.randrange(5, 12), NEGOTIATION, won_on + 2)
    draft.win(draft.on(won_on))
    at = draft.on(won_on + rng.randrange(6, 40))
    expected: tuple[str, ...] = ("won-reversed",)
    if story == "cut":
        draft.write(at, {"amount": format_money(draft.amount * rng.randrange(70, 88) // 100)})
    elif story == "lost":
        draft.lose(at)
    else:
        draft.date = calendar().local_day(at) + 40
        draft.advance(at, NEGOTIATION, "Best Case", close_date=format_date(draft.date))
        draft.lose(draft.on(draft.today + rng.randrange(3, 10)))
        expected = ("won-reversed", "reopened-deal")
    return Planted(expected, f"won, then {story} within weeks", severity="high")


def unanswered_touches(draft: Draft) -> Planted:
    """Mail after mail in the last days, and no answer."""
    rng, quarter = draft.rng, draft.quarter
    many = rng.random() < 0.3
    mails = rng.randrange(11, 14) if many else rng.randrange(5, 9)
    _written_to(draft, mails)
    draft.lose(draft.on(quarter.end + 1))
    reason = f"{mails} mails within a week of the last days, and no answer"
    return Planted(("unanswered-touches",), reason, severity="high" if many else "warning")


def _written_to(draft: Draft, mails: int, *, answer_after: int = 0, reach: int = NEGOTIATION) -> None:
    """A conversation in summer, then mails on the last days of the quarter; ``answer_after`` so many an answer."""
    rng, quarter = draft.rng, draft.quarter
    by, date = quarter.window - rng.randrange(6, 20), quarter.end + rng.randrange(20, 40)
    draft.mature(by, reach, date, category="Best Case")
    draft.touch(draft.saves[0].at + DAY, inbound=True)
    first = calendar().midnight(some_workday(rng, quarter.window + 1, quarter.end - 6))
    step = 6 * DAY // mails
    for mail in range(1, mails + 1):
        draft.touch(first + mail * step - rng.randrange(60) * MINUTE)
        if mail == answer_after:
            draft.touch(first + mail * step + MINUTE, inbound=True)


PLANTED: Final[dict[str, Callable[[Draft], Planted]]] = {
    "stage-regression": stage_regression,
    "stage-stall": stage_stall,
    "stage-skip": stage_skip,
    "won-reversed": won_reversed,
    "unanswered-touches": unanswered_touches,
}


# --- close to it ----------------------------------------------------------------------------------------------


def six_weeks(draft: Draft) -> Planted:
    """Six weeks in a stage, then on."""
    rng, quarter = draft.rng, draft.quarter
    by = quarter.start + rng.randrange(2, 10)
    draft.mature(by, EVALUATION, quarter.end + rng.randrange(25, 50))
    draft.advance(draft.on(by + rng.randrange(39, 43)), PROPOSAL)
    draft.lose(draft.on(draft.today + rng.randrange(8, 20)))
    return Planted((), "six weeks in one stage, then it moved on")


def stage_by_stage(draft: Draft) -> Planted:
    """Every stage in turn, some of them within days."""
    rng, quarter = draft.rng, draft.quarter
    start = quarter.start + rng.randrange(2, 20)
    draft.create(start, quarter.end + rng.randrange(20, 50))
    for stage in (DISCOVERY, EVALUATION, PROPOSAL, NEGOTIATION):
        draft.advance(draft.on(draft.today + rng.randrange(2, 12)), stage, "Pipeline", priced=stage == PROPOSAL)
    draft.lose(draft.on(draft.today + rng.randrange(4, 16)))
    return Planted((), "one stage after the other")


def smaller_invoice(draft: Draft) -> Planted:
    """The amount of a win is put right by less than a tenth."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(UNPRICED)
    won_on = quarter.start + rng.randrange(12, 40)
    draft.mature(won_on - rng.randrange(5, 12), NEGOTIATION, won_on + 2)
    draft.win(draft.on(won_on))
    draft.write(draft.on(won_on + rng.randrange(4, 30)), {"amount": format_money(draft.amount * 92 // 100)})
    return Planted((), "the amount of the win fell by 8 %")


def four_mails(draft: Draft) -> Planted:
    """Four mails without an answer, or eight of which one is answered."""
    if draft.rng.random() < 0.5:
        _written_to(draft, 4)
        reason = "four mails in the last days"
    else:
        _written_to(draft, 8, answer_after=4)
        reason = "eight mails in the last days, and an answer after the fourth"
    draft.lose(draft.on(draft.quarter.end + 1))
    return Planted((), reason)


NEAR: Final[dict[str, Callable[[Draft], Planted]]] = {
    "six weeks": six_weeks,
    "stage by stage": stage_by_stage,
    "smaller invoice": smaller_invoice,
    "four mails": four_mails,
}


# --- only alike -----------------------------------------------------------------------------------------------


def wrong_stage(draft: Draft) -> Planted:
    """A slip of the hand: the wrong stage, put right within minutes."""
    rng, quarter = draft.rng, draft.quarter
    by = quarter.start + rng.randrange(12, 40)
    draft.mature(by, PROPOSAL, quarter.end + 30, category="Pipeline")
    at = draft.on(by + rng.randrange(5, 15))
    draft.write(at, {"stage": draft.stages[rng.choice((QUALIFICATION, DISCOVERY))]})
    draft.write(at + rng.randrange(60, 900) * SECOND, {"stage": draft.stages[PROPOSAL]})
    draft.lose(draft.on(draft.today + rng.randrange(5, 20)))
    return Planted((), "the wrong stage, corrected by the same person within minutes")


def stage_by_machine(draft: Draft) -> Planted:
    """The CRM of a partner writes back its own, earlier stage."""
    rng, quarter = draft.rng, draft.quarter
    by = quarter.start + rng.randrange(12, 40)
    draft.mature(by, PROPOSAL, quarter.end + 30)
    at = draft.on(by + rng.randrange(5, 15))
    draft.write(at, {"stage": draft.stages[EVALUATION]}, writer="005Partner", writer_kind="integration")
    draft.lose(draft.on(draft.today + rng.randrange(5, 20)))
    return Planted((), "moved back by an integration, not by a person")


def long_legal_review(draft: Draft) -> Planted:
    """Two months with the buyer's lawyers; the stage says so, or somebody does."""
    rng, quarter = draft.rng, draft.quarter
    by, told = quarter.start + rng.randrange(2, 8), rng.random() < 0.5
    draft.mature(by, PROPOSAL if told else LEGAL, quarter.end + 30, category="Best Case")
    if told:
        draft.answer(draft.on(by + rng.randrange(30, 40)), "legal")
    draft.lose(draft.on(by + rng.randrange(55, 75)))
    return Planted((), "two months in one stage while the buyer's lawyers worked")


def credit_note(draft: Draft) -> Planted:
    """Billing writes back what it invoiced, much less than was won."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(UNPRICED)
    won_on = quarter.start + rng.randrange(12, 40)
    draft.mature(won_on - rng.randrange(5, 12), NEGOTIATION, won_on + 2)
    draft.win(draft.on(won_on))
    invoiced = {"amount": format_money(draft.amount * rng.randrange(60, 85) // 100)}
    draft.write(draft.on(won_on + rng.randrange(4, 30)), invoiced, writer="005Billing", writer_kind="integration")
    return Planted((), "the amount was written by the billing system after the win")


def silence_of_the_lawyers(draft: Draft) -> Planted:
    """Mails in the last days while the contract is with the buyer's lawyers."""
    _written_to(draft, 7, reach=LEGAL)
    draft.lose(draft.on(draft.quarter.end + 1))
    return Planted((), "seven mails without an answer while the deal was with the buyer's lawyers")


ALIKE: Final[dict[str, Callable[[Draft], Planted]]] = {
    "wrong stage": wrong_stage,
    "stage by machine": stage_by_machine,
    "long legal review": long_legal_review,
    "credit note": credit_note,
    "silence of the lawyers": silence_of_the_lawyers,
}
