"""Runs of deals for the tests of statistics and report: one by hand, many by chance."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from wellwon.core.calendar import FiscalCalendar
from wellwon.core.model import LOST, OPEN, WON
from wellwon.core.moves import COUNTS
from wellwon.core.units import DAY, HOUR, parse_date
from wellwon.core.win import READINGS, UNKNOWN, Win
from wellwon.history.deal_run import DateMoved, DealRun, Flag, HistoryInfo
from wellwon.history.retention import Fate
from wellwon.history.stats import Backtest, RuleResult
from wellwon.history.tally import Tally
from wellwon.policy import Policy, load_policy

CALENDAR = FiscalCalendar()


def at(text: str) -> int:
    """The instant at which a day begins in UTC."""
    return parse_date(text) * DAY


def flag(rule: str, opened: str | int, **more: Any) -> Flag:
    """A flag, open to the end unless said otherwise."""
    values: dict[str, Any] = {
        "rule": rule,
        "family": "timing",
        "mode": "alert",
        "period": "",
        "severity": "warning",
        "opened_at": at(opened) if isinstance(opened, str) else opened,
        "closed_at": 0,
        "ended": "",
        "covered": False,
        "close_date": None,
        "amount": None,
    }
    return Flag(**{**values, **more})


def moved(when: str | int, old: str | None, new: str | None, why: int = COUNTS) -> DateMoved:
    """A move of the close date."""
    before, after = (None if day is None else parse_date(day) for day in (old, new))
    instant = at(when) if isinstance(when, str) else when
    crossed = (
        before is not None
        and after is not None
        and CALENDAR.period_of_day(after).index > CALENDAR.period_of_day(before).index
    )
    return DateMoved(instant, before, after, why, crossed)


def win(day: int, reading: str = UNKNOWN, **more: Any) -> Win:
    """A win record."""
    values: dict[str, Any] = {
        "price_held": None,
        "date_held": None,
        "buyer_answered": None,
        "discount": None,
        "baseline": None,
        "traded": False,
        "date_before": None,
        "late_concession": None,
    }
    return Win(**{**values, "date": day, "reading": reading, **more})


def run(
    deal_id: str = "d1",
    created: str | int = "2026-01-10",
    closed: str | int | None = None,
    status: int = OPEN,
    close_date: str | int = "2026-03-20",
    end: str = "2026-12-31",
    reading: str = UNKNOWN,
    **more: Any,
) -> DealRun:
    """A deal; won or lost where ``closed`` and ``status`` say so."""
    begins = at(created) if isinstance(created, str) else created
    closed_at = 0 if closed is None else at(closed) if isinstance(closed, str) else closed
    dated = parse_date(close_date) if isinstance(close_date, str) else close_date
    won_day = CALENDAR.local_day(closed_at or begins)
    period = CALENDAR.period_of_day(won_day)
    values: dict[str, Any] = {
        "owner": "ann",
        "segment": "default",
        "deal_type": "new",
        "pipeline": "",
        "currency": "USD",
        "name": "Deal",
        "first_at": begins,
        "created_at": begins,
        "last_at": closed_at or begins,
        "ended_at": at(end),
        "amount": 1_000_000,
        "list_amount": None,
        "discount": None,
        "forecast": (),
        "changes": 2,
        "flags": (),
        "dates": (),
        "win": win(won_day, reading) if status == WON else None,
        "win_period": period.label if status == WON else "",
        "days_to_period_end": period.end_day - won_day if status == WON else None,
        "known": frozenset({"amount", "stage", "close_date"}),
        "deal_id": deal_id,
        "status": status,
        "closed_at": closed_at,
        "close_date": dated,
    }
    return DealRun(**{**values, **more})


def info(**more: Any) -> HistoryInfo:
    """What was read: by default a year of one file without anything unusual."""
    values: dict[str, Any] = {
        "files": ("history.csv",),
        "rows": 100,
        "changes": 100,
        "rejected": 0,
        "first_rejected": (),
        "rejected_file": "",
        "first_at": at("2026-01-01"),
        "last_at": at("2026-12-31"),
        "as_of": at("2026-12-31"),
        "deals": 10,
        "partial": False,
        "fields": {"amount": 10, "close_date": 10, "stage": 10, "owner_id": 10, "forecast_category": 10,
                   "discount_percent": 10},
        "currencies": {"USD": 10},
        "notes": (),
    }  # fmt: skip
    return HistoryInfo(**{**values, **more})


FLAGGING = ("close-date-push", "late-discount", "commit-slip", "past-due-close-date", "push-to-close")
FAMILY = {"close-date-push": "timing", "late-discount": "price", "commit-slip": "forecast",
          "past-due-close-date": "data", "push-to-close": "pressure"}  # fmt: skip


def many(
    seed: int, deals: int, first: str = "2025-01-05", end: str = "2026-12-31", share: float = 0.1
) -> Iterator[DealRun]:
    """Deals of two years; each rule flags a share of them, and those that close-date-push flags fare worse."""
    rng = Random(seed)
    begin, last = at(first), at(end)
    for number in range(deals):
        created = begin + rng.randrange(last - begin)
        promised = CALENDAR.local_day(created) + rng.randrange(20, 140)
        flags = tuple(
            flag(rule, min(last, created + rng.randrange(5, 100) * DAY + rng.randrange(24) * HOUR), family=FAMILY[rule],
                 ended=rng.choice(("", "", "", "retracted")), mode="shadow" if rule == "commit-slip" else "alert",
                 covered=rng.random() < 0.1, severity=rng.choice(("info", "warning", "high")))
            for rule in FLAGGING if rng.random() < share
        )  # fmt: skip
        bad = 0.3 + 0.3 * any(found.rule == "close-date-push" for found in flags)
        dates = [DateMoved(created, None, promised, 9, False)]
        if rng.random() < bad:
            pushed = promised + rng.randrange(5, 90)
            dates.append(DateMoved(created + (promised * DAY - created) * 9 // 10, promised, pushed, COUNTS, True))
            promised = pushed
        if rng.random() < 0.15:
            earlier = max(CALENDAR.local_day(created) + 1, promised - rng.randrange(5, 40))
            dates.append(DateMoved((earlier - 2) * DAY, promised, earlier, COUNTS, False))
            promised = earlier
        closed = max(promised * DAY + rng.randrange(24) * HOUR, dates[-1].at + HOUR)
        status = OPEN if closed > last else WON if rng.random() < 0.55 else LOST
        discounted = rng.random() < 0.2
        yield run(
            f"d{number}",
            created=created,
            closed=None if status == OPEN else closed,
            status=status,
            close_date=promised,
            end=end,
            owner=f"o{number % 12}",
            segment=rng.choice(("SMB", "Enterprise")),
            currency=rng.choice(("USD", "USD", "USD", "EUR")),
            amount=rng.randrange(500_000, 9_000_000),
            forecast=rng.choice((("pipeline",), ("pipeline", "best_case"), ("pipeline", "best_case", "commit"))),
            flags=tuple(sorted((f for f in flags if created <= f.opened_at), key=lambda f: f.opened_at)),
            dates=tuple(sorted(dates, key=lambda move: move.at)),
            win=win(
                CALENDAR.local_day(closed),
                rng.choice(READINGS),
                late_concession=rng.randrange(100_000, 900_000) if discounted else 0,
                price_held=not discounted,
                date_held=rng.random() < 0.6,
            )
            if status == WON
            else None,
        )


class Kept:
    """Counts nothing and keeps the runs as they are."""

    def __init__(self, policy: Policy) -> None:
        self.runs: list[DealRun] = []
        self.told: list[bytes] = []

    def add(self, run: DealRun) -> None:
        self.runs.append(run)

    def hand_over(self) -> list[DealRun]:
        runs, self.runs = self.runs, []
        return runs

    def take(self, runs: list[DealRun]) -> None:
        self.runs += runs

    def tell(self, record: bytes) -> None:
        self.told.append(record)


def backtest(*runs: DealRun, fates: dict[str, Fate] | None = None, since: int = 0, policy: str = "") -> Backtest:
    """What a backtest of these deals says."""
    tally = Tally(load_policy(policy), fates, since)
    for one in runs:
        tally.add(one)
    return tally.result(info(deals=len(runs)))


def rule(found: Backtest, name: str) -> RuleResult:
    """What it says of one rule."""
    return next(result for result in found.rules if result.rule == name)
