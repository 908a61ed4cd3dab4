"""What a backtest says, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from wellwon.core.units import DAY, format_date
from wellwon.core.win import EARNED, PRESSURED
from wellwon.history.course import LOST, SLIPPED, WON
from wellwon.history.forecast import Borrowing
from wellwon.history.group_counts import GroupResult
from wellwon.history.interval import MIN_N, Ratio, Share
from wellwon.history.money import Money, said_all
from wellwon.history.retention import CHURNED
from wellwon.history.stats import ANY, DATA, INSUFFICIENT, LESS, MORE, Backtest, RuleResult

NBSP: Final = "\u00a0"


def percent(share: float) -> str:
    """``62 %``; below ten percent with a decimal where there is one."""
    points = 100 * share
    text = f"{points:.1f}".removesuffix(".0") if 0 < points < 9.95 else f"{points:.0f}"
    return f"{text}{NBSP}%"


def between(share: Share) -> str:
    """A share and its interval: ``62 % (54 to 70 %)``."""
    low = percent(share.low).removesuffix(f"{NBSP}%")
    return f"{percent(share.value)} ({low} to {percent(share.high)})"


def times(lift: Ratio) -> str:
    """A ratio with its interval: ``2.3 (1.8 to 2.9)``."""
    high = "?" if lift.high > 99 else f"{lift.high:.1f}"
    return f"{lift.value:.1f} ({lift.low:.1f} to {high})"


def day(at: int) -> str:
    """The date (UTC) of an instant."""
    return format_date(at // DAY)


def headlines(backtest: Backtest) -> list[str]:
    """What to know first; the first line is the report's title."""
    return [_title(backtest), *_second_lines(backtest)]


def _title(backtest: Backtest) -> str:
    if not backtest.deals:
        return "Stopped before any deal was counted" if backtest.info.partial else "There is no deal in this history"
    judged = [rule for rule in backtest.rules if rule.family != DATA and rule.verdict != INSUFFICIENT]
    telling = [rule for rule in judged if rule.verdict == MORE]
    if telling:
        best = max(telling, key=lambda rule: _lift(rule).low)
        return f"Deals flagged by {best.rule} were lost or slipped {_lift(best).value:.1f} times as often as like deals"
    flagged, deals = backtest.flagged, backtest.deals.total()
    if backtest.at_risk.verdict == MORE:
        lift = _lift(backtest.at_risk).value
        return f"Deals flagged for {ANY} were lost or slipped {lift:.1f} times as often as like deals"
    if judged:
        return "In this history flagged deals fared no worse than like deals"
    if flagged:
        return f"{flagged:,} of {deals:,} deals would have been flagged, too few by any one rule to judge it"
    kinds = {"data quality" if rule.family == DATA else "rules in shadow" for rule in backtest.rules if rule.deals}
    besides = f", but for {' and '.join(sorted(kinds))}" if kinds else ""
    return f"None of {deals:,} deals would have been flagged{besides}"


def _second_lines(backtest: Backtest) -> Iterator[str]:
    earned = sum(period.earned for period in backtest.wins.periods.values())
    known = sum(period.known for period in backtest.wins.periods.values())
    wins = sum(period.wins for period in backtest.wins.periods.values())
    if known >= MIN_N:
        yield f"{percent(earned / known)} of the {known:,} wins that can be read were won well."
    elif wins:
        yield f"{known:,} of {wins:,} wins can be read: too few for a rate of how they were won."
    last = last_week(backtest)
    if last is not None and wins >= MIN_N:
        yield f"{percent(last)} of the value won came in the last seven days of its {backtest.calendar.kind}."
    if not backtest.rated:
        yield "The history is shorter than four weeks: too short for messages a week."
    elif backtest.owner_weeks and backtest.rules:
        messages = backtest.messages(data=False)
        yield (
            f"The rules as they are set would have sent {backtest.per_owner_week(messages):.2f} messages per owner and "
            f"week, {backtest.per_hundred_deals_week(messages):.2f} per 100 open deals and week; "
            f"{backtest.per_owner_week(backtest.messages(data=True)):.2f} more were about data quality."
        )


def last_week(backtest: Backtest) -> float | None:
    """The share of the won value that came in the last seven days of its period, in the main currency."""
    currency = main_currency(backtest)
    value = sum(period.value[currency] for period in backtest.wins.periods.values())
    late = sum(period.last_week[currency] for period in backtest.wins.periods.values())
    return late / value if value > 0 else None


def main_currency(backtest: Backtest) -> str:
    """The currency of the plots: the reporting currency, else the one with the most value won."""
    if backtest.reporting:
        return backtest.reporting
    totals = {currency: sum(days.values()) for currency, days in backtest.wins.value_by_day.items()}
    return max(totals, key=lambda currency: (totals[currency], currency), default="")


def rule_sentence(result: RuleResult) -> str:
    """What became of the deals that a rule flagged."""
    if not result.deals:
        return "It flagged no deal in this history."
    if result.verdict == INSUFFICIENT:
        return f"Insufficient history: {_why_insufficient(result)}"
    compared = result.comparison
    assert compared is not None
    lift = _lift(result)
    if result.verdict == MORE:
        how = f"{lift.value:.1f} times as often as like deals"
    elif result.verdict == LESS:
        how = "Less often than like deals"
    else:
        how = "Fared much as like deals; the difference may be chance"
    return f"{how}: {percent(compared.flagged.value)} against {percent(compared.alike.value)} were lost or slipped."


def _why_insufficient(result: RuleResult) -> str:
    if result.decided < MIN_N:
        return f"{result.decided} of its {result.deals:,} flagged deals are decided, {MIN_N} are needed."
    if result.comparison is None:
        return f"fewer than {MIN_N} of its flagged deals have enough like deals to compare them with."
    return "none of the like deals was lost or slipped."


def rule_details(result: RuleResult) -> Iterator[tuple[str, str]]:
    """The figures of a rule, each with its name."""
    counts, compared = result.counts, result.comparison
    yield "Flagged deals", f"{result.deals:,}"
    if result.precision is not None:
        yield "Lost or slipped", f"{between(result.precision)}, n = {result.decided:,}"
    if compared is not None:
        yield "Like deals", between(compared.alike)
        if compared.lift is not None:
            yield "Lift", times(compared.lift)
        if compared.left_out:
            yield "Without like deals", f"{compared.left_out:,}, not in the lift"
    if result.lead_days is not None:
        low, middle, high = result.lead_days
        yield "Lead time", f"{middle} days ({low} to {high}, the middle half)"
    if counts.retracted:
        yield "Taken back", f"{counts.retracted:,}, corrected within minutes"
    if result.churn is not None:
        flagged, others = result.churn
        yield "Churned after the win", f"{between(flagged)}, others {between(others)}"


def retention_sentence(backtest: Backtest) -> str | None:
    """Churn by how the deal was won, where outcomes are given."""
    retention = backtest.retention
    if retention is None:
        return None
    if not retention.matched:
        return "No deal of the file of outcomes is a win of this history: are its ids those of the export?"
    earned, pressured = retention.by_reading[EARNED], retention.by_reading[PRESSURED]
    if min(earned.total(), pressured.total()) < MIN_N:
        return (
            f"Outcomes are known of {retention.matched:,} wins, of which {pressured.total():,} pressured and "
            f"{earned.total():,} earned: insufficient history, {MIN_N} of each are needed."
        )
    one = Share.of(pressured[CHURNED], pressured.total())
    other = Share.of(earned[CHURNED], earned.total())
    return (
        f"Of the wins read as pressured {between(one)} churned, of the earned ones {between(other)} "
        f"(n = {pressured.total():,} and {earned.total():,})."
    )


def borrowed_share(period: Borrowing, currency: str) -> float | None:
    """What was pulled in, as a share of the next period's opening pipeline; None where that is nothing."""
    opening = period.next_opening[currency]
    return period.pulled_in[currency] / opening if opening else None


def calls_said(backtest: Backtest) -> Iterator[tuple[str, str]]:
    """Sandbagging and over-calling, each in a sentence after its name; nothing where the deals are too few."""
    calls = backtest.calls
    if calls.wins >= MIN_N:
        yield (
            "Sandbagging",
            f"{between(Share.of(calls.uncalled, calls.wins))} of {calls.wins:,} wins were never in Commit or Best Case"
            f"{_worth(calls.uncalled_value)}.",
        )
    if calls.committed >= MIN_N:
        yield (
            "Over-calling",
            f"{between(Share.of(calls.overcalled, calls.committed))} of {calls.committed:,} closed deals that were "
            f"ever in Commit were lost{_worth(calls.overcalled_value)}.",
        )


def _worth(value: Money) -> str:
    """What deals come to, behind their number; nothing where no amount is known, or there are none."""
    return f" ({said_all(value)})" if any(value.values()) else ""


def group_messages(backtest: Backtest, group: GroupResult) -> str:
    """How much a rule about owners or teams tells: per owner and week, or in all to those who answer for a team."""
    shadow = " shadow" if group.in_shadow else ""
    if group.to_owners and backtest.rated:
        return f"{backtest.per_owner_week(group.messages):.2f}{shadow}"
    return f"{group.messages:,} in all{shadow}"


def group_sentence(group: GroupResult) -> str:
    """How often a rule about owners or teams held, and in which periods."""
    if not group.alerts:
        return "It did not hold in this history."
    periods = ", ".join(f"{period} {count:,}" for period, count in group.periods.items())
    times = "once" if group.alerts == 1 else f"{group.alerts:,} times"
    return f"It held {times}, by period: {periods}."


def became_words(result: RuleResult) -> str:
    """``12 won, 30 lost, 20 slipped`` and what is not decided."""
    became = result.counts.became
    words = {
        WON: "won",
        LOST: "lost",
        SLIPPED: "slipped",
        "open": "still open",
        "closing": "flagged at the close",
        "deleted": "deleted",
    }
    return ", ".join(f"{became[outcome]:,} {word}" for outcome, word in words.items() if became[outcome]) or "none"


def _lift(result: RuleResult) -> Ratio:
    assert result.comparison is not None
    assert result.comparison.lift is not None
    return result.comparison.lift
