"""The chapter on wins: how they were won, when in the period they came, what was conceded late."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wellwon.core.win import EARNED, MIXED, PRESSURED, UNKNOWN
from wellwon.history.interval import MIN_N, Share
from wellwon.history.money import said, said_all
from wellwon.history.report.markup import Markup, element
from wellwon.history.report.plot import Row, curve, figure, legend, lines, stacked
from wellwon.history.report.words import (
    between,
    main_currency,
    percent,
    retention_sentence,
)
from wellwon.history.stats import Backtest
from wellwon.history.wins import DAYS_LEFT, PeriodWins, days_left_label

_READINGS: Final = (EARNED, MIXED, PRESSURED, UNKNOWN)
_FACT_WORDS: Final = {"price_held": "Price held", "date_held": "Date held", "buyer_answered": "Buyer answered"}


def wins(backtest: Backtest) -> Iterator[Markup]:
    """How the wins were won, by period; when they came; what was conceded late."""
    yield element("h2", "How the wins were won")
    periods = [period for _, period in sorted(backtest.wins.periods.items())]
    if not periods:
        yield element("p", "No deal was seen to be won in this history.")
        return
    yield _readings(periods)
    if sentence := retention_sentence(backtest):
        yield element("p", sentence)
    yield _facts(backtest)
    yield from _curve(backtest, periods)
    yield from _concessions(backtest, periods)


def _rate(period: PeriodWins) -> str:
    return percent(period.earned / period.known) if period.known >= MIN_N else "-"


def _readings(periods: list[PeriodWins]) -> Markup:
    columns = [
        (period.label, [(reading, float(period.readings[reading])) for reading in _READINGS]) for period in periods
    ]
    notes = [_rate(period) if period.known >= MIN_N else "" for period in periods]
    plot = stacked("readings-plot", "Wins of each period by how they were won", columns, notes)
    rows = [
        Row(
            period.label,
            (
                f"{period.wins:,}",
                *(f"{period.readings[reading]:,}" for reading in _READINGS),
                between(Share.of(period.earned, period.known)) if period.known >= MIN_N else "insufficient history",
                said_all(period.value),
            ),
        )
        for period in periods
    ]
    return figure(
        "readings",
        "Wins by period, and the share that was won well",
        f"The figure over a column is the won-well rate: earned wins of those that can be read, from {MIN_N} on.",
        lines(legend(*((reading, reading) for reading in _READINGS)), plot),
        ("Period", "Wins", *_READINGS, "Won well", "Value"),
        rows,
    )


def _facts(backtest: Backtest) -> Markup:
    rows = [
        element(
            "tr",
            element("th", word, scope="row"),
            *(element("td", f"{backtest.wins.facts[fact][value]:,}") for value in (True, False, None)),
        )
        for fact, word in _FACT_WORDS.items()
    ]
    head = element("tr", *(element("th", text, scope="col") for text in ("Of the wins", "yes", "no", "not known")))
    return element("table", element("thead", head), element("tbody", *rows))


def _curve(backtest: Backtest, periods: list[PeriodWins]) -> Iterator[Markup]:
    currency = main_currency(backtest)
    by_day = backtest.wins.value_by_day[currency]
    total = sum(by_day.values())
    if total <= 0 or backtest.wins.wins_by_day.total() < MIN_N:
        yield element("p", f"Too few wins (fewer than {MIN_N}) for a curve of when in the period they come.")
        return
    days = max(period.last_day - period.first_day + 1 for period in periods)
    won, points, rows = 0, [(0.0, 0.0)], []
    for left in range(days - 1, -1, -1):
        won += by_day[left]
        points.append(((days - left) / days, won / total))
        if left in (30, 14, 7, 3, 1, 0):
            name = f"{left} days before the end" if left else "last day"
            rows.append(Row(name, (percent(won / total), f"{backtest.wins.wins_by_day[left]:,}")))
    before_week = 1 - sum(by_day[left] for left in range(7)) / total
    what = f" ({currency})" if currency else ""
    yield figure(
        "curve",
        "When in the period the value is won",
        f"{percent(1 - before_week)} of the value comes in the last seven days. The dashed line would be an even flow.",
        curve("curve-plot", "Share of the value won by day of the period", days, points),
        ("By", f"Share of the value{what}", "Wins on that day"),
        rows,
    )


def _concessions(backtest: Backtest, periods: list[PeriodWins]) -> Iterator[Markup]:
    found = backtest.wins
    if not any(period.priced for period in periods):
        yield element("p", "Late concessions are not known: the price of the wins is not in the data.")
        return
    currency = main_currency(backtest)
    columns = [(p.label, [("strong", max(0.0, float(p.conceded[currency])))]) for p in periods]
    notes = [said(p.conceded[currency], "") if p.conceded[currency] else "0" for p in periods]
    yield figure(
        "concessions",
        f"Late concessions by period{f', {currency} a year' if currency else ', a year'}",
        "Points of discount given while pressure was seen, and not traded for anything, at list price.",
        stacked("concessions-plot", "Late concessions of each period", columns, notes),
        ("Period", "Wins conceding", "Wins priced", "Conceded a year"),
        [Row(p.label, (f"{p.conceding:,}", f"{p.priced:,}", said_all(p.conceded))) for p in periods],
    )
    classes = range(len(DAYS_LEFT) - 1, -1, -1)
    share = {
        n: found.conceding_by_days_left[n] / found.priced_by_days_left[n] if found.priced_by_days_left[n] else 0.0
        for n in classes
    }
    yield figure(
        "concessions-by-day",
        "Share of wins with a late concession, by days to the period's end",
        "What is given away because of the date, and not because of the deal, is given at the right of this plot.",
        stacked(
            "concessions-by-day-plot",
            "Share of wins with a late concession by days to the period's end",
            [(days_left_label(n), [("strong", share[n])]) for n in classes],
            [percent(share[n]) for n in classes],
        ),
        ("Days to the end", "Wins conceding", "Wins priced", "Conceded a year"),
        [
            Row(
                days_left_label(n),
                (
                    f"{found.conceding_by_days_left[n]:,}",
                    f"{found.priced_by_days_left[n]:,}",
                    said_all(found.conceded_by_days_left[n]),
                ),
            )
            for n in classes
        ],
    )
