"""The chapter on the forecast: what was borrowed from the next period, sandbagging and over-calling."""

from __future__ import annotations

from collections.abc import Iterator

from wellwon.history.money import said_all
from wellwon.history.report.markup import Markup, element
from wellwon.history.report.plot import Row, figure, stacked
from wellwon.history.report.words import borrowed_share, calls_said, main_currency, percent
from wellwon.history.stats import Backtest


def forecast(backtest: Backtest) -> Iterator[Markup]:
    """What was borrowed from the next period; sandbagging and over-calling."""
    yield element("h2", "The forecast")
    periods = [
        period for _, period in sorted(backtest.borrowed.periods.items()) if period.pulled_in or period.next_opening
    ]
    currency = main_currency(backtest)
    if any(period.deals for period in periods):
        ratio = {p.label: borrowed_share(p, currency) for p in periods}
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
    said = list(calls_said(backtest))
    for name, sentence in said:
        yield element("p", element("strong", f"{name}: "), sentence)
    if said:
        yield element("p", "Totals of the organisation; no figure here is of a person.", class_="soft")
    else:
        yield element("p", "Too few closed deals with a forecast category for sandbagging and over-calling.")
