"""What the data cannot show, said plainly."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wellwon.core.units import DAY
from wellwon.history.interval import MIN_N
from wellwon.history.report.words import day
from wellwon.history.stats import INSUFFICIENT, Backtest

PRICED_BY: Final = ("discount", "discount_percent", "list_amount", "line_item")
_KEPT_MONTHS: Final = (18, 24)
"""How far back Salesforce shows field history: on screen, and by its interface for programs."""
_MONTH_DAYS: Final = 30.44


def limits(backtest: Backtest) -> list[str]:
    """One sentence for each thing that this history leaves open."""
    if not backtest.info.deals:
        return list(map(_sentence, backtest.info.notes))
    return list(dict.fromkeys((*_fields(backtest), *_time(backtest), *_money(backtest), *_counts(backtest))))


def _fields(backtest: Backtest) -> Iterator[str]:
    fields = backtest.info.fields
    if not any(fields.get(name) for name in PRICED_BY):
        yield (
            "No discount and no list amount are in it: nothing is said of discounts, of whether the price was held, or "
            "of late concessions."
        )
    if not fields.get("amount"):
        yield "No amounts are in it: values are missing, and no cut can be seen."
    if not fields.get("forecast_category"):
        yield "No forecast categories are in it: nothing is said of Commit, of sandbagging or of over-calling."
    if not fields.get("close_date"):
        yield "No close dates are in it: no push, slip or pull-in can be seen."
    facts = backtest.wins.facts["buyer_answered"]
    if not facts[True] and not facts[False]:
        yield "No activities are in it: whether the buyer answered is not known of any win."
    if set(fields) and not fields.get("owner_id"):
        yield "No owners are in it: messages are counted as if one person owned every deal."
    yield from map(_sentence, backtest.info.notes)


def _time(backtest: Backtest) -> Iterator[str]:
    info = backtest.info
    days = (info.last_at - info.first_at) // DAY
    yield f"The history begins on {day(info.first_at)}: of what happened before, nothing is seen."
    for months in _KEPT_MONTHS:
        if abs(days - months * _MONTH_DAYS) <= 15:
            yield (
                f"It is {months} months long, which is as far back as Salesforce shows field history: older moves are "
                "missing, not absent."
            )
    calendar = backtest.calendar
    periods = calendar.period_of(info.last_at).index - calendar.period_of(info.first_at).index + 1
    if periods < 3:
        touched = f"{periods} {calendar.kind}{'s' if periods > 1 else ''}"
        yield f"It touches {touched}: what is said by {calendar.kind} rests on that."
    if (idle := (info.as_of - info.last_at) // DAY) > 7:
        yield f"Its last change is of {day(info.last_at)}, {idle} days before the end of the backtest."


def _money(backtest: Backtest) -> Iterator[str]:
    if len(backtest.info.currencies) > 1 and not backtest.reporting:
        named = ", ".join(sorted(currency for currency in backtest.info.currencies if currency))
        yield f"The policy has no plan rates: amounts in {named} are summed apart, and plots show the largest sum."
    if backtest.info.fields.get("amount"):
        yield "Opening pipeline and what was pulled in are valued at the deals' last amounts."


def _counts(backtest: Backtest) -> Iterator[str]:
    if still := backtest.deals["open"]:
        yield f"{still:,} of {backtest.info.deals:,} deals are still open; what becomes of them is not known."
    if deleted := backtest.deals["deleted"]:
        yield f"{deleted:,} of {backtest.info.deals:,} deals were deleted; what they would have come to is not known."
    thin = [rule.rule for rule in backtest.rules if rule.verdict == INSUFFICIENT and rule.deals]
    if thin:
        yield f"Fewer than {MIN_N} decided or comparable deals were flagged by {', '.join(thin)}: they are not judged."
    if backtest.groups and backtest.info.partial:
        yield "Owners and teams were not asked, for that takes all deals."
    elif backtest.groups:
        yield (
            "Owners and teams were asked at the midnights of a period's last days: what held for less than a day is "
            "not seen, nor what came to light after the period."
        )
    if backtest.retention is None:
        yield "What became of the customers is not known: a file of outcomes (--outcomes) was not given."
    if any(rule.comparison for rule in backtest.rules):
        yield "A flag that goes with more slips need not be their cause."


def _sentence(note: str) -> str:
    text = note[:1].upper() + note[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."
