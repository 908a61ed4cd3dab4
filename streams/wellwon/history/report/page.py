"""The report of a backtest: one HTML page with everything in it, that asks the network for nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from wellwon import __version__
from wellwon.core.units import format_instant
from wellwon.history.report.called import forecast
from wellwon.history.report.flagged import rules
from wellwon.history.report.grouped import groups
from wellwon.history.report.limits import limits
from wellwon.history.report.markup import Markup, element, together
from wellwon.history.report.won import wins
from wellwon.history.report.words import day, headlines
from wellwon.history.stats import Backtest

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""The page's content security policy: the browser itself would refuse any request."""


def page(backtest: Backtest) -> str:
    """The report as HTML."""
    title, *more = headlines(backtest)
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"Backtest: {title}"),
        element("style", Markup(Path(__file__).with_name("style.css").read_text(encoding="utf-8"))),
    )
    body = element(
        "body",
        element(
            "header",
            element("p", f"wellwon backtest, {_span(backtest)}", class_="over"),
            element("h1", title),
            element("div", *(element("p", line) for line in more), class_="lead"),
            *_partial(backtest),
            _facts(backtest),
        ),
        element(
            "main",
            *rules(backtest),
            *groups(backtest),
            *wins(backtest),
            *forecast(backtest),
            *_limits(backtest),
            *_method(),
        ),
        element("footer", *_read(backtest)),
    )
    return "<!doctype html>\n" + element("html", head, body, lang="en") + "\n"


def _span(backtest: Backtest) -> str:
    info = backtest.info
    return f"{day(info.first_at)} to {day(info.as_of)}" if info.deals else "nothing read"


def _partial(backtest: Backtest) -> Iterator[Markup]:
    if backtest.info.partial:
        yield element(
            "p",
            element("strong", "This report is partial. "),
            f"The backtest was stopped before its end: {backtest.info.deals:,} deals are counted, not all. ",
            "Run it again for the whole.",
            class_="warning",
            role="note",
        )


def _facts(backtest: Backtest) -> Markup:
    deals = backtest.deals
    facts = [
        ("Deals", backtest.info.deals),
        ("Won", deals["won"]),
        ("Lost", deals["lost"]),
        ("Still open", deals["open"]),
        ("Changes", backtest.info.changes),
    ]
    if deals["deleted"]:
        facts.insert(-1, ("Deleted", deals["deleted"]))
    if backtest.info.rejected:
        facts.append(("Rows rejected", backtest.info.rejected))
    return element(
        "dl",
        *(element("div", element("dt", name), element("dd", f"{count:,}")) for name, count in facts),
        class_="facts",
    )


def _limits(backtest: Backtest) -> Iterator[Markup]:
    yield element("h2", "What this data cannot show")
    yield element("ul", *(element("li", said) for said in limits(backtest)))


def _method() -> Iterator[Markup]:
    yield element("h2", "How it was counted")
    yield element(
        "p",
        "A flag is judged by what came after it. When a rule first flags a deal, the deal is promised for the period "
        "of its close date; by that period's end it was won, lost, or it slipped. Deals whose period is not over are "
        "not counted, nor are deals that were flagged by the save that closed them. Precision is the share that was "
        "lost or slipped.",
    )
    yield element(
        "p",
        "Like deals are of the same segment, were as old at the time, had as many days left in their promised period, "
        "and had not been flagged by that rule. Lift is how many times as often flagged deals were lost or slipped. "
        "Intervals are 95 % (Wilson); below 20 deals nothing is judged. Flags taken back within minutes count nowhere.",
    )
    yield element(
        "p",
        "A win is earned when at least two of three facts are known (the price was held, the date was held, the buyer "
        "answered) and none of them is a no. It is pressured when its price was not held and pressure was seen in the "
        "30 days before. It describes what changed in the CRM, not what anyone intended, and is no measure of people.",
    )


def _read(backtest: Backtest) -> Iterator[Markup]:
    info = backtest.info
    yield element("h2", "What was read")
    yield element("p", f"{', '.join(info.files)}: {info.rows:,} rows, {info.changes:,} changes, {info.deals:,} deals.")
    if info.rejected:
        where = f" They are in {info.rejected_file}, each with its reason." if info.rejected_file else ""
        yield element("p", f"Rows that could not be used: {info.rejected:,}.{where}")
    yield element("p", f"Policy: {backtest.policy}.")
    if backtest.since:
        yield element(
            "p",
            f"Flags and messages are judged from {format_instant(backtest.since)} on, by norms of what was before. "
            "Wins and forecast are those of all the history.",
        )
    yield element("p", together("Made by wellwon ", __version__, ". Nothing in this page leaves your machine."))
