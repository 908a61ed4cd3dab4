"""The chapter on flagged deals: what became of them, rule by rule; data quality apart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wellwon.history.interval import MIN_N
from wellwon.history.report.markup import Markup, element
from wellwon.history.report.plot import Row, figure, lifts, lines, two_shares
from wellwon.history.report.words import (
    became_words,
    between,
    rule_details,
    rule_sentence,
    times,
)
from wellwon.history.stats import ANY, DATA, INSUFFICIENT, MORE, Backtest, RuleResult

PRICE: Final = "price"
PRESSURE: Final = "pressure"


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
        "The line at 1x is like deals that were not flagged. Where the bar stays clear of it, it is hardly chance. "
        f'"{ANY[0].upper()}{ANY[1:]}" takes the rules of these families as one.',
        plot,
        ("Rule", "Flagged", "Lost or slipped", "Like deals", "Lift"),
        rows,
    )


def _cards(backtest: Backtest, results: list[RuleResult]) -> Iterator[Markup]:
    judged = sorted(
        (r for r in results if r.verdict != INSUFFICIENT), key=lambda result: (-_weight(result), result.rule)
    )
    if judged:
        yield element("div", *(_card(backtest, result) for result in judged), class_="rules")
    few = [result for result in results if result.deals and result.verdict == INSUFFICIENT]
    if few:
        yield _too_few(backtest, few)
    silent = [result.rule for result in results if not result.deals]
    if silent:
        yield element("p", f"Flagged nothing: {', '.join(silent)}.", class_="soft")


def _too_few(backtest: Backtest, results: list[RuleResult]) -> Markup:
    """Rules with an insufficient history in a table: a plot would show what is not known."""
    columns = ("Insufficient history", "Flagged", "What became of them", "Messages")
    rows = [
        element(
            "tr",
            element("th", result.rule, scope="row"),
            *(element("td", text) for text in (f"{result.deals:,}", became_words(result), _messages(backtest, result))),
        )
        for result in results
    ]
    head = element("tr", *(element("th", column, scope="col") for column in columns))
    table = element("table", element("thead", head), element("tbody", *rows))
    said = (
        f"Fewer than {MIN_N} decided deals, or fewer than {MIN_N} with enough like deals: these rules are not judged."
    )
    return element("div", element("p", said, class_="soft"), element("div", table, class_="scroll"))


def _weight(result: RuleResult) -> float:
    lift = result.comparison.lift if result.comparison is not None else None
    return lift.low if lift is not None and result.verdict == MORE else -1 / (1 + result.deals)


def _card(backtest: Backtest, result: RuleResult) -> Markup:
    name = f"rule-{result.rule}"
    plot = Markup()
    if result.comparison is not None:
        plot = two_shares(name, ("flagged", result.comparison.flagged), ("like deals", result.comparison.alike))
    details = [*rule_details(result), ("Became", became_words(result))]
    details.append(("Messages", _messages(backtest, result)))
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


def _messages(backtest: Backtest, result: RuleResult) -> str:
    said = f"{result.counts.messages:,}"
    if backtest.rated:
        said += f"; {backtest.per_owner_week(result.counts.messages):.2f} per owner and week"
    return said + (", if it were set to alert" if result.counts.shadow else "")
