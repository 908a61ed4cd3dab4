"""A backtest in the terminal: what it says in words, the rules, the wins by period, what the data cannot show."""

from __future__ import annotations

from collections.abc import Iterator

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from wellwon.core.rule import SEVERITIES
from wellwon.core.win import READINGS
from wellwon.history.course import CLOSING, DELETED, LOST, OPEN, SLIPPED, WON
from wellwon.history.interval import MIN_N
from wellwon.history.money import said_all
from wellwon.history.report.limits import limits
from wellwon.history.report.words import (
    borrowed_share,
    calls_said,
    group_messages,
    headlines,
    main_currency,
    percent,
    retention_sentence,
    times,
)
from wellwon.history.stats import ANY, DATA, INSUFFICIENT, LESS, MORE, Backtest, RuleResult

PIPE_WIDTH = 150
"""Columns where nobody's terminal says how wide it is."""
_COLUMNS = """
Precision: the share of flagged deals that were lost or slipped. Lift: how many times as often as like deals.
Lead: median days from the flag to that. Messages: per owner and week.
Other: flagged when the deal was closed already, or deleted; such flags have no outcome to foretell."""
_STYLE = {MORE: "bold red", LESS: "green", INSUFFICIENT: "dim"}


def show(backtest: Backtest) -> None:
    """Print a backtest on standard output; without colours where that is no terminal."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPE_WIDTH)
    console.print(Group(*_parts(backtest)))


def _parts(backtest: Backtest) -> Iterator[RenderableType]:
    title, *more = headlines(backtest)
    yield Text()
    yield Text(title, style="bold")
    if backtest.info.partial:
        yield Text(f"Partial: stopped before the end, {backtest.info.deals:,} deals are counted.", style="bold yellow")
    for line in more:
        yield Text(line)
    behaviour = [result for result in backtest.rules if result.family != DATA and result.deals]
    data = [result for result in backtest.rules if result.family == DATA and result.deals]
    if behaviour or data:
        yield Text(_COLUMNS, style="dim")
    if behaviour:
        yield _rules(backtest, "What became of flagged deals", [*behaviour, backtest.at_risk])
    if data:
        yield _rules(backtest, "Data quality, counted apart", data)
    if any(group.alerts for group in backtest.groups):
        yield _groups(backtest)
    if backtest.wins.periods:
        yield _wins(backtest)
    if any(period.deals for period in backtest.borrowed.periods.values()):
        yield _borrowed(backtest)
    for name, sentence in calls_said(backtest):
        yield Text(f"{name}: {sentence}")
    if retained := retention_sentence(backtest):
        yield Text(retained)
    yield Text("\nWhat this data cannot show", style="bold")
    for sentence in limits(backtest):
        yield Padding(Text(f"- {sentence}"), (0, 0, 0, 2))


def _table(title: str, first: str, *others: str) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _rules(backtest: Backtest, title: str, results: list[RuleResult]) -> Table:
    columns = (
        "flagged",
        "won",
        "lost",
        "slipped",
        "open",
        "other",
        "precision",
        "like deals",
        "lift (95 %)",
        "lead",
        "messages",
    )
    table = _table(title, "rule", *columns)
    for result in results:
        became, compared = result.counts.became, result.comparison
        table.add_row(
            result.rule,
            f"{result.deals:,}",
            *(f"{became[outcome]:,}" for outcome in (WON, LOST, SLIPPED, OPEN)),
            f"{became[CLOSING] + became[DELETED]:,}",
            percent(result.precision.value) if result.precision is not None else "-",
            percent(compared.alike.value) if compared is not None else "-",
            _lift(result),
            f"{result.lead_days[1]} d" if result.lead_days is not None else "-",
            _messages(backtest, result),
        )
    return table


def _groups(backtest: Backtest) -> Table:
    table = _table("Owners and teams", "rule", "asked of", "alerts", *reversed(SEVERITIES), "periods", "messages")
    for group in backtest.groups:
        if group.alerts:
            table.add_row(
                group.rule,
                f"{group.subject}s",
                f"{group.alerts:,}",
                *(f"{group.severities.get(severity, 0):,}" for severity in reversed(SEVERITIES)),
                f"{len(group.periods):,}",
                group_messages(backtest, group),
            )
    return table


def _messages(backtest: Backtest, result: RuleResult) -> str:
    if not backtest.rated or result.rule == ANY:
        return "-"
    return f"{backtest.per_owner_week(result.counts.messages):.2f}" + (" shadow" if result.counts.shadow else "")


def _lift(result: RuleResult) -> Text:
    style = _STYLE.get(result.verdict, "")
    if result.verdict == INSUFFICIENT or result.comparison is None or result.comparison.lift is None:
        return Text(INSUFFICIENT, style=style)
    return Text(times(result.comparison.lift), style=style)


def _wins(backtest: Backtest) -> Table:
    table = _table("How the wins were won", "period", "wins", *READINGS, "won well", "late concessions", "value")
    for _, period in sorted(backtest.wins.periods.items()):
        table.add_row(
            period.label,
            f"{period.wins:,}",
            *(f"{period.readings[reading]:,}" for reading in READINGS),
            percent(period.earned / period.known) if period.known >= MIN_N else INSUFFICIENT,
            said_all(period.conceded) if period.priced else "not known",
            said_all(period.value),
        )
    return table


def _borrowed(backtest: Backtest) -> Table:
    title = "Borrowed from the next period"
    table = _table(title, "period", "deals", "pulled in", "next period's opening pipeline", "share")
    for _, period in sorted(backtest.borrowed.periods.items()):
        if period.deals:
            share = borrowed_share(period, main_currency(backtest))
            said = "-" if share is None else percent(share)
            opening = said_all(period.next_opening)
            table.add_row(period.label, f"{period.deals:,}", said_all(period.pulled_in), opening, said)
    return table
