"""A backtest as plain data, for machines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from math import isfinite
from typing import Any

from wellwon.core.units import format_instant, format_money
from wellwon.core.win import READINGS
from wellwon.history.course import OUTCOMES
from wellwon.history.forecast import Borrowing
from wellwon.history.group_counts import GroupResult
from wellwon.history.interval import MIN_N, Ratio, Share
from wellwon.history.report.limits import limits
from wellwon.history.report.words import group_sentence, headlines, retention_sentence, rule_sentence
from wellwon.history.stats import DATA, Backtest, RuleResult
from wellwon.history.wins import DAYS_LEFT, FACTS, PeriodWins, days_left_label


def as_dict(backtest: Backtest) -> dict[str, Any]:
    """Everything that the report says, in JSON's types; money as decimal strings by currency, shares from 0 to 1."""
    info = asdict(backtest.info)
    info |= {name: format_instant(info[name]) for name in ("first_at", "last_at", "as_of")}
    wins, calls = backtest.wins, backtest.calls
    return {
        "headlines": [_plain(line) for line in headlines(backtest)],
        "partial": backtest.info.partial,
        "history": info,
        "policy": backtest.policy,
        "judged_since": format_instant(backtest.since) if backtest.since else None,
        "deals": dict(backtest.deals),
        "messages": {
            name: {
                "count": backtest.messages(data),
                "per_owner_week": round(backtest.per_owner_week(backtest.messages(data)), 4),
                "per_100_open_deals_week": round(backtest.per_hundred_deals_week(backtest.messages(data)), 4),
            }
            for name, data in (("behaviour", False), ("data_quality", True))
        },
        "rules": {result.rule: _rule(backtest, result) for result in backtest.rules},
        "owners_and_teams": {group.rule: _group(backtest, group) for group in backtest.groups},
        "flagged": backtest.flagged,
        "at_risk": _rule(backtest, backtest.at_risk),
        "wins": {
            "periods": {period.label: _period(period) for _, period in sorted(wins.periods.items())},
            "facts": {
                fact: {"yes": wins.facts[fact][True], "no": wins.facts[fact][False], "unknown": wins.facts[fact][None]}
                for fact in FACTS
            },
            "value_by_days_to_period_end": {
                currency: {str(day): format_money(days[day]) for day in sorted(days)}
                for currency, days in sorted(wins.value_by_day.items())
            },
            "late_concessions_by_days_to_period_end": {
                days_left_label(number): {
                    "wins_conceding": wins.conceding_by_days_left[number],
                    "wins_priced": wins.priced_by_days_left[number],
                    "conceded": _money(wins.conceded_by_days_left[number]),
                }
                for number in range(len(DAYS_LEFT))
            },
        },
        "retention": _retention(backtest),
        "borrowed_from_next_period": {
            period.label: _borrowed(period) for _, period in sorted(backtest.borrowed.periods.items())
        },
        "sandbagging": {"wins": calls.wins, "uncalled": calls.uncalled, "value": _money(calls.uncalled_value)},
        "over_calling": {
            "closed_after_commit": calls.committed,
            "lost": calls.overcalled,
            "value": _money(calls.overcalled_value),
        },
        "limits": [_plain(said) for said in limits(backtest)],
    }


def _rule(backtest: Backtest, result: RuleResult) -> dict[str, Any]:
    counts, compared = result.counts, result.comparison
    return {
        "family": result.family,
        "data_quality": result.family == DATA,
        "mode": result.mode or None,
        "verdict": result.verdict,
        "said": _plain(rule_sentence(result)),
        "flagged": result.deals,
        "became": {outcome: counts.became[outcome] for outcome in OUTCOMES},
        "severities": dict(counts.severities),
        "retracted": counts.retracted,
        "messages": counts.messages,
        "messages_in_shadow": counts.shadow,
        "messages_per_owner_week": round(backtest.per_owner_week(counts.messages), 4),
        "precision": _share(result.precision),
        "like_deals": None
        if compared is None
        else {
            **(_share(compared.alike) or {}),
            "flagged": _share(compared.flagged),
            "standing": compared.standing,
            "flagged_without": compared.left_out,
        },
        "lift": None if compared is None else _ratio(compared.lift),
        "lead_days": None
        if result.lead_days is None
        else dict(zip(("p25", "median", "p75"), result.lead_days, strict=True)),
        "churned": None
        if result.churn is None
        else {"flagged": _share(result.churn[0]), "unflagged": _share(result.churn[1])},
    }


def _group(backtest: Backtest, group: GroupResult) -> dict[str, Any]:
    return {
        "asked_of": group.subject,
        "mode": group.mode,
        "said": group_sentence(group),
        "alerts": group.alerts,
        "severities": group.severities,
        "periods": group.periods,
        "messages": group.messages,
        "messages_in_shadow": group.messages if group.in_shadow else 0,
        "messages_per_owner_week": round(backtest.per_owner_week(group.messages), 4),
    }


def _period(period: PeriodWins) -> dict[str, Any]:
    return {
        "wins": period.wins,
        "readings": {reading: period.readings[reading] for reading in READINGS},
        "won_well": _share(Share.of(period.earned, period.known)) if period.known >= MIN_N else None,
        "value": _money(period.value),
        "value_in_last_week": _money(period.last_week),
        "wins_priced": period.priced,
        "wins_conceding": period.conceding,
        "conceded": _money(period.conceded),
    }


def _borrowed(period: Borrowing) -> dict[str, Any]:
    return {
        "deals": period.deals,
        "pulled_in": _money(period.pulled_in),
        "next_opening_pipeline": _money(period.next_opening),
    }


def _retention(backtest: Backtest) -> dict[str, Any] | None:
    found = backtest.retention
    if found is None:
        return None
    by_reading = {reading: dict(found.by_reading[reading]) for reading in READINGS}
    return {"said": _plain(retention_sentence(backtest) or ""), "wins": found.matched, "by_reading": by_reading}


def _share(share: Share | None) -> dict[str, float] | None:
    return None if share is None else {name: round(value, 6) for name, value in asdict(share).items()}


def _ratio(ratio: Ratio | None) -> dict[str, float | None] | None:
    """JSON has no infinity: a high end without limit is null."""
    if ratio is None:
        return None
    return {name: round(value, 6) if isfinite(value) else None for name, value in asdict(ratio).items()}


def _money(money: Mapping[str, int] | Counter[str]) -> dict[str, str]:
    return {currency: format_money(amount) for currency, amount in sorted(money.items())}


def _plain(text: str) -> str:
    return text.replace("\u00a0", " ")
