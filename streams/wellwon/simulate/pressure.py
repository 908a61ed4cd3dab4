"""Pressured deals: each pattern planted on purpose, alone where that is possible, so that its label is the truth.

Every story keeps clear of the other patterns' thresholds; where the catalogue makes two patterns hold at once (a
committed deal pushed out in the window is a commit-slip and a period-end-push), both are expected.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wellwon.core.units import DAY, HOUR, MINUTE, format_date
from wellwon.simulate import date_stories, promise_stories, record_stories, stage_stories
from wellwon.simulate.deal import BY_FIELD, BY_LIST, PRICED, UNPRICED, Draft
from wellwon.simulate.healthy import finish
from wellwon.simulate.label import Planted
from wellwon.simulate.organisation import (
    DISCOVERY,
    EVALUATION,
    NEGOTIATION,
    PROPOSAL,
    calendar,
    some_workday,
    some_workdays,
)


def late_discount(draft: Draft) -> Planted:
    """In the window, on a deal dated in this quarter, the price gives way at once; often with the win itself."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(*PRICED)
    raised_on, won_on = some_workdays(rng, quarter.window + 1, quarter.end, 2)
    draft.mature(quarter.window - rng.randrange(3, 15), NEGOTIATION, quarter.end)
    discount = draft.discount + rng.randrange(550, 1700, 50)
    severity = _severity_of_raise(discount - draft.discount, discount)
    if rng.random() < 0.3:
        evening = calendar().midnight(quarter.end) + 21 * HOUR
        draft.win(evening if rng.random() < 0.4 else draft.on(won_on), discount=discount)
        reason = "the discount was raised with the win, in the last days or on the last evening"
        return Planted(("late-discount",), reason, "pressured", severity=severity)
    draft.price(draft.on(raised_on), discount, lines_last=rng.random() < 0.5)
    draft.win(draft.on(won_on))
    reason = "the discount was raised at once in the last days, nothing in return"
    return Planted(("late-discount",), reason, "pressured", severity=severity)


def _severity_of_raise(points: int, discount: int) -> str | None:
    """Without a norm; a small raise to a high discount could be read both ways."""
    if points < 1_000:
        return "info" if discount < 3_000 else None
    return "high" if points >= 1_500 or discount >= 3_000 else "warning"


def discount_creep(draft: Draft) -> Planted:
    """Three or four small steps down within a month, each too small to notice."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(*PRICED)
    steps = rng.choice((3, 4))
    days = some_workdays(rng, quarter.window - 18, quarter.last_week, steps + 1)
    draft.mature(quarter.window - rng.randrange(22, 30), NEGOTIATION, quarter.end)
    for day in days[:steps]:
        draft.price(draft.on(day), draft.discount + rng.randrange(360, 460, 10))
    draft.win(draft.on(days[steps]))
    reason = f"{steps} raises within a month, together more than 10 points"
    return Planted(("discount-creep",), reason, "mixed", severity="warning")


def amount_cut_before_close(draft: Draft) -> Planted:
    """The amount falls by a tenth or more shortly before the close, in the middle of the quarter or at its end."""
    rng, quarter = draft.rng, draft.quarter
    cut = rng.choice((12, 14, 16, 18, 20, 22, 27, 30))
    severity = "high" if cut > 25 else "warning"
    if rng.random() < 0.5:
        # The discount is not known, so inside the window it is the amount alone that tells.
        draft.priced_by(UNPRICED)
        cut_on, won_on = some_workdays(rng, quarter.window + 1, quarter.end, 2)
        draft.mature(quarter.window - rng.randrange(5, 20), NEGOTIATION, quarter.end)
        draft.listed = draft.listed * (100 - cut) // 100
        draft.price(draft.on(cut_on), draft.discount)
        draft.win(draft.on(won_on))
        reason = f"the amount fell by {cut} % in the last days"
        return Planted(("amount-cut-before-close",), reason, "unknown", severity=severity)
    draft.priced_by(BY_FIELD, BY_LIST)
    date = some_workday(rng, quarter.start + 40, quarter.window - 6)
    draft.mature(date - rng.randrange(16, 26), NEGOTIATION, date)
    draft.price(draft.on(date - rng.randrange(4, 10)), draft.discount + (10_000 - draft.discount) * cut // 100)
    draft.win(draft.on(date - 1))
    reason = f"the price fell by {cut} % within two weeks of the close date, in the middle of the quarter"
    return Planted(("amount-cut-before-close",), reason, "mixed", severity=severity)


def push_to_close(draft: Draft) -> Planted:
    """Acts of several kinds pile up in the last days."""
    rng, quarter = draft.rng, draft.quarter
    draft.priced_by(*PRICED)
    days = some_workdays(rng, quarter.window + 1, quarter.end, 4)
    concession = rng.randrange(350, 450, 50)
    story, beside = rng.choice(("pulled in", "committed", "jumped")), tuple[str, ...]()
    if story == "pulled in":
        draft.mature(quarter.window - rng.randrange(12, 25), NEGOTIATION, quarter.end + rng.randrange(6, 26))
        draft.redate(draft.on(days[0]), quarter.end - 1)
        draft.price(draft.on(days[1]), draft.discount + concession)
        draft.touch(draft.saves[0].at + 5 * DAY, inbound=True)
        at = draft.on(days[2])
        for mail in range(5):
            draft.touch(at + mail * 20 * MINUTE)
        draft.redate(at + 2 * HOUR, quarter.end)
        beside = ("unanswered-touches",)
        reason = "pulled in, cheaper, five mails without an answer, re-dated, all in the last days"
    elif story == "committed":
        draft.mature(quarter.window - rng.randrange(12, 25), NEGOTIATION, quarter.end - 1, category="Best Case")
        draft.forecast(draft.on(days[0]), "Commit")
        draft.price(draft.on(days[1]), draft.discount + concession)
        draft.redate(draft.on(days[2]), quarter.end)
        beside = ("late-commit",)
        reason = "committed without progress, cheaper, re-dated, all in the last days"
    else:
        draft.mature(quarter.window - rng.randrange(12, 25), EVALUATION, quarter.end - 2)
        draft.advance(draft.on(days[0]), NEGOTIATION, "Best Case")
        draft.redate(draft.on(days[1]), quarter.end)
        draft.price(draft.on(days[2]), draft.discount + concession)
        reason = "two stages at once, re-dated, cheaper, all in the last days"
    draft.win(draft.on(days[3]))
    return Planted(("push-to-close", *beside), reason, "pressured", severity="warning")


def close_date_push(draft: Draft) -> Planted:
    """The date goes out again and again while the stage stands still."""
    rng, quarter = draft.rng, draft.quarter
    story = rng.choice(("over the end", "long", "within"))
    stage = rng.choice((EVALUATION, PROPOSAL))
    if story == "long":
        draft.mature(quarter.start + rng.randrange(5, 25), stage, quarter.end - 25)
        draft.redate(draft.on(draft.today + 6), draft.date + rng.randrange(62, 90))
        finish(draft)
        return Planted(("close-date-push",), "one push of more than 60 days without progress", severity="warning")
    if story == "over the end":
        draft.mature(quarter.start + rng.randrange(5, 20), stage, quarter.end - 30)
        draft.redate(draft.on(draft.today + 8), draft.date + rng.randrange(8, 20))
        draft.redate(draft.on(draft.today + 9), quarter.end + rng.randrange(16, 36))
        finish(draft)
        reason = "two pushes without progress, the second over the end of the quarter"
        return Planted(("close-date-push",), reason, severity="warning")
    draft.mature(quarter.start + rng.randrange(2, 9), stage, quarter.start + 35)
    draft.redate(draft.on(draft.today + 7), draft.date + rng.randrange(22, 28))
    draft.redate(draft.on(draft.today + 9), draft.date + 10)
    draft.redate(draft.on(draft.today + 8), draft.date + 8)
    draft.lose(draft.on(draft.date - 1))
    return Planted(("close-date-push",), "three pushes within the quarter without progress", severity="high")


def period_end_push(draft: Draft) -> Planted:
    """In the forecast when the window began, pushed over the boundary inside it."""
    rng, quarter = draft.rng, draft.quarter
    committed = rng.random() < 0.4
    by = quarter.window - rng.randrange(4, 18)
    pushed_on = some_workday(rng, quarter.window, quarter.end)
    draft.mature(
        by,
        NEGOTIATION if committed else PROPOSAL,
        max(pushed_on, quarter.end - 3),
        category="Commit" if committed else "Best Case",
    )
    draft.redate(draft.on(pushed_on), quarter.end + rng.randrange(12, 40))
    finish(draft)
    if committed:
        reason = "committed, then pushed into the next quarter in its last days"
        return Planted(("commit-slip", "period-end-push"), reason, severity="warning")
    reason = "forecast in Best Case, then pushed into the next quarter in its last days"
    return Planted(("period-end-push",), reason, severity="warning")


def past_due_close_date(draft: Draft) -> Planted:
    """The date passes and nobody says so."""
    rng, quarter = draft.rng, draft.quarter
    date = some_workday(rng, quarter.start + 15, quarter.window - 30)
    draft.mature(date - rng.randrange(9, 20), rng.choice((DISCOVERY, EVALUATION, PROPOSAL)), date)
    noticed = date + rng.randrange(5, 19)
    if rng.random() < 0.5:
        draft.lose(draft.on(noticed))
        severity = "warning" if draft.today - date > 14 else "info"
        reason = "the close date passed days before the deal was closed as lost"
        return Planted(("past-due-close-date",), reason, severity=severity)
    draft.redate(draft.on(noticed), noticed + rng.randrange(8, 13))
    severity = "warning" if draft.today - date > 14 else "info"
    draft.lose(draft.on(some_workday(rng, draft.today + 2, draft.date)))
    return Planted(("past-due-close-date",), "the close date passed days before it was moved", severity=severity)


def pull_in_without_progress(draft: Draft) -> Planted:
    """An early deal of the next quarter is dated into this one, and nothing else happens."""
    rng, quarter = draft.rng, draft.quarter
    draft.mature(
        quarter.lock - rng.randrange(2, 20), rng.choice((DISCOVERY, EVALUATION)), quarter.end + rng.randrange(10, 45)
    )
    back = draft.date
    draft.redate(draft.on(some_workday(rng, quarter.lock + 7, quarter.end - 4)), quarter.end)
    if rng.random() < 0.5:
        draft.lose(draft.on(quarter.last_workday))
    else:
        draft.redate(draft.on(quarter.last_workday), back)
        finish(draft)
    reason = "an early deal pulled in from the next quarter, its stage unchanged"
    return Planted(("pull-in-without-progress",), reason, severity="warning")


def commit_slip(draft: Draft) -> Planted:
    """Committed for this quarter, then not kept."""
    rng, quarter = draft.rng, draft.quarter
    story = rng.choice(("pushed", "lost", "downgraded"))
    draft.mature(quarter.lock - rng.randrange(2, 15), NEGOTIATION, quarter.end)
    slipped_on = some_workday(rng, quarter.lock + 2, quarter.window - 1)
    if story == "pushed":
        draft.redate(draft.on(slipped_on), quarter.end + rng.randrange(14, 38))
        finish(draft)
    elif story == "lost":
        draft.lose(draft.on(some_workday(rng, quarter.lock + 2, quarter.end)))
    else:
        draft.forecast(draft.on(slipped_on), "Best Case")
        draft.lose(draft.on(quarter.last_workday))
    reason = f"committed within the quarter's last 30 days, then {story}"
    return Planted(("commit-slip",), reason, severity="high" if story == "pushed" else None)


def reopened_deal(draft: Draft) -> Planted:
    """Closed, then open again days later."""
    rng, quarter = draft.rng, draft.quarter
    closed_on = some_workday(rng, quarter.start + 20, quarter.window - 26)
    was_won = rng.random() < 0.3
    draft.mature(closed_on - rng.randrange(6, 14), NEGOTIATION if was_won else PROPOSAL, closed_on + 3)
    if was_won:
        draft.win(draft.on(closed_on))
    else:
        draft.lose(draft.on(closed_on))
    at = draft.on(closed_on + rng.randrange(3, 10))
    draft.date = quarter.window - 4
    draft.advance(at, PROPOSAL, "Best Case", close_date=format_date(draft.date))
    draft.lose(draft.on(some_workday(rng, draft.today + 2, draft.date)))
    reason = f"{'won' if was_won else 'lost'}, then open again days later"
    return Planted(("reopened-deal", "won-reversed") if was_won else ("reopened-deal",), reason, severity="warning")


PRESSURES: Final[dict[str, Callable[[Draft], Planted]]] = {
    "late-discount": late_discount,
    "push-to-close": push_to_close,
    "commit-slip": commit_slip,
    "period-end-push": period_end_push,
    "close-date-push": close_date_push,
    "pull-in-without-progress": pull_in_without_progress,
    "discount-creep": discount_creep,
    "amount-cut-before-close": amount_cut_before_close,
    "past-due-close-date": past_due_close_date,
    "reopened-deal": reopened_deal,
    **promise_stories.PLANTED,
    **record_stories.PLANTED,
    **date_stories.PLANTED,
    **stage_stories.PLANTED,
}
"""Stories by the pattern that they plant."""
