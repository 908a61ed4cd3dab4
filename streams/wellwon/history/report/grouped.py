"""The chapter on owners and teams: how often their patterns held, by period; totals only."""

from __future__ import annotations

from collections.abc import Iterator

from wellwon.core.rule import SEVERITIES
from wellwon.history.report.markup import Markup, element
from wellwon.history.report.words import group_messages, group_sentence
from wellwon.history.stats import Backtest


def groups(backtest: Backtest) -> Iterator[Markup]:
    """What the rules about owners and teams said."""
    if not backtest.groups or backtest.info.partial:
        return
    yield element("h2", "Owners and teams")
    yield element("p", "What many deals show together. No figure here is of a person.", class_="soft")
    columns = ("Rule", "Alerts", *(severity.capitalize() for severity in reversed(SEVERITIES)), "Messages")
    rows = [
        element(
            "tr",
            element("th", group.rule, scope="row"),
            element("td", f"{group.alerts:,}"),
            *(element("td", f"{group.severities.get(severity, 0):,}") for severity in reversed(SEVERITIES)),
            element("td", group_messages(backtest, group)),
            element("td", group_sentence(group), class_="words"),
        )
        for group in backtest.groups
    ]
    when = element("th", "When", scope="col", class_="words")
    head = element("tr", *(element("th", column, scope="col") for column in columns), when)
    yield element("div", element("table", element("thead", head), element("tbody", *rows)), class_="scroll")
