"""The chapters of the report: what became of flagged deals, how the wins were won, what was borrowed and called."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wellwon.core.win import EARNED, MIXED, PRESSURED, UNKNOWN
from wellwon.history.interval import MIN_N, Share
from wellwon.history.money import said, said_all
from wellwon.history.report.markup import Markup, element
from wellwon.history.report.plot import Row, curve, figure, legend, lifts, lines, stacked, two_shares
from wellwon.history.report.words import (
    became_words,
    between,
    main_currency,
    percent,
    retention_sentence,
    rule_details,
    rule_sentence,
    times,
)
from wellwon.history.stats import DATA, MORE, Backtest, RuleResult
from wellwon.history.wins import DAYS_LEFT, PeriodWins, days_left_label

PRICE: Final = "price"
PRESSURE: Final = "pressure"
_READINGS: Final = (EARNED, MIXED, PRESSURED, UNKNOWN)
_FACT_WORDS: Final = {"price_held": "Price held", "date_held": "Date held", "buyer_answered": "Buyer answered"}


def rules(backtest: Backtest) -> Iterator[Markup]:
    """What became of flagged deals, rule by rule; data quality apart."""
    yield element("h2", "What became of flagged deals")
    behaviour = [result for result in backtest.rules if result.family != DATA]
    if any(result.family in (PRICE, PRESSURE) and result.deals for result in behaviour):
        yield element(
            "p",
            "Deals flagged for price or pressure are often won: what that cost is told below, under late concessions.",
            class_="soft",
        )
    yield from _lifts([*behaviour, backtest.at_risk])
    yield from _cards(backtest, behaviour)
    data = [result for result in backtest.rules if result.family == DATA]
    if any(result.deals for result in data):
        yield element("h2", "Data quality, counted apart")
        yield element("p", "These findings say that the record is not up to date, not that a deal is at risk.")
        yield from _cards(backtest, data)


def _lifts(results: list[RuleResult]) -> Iterator[Markup]:
    found = [
        (result, result.comparison.lift)
        for result in results
        if result.comparison is not None and result.comparison.lift is not None
    ]
    if not found:
        return
    found.sort(key=lambda pair: pair[1].value, reverse=True)
    plot = lifts("lifts-plot", [(result.rule, lift) for result, lift in found])
    rows = [
        Row(
            result.rule,
            (
                f"{result.deals:,}",
                between(result.comparison.flagged),
                between(result.comparison.alike),
                times(lift),
            ),
        )
        for result, lift in found
        if result.comparison is not None
    ]
    yield figure(
        "lifts",
        "How many times as often flagged deals were lost or slipped",
        "The line at 1x is like deals that were not flagged. Where the bar stays clear of it, it is hardly chance.",
        plot,
        ("Rule", "Flagged", "Lost or slipped", "Like deals", "Lift"),
        rows,
    )


def _cards(backtest: Backtest, results: list[RuleResult]) -> Iterator[Markup]:
    shown = sorted((result for result in results if result.deals), key=lambda result: (-_weight(result), result.rule))
    yield element("div", *(_card(backtest, result) for result in shown), class_="rules")
    silent = [result.rule for result in results if not result.deals]
    if silent:
        yield element("p", f"Flagged nothing: {', '.join(silent)}.", class_="soft")


def _weight(result: RuleResult) -> float:
    lift = result.comparison.lift if result.comparison is not None else None
    return lift.low if lift is not None and result.verdict == MORE else -1 / (1 + result.deals)


def _card(backtest: Backtest, result: RuleResult) -> Markup:
    name = f"rule-{result.rule}"
    plot = Markup()
    if result.comparison is not None:
        plot = two_shares(name, ("flagged", result.comparison.flagged), ("like deals", result.comparison.alike))
    details = [*rule_details(result), ("Became", became_words(result))]
    messages = f"{result.counts.messages:,}"
    if backtest.rated:
        messages += f"; {backtest.per_owner_week(result.counts.messages):.2f} per owner and week"
    if result.counts.shadow:
        messages += ", if it were set to alert"
    details.append(("Messages", messages))
    return element(
        "figure",
        element(
            "figcaption",
            element("h3", result.rule, element("span", f"{result.family}, {result.mode}", class_="tag")),
            element("p", rule_sentence(result)),
        ),
        plot,
        element("dl", *(lines(element("dt", term), element("dd", text)) for term, text in details)),
        id=name,
    )


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


def forecast(backtest: Backtest) -> Iterator[Markup]:
    """What was borrowed from the next period; sandbagging and over-calling."""
    yield element("h2", "The forecast")
    periods = [
        period for _, period in sorted(backtest.borrowed.periods.items()) if period.pulled_in or period.next_opening
    ]
    currency = main_currency(backtest)
    if any(period.deals for period in periods):
        ratio = {
            p.label: p.pulled_in[currency] / p.next_opening[currency] if p.next_opening[currency] else None
            for p in periods
        }
        yield figure(
            "borrowed",
            "Borrowed from the next period",
            "Value pulled in over the period's end in its last days, against the pipeline with which the next began. "
            "Above 10 % the next period starts with a hole.",
            stacked(
                "borrowed-plot",
                "Value pulled in against the next period's opening pipeline",
                [(label, [("strong", value or 0.0)]) for label, value in ratio.items()],
                ["" if value is None else percent(value) for value in ratio.values()],
            ),
            ("Period", "Deals", "Pulled in", "Next period's opening pipeline", "Share"),
            [
                Row(
                    p.label,
                    (
                        f"{p.deals:,}",
                        said_all(p.pulled_in),
                        said_all(p.next_opening),
                        "-" if (share := ratio[p.label]) is None else percent(share),
                    ),
                )
                for p in periods
            ],
        )
    else:
        yield element("p", "No deal was pulled in from a later period in the last days of one.")
    yield from _calls(backtest)


def _calls(backtest: Backtest) -> Iterator[Markup]:
    calls = backtest.calls
    if calls.wins >= MIN_N:
        share = Share.of(calls.uncalled, calls.wins)
        yield element(
            "p",
            element("strong", "Sandbagging: "),
            f"{between(share)} of {calls.wins:,} wins were never in Commit or Best Case "
            f"({said_all(calls.uncalled_value)}).",
        )
    if calls.committed >= MIN_N:
        share = Share.of(calls.overcalled, calls.committed)
        yield element(
            "p",
            element("strong", "Over-calling: "),
            f"{between(share)} of {calls.committed:,} closed deals that were ever in Commit were lost "
            f"({said_all(calls.overcalled_value)}).",
        )
    if calls.wins < MIN_N and calls.committed < MIN_N:
        yield element("p", "Too few closed deals with a forecast category for sandbagging and over-calling.")
    else:
        yield element("p", "Totals of the organisation; no figure here is of a person.", class_="soft")
