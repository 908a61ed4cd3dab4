"""What a sample suggests of calendar, stages, segments and words: guesses, each with its evidence."""

from __future__ import annotations

import re
from calendar import monthrange
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

from wellwon.core.model import BEST_CASE, CLOSED, COMMIT, OMITTED, PIPELINE
from wellwon.core.units import date_of
from wellwon.policy.sample import Sample, Stages, in_order

MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LAST_DAYS: Final = 3
"""A date in the last three days of a month is at its end: the last day may be a Sunday."""
DATES_NEEDED: Final = 30
AMOUNTS_NEEDED: Final = 30
"""Below these nothing is guessed: terciles of a handful are an anecdote."""
MOVES_NEEDED: Final = 3
"""Moves for each stage, from which on deals tell the order better than probabilities do."""

_WON: Final = re.compile(r"\bwon\b|closedwon|gewonnen|gagn[eé]|ganad[ao]|vint[ao]|\bsigned\b", re.IGNORECASE)
_LOST: Final = re.compile(
    r"\blost\b|closedlost|verloren|perdu|perdid[ao]|\bdead\b|disqualif|abandon|churned|declined|cancel", re.IGNORECASE
)
_BUYERS: Final = re.compile(r"legal|security|procurement|redlin|paper", re.IGNORECASE)
_RENEWAL: Final = re.compile(r"renew", re.IGNORECASE)

_LABELS: Final = (
    (re.compile(r"commit|called|sure", re.IGNORECASE), COMMIT),
    (re.compile(r"best|upside|likely|probable|stretch", re.IGNORECASE), BEST_CASE),
    (re.compile(r"omit|exclud|not forecast", re.IGNORECASE), OMITTED),
    (re.compile(r"closed|won", re.IGNORECASE), CLOSED),
)

FIELD_WORDS: Final = (
    (re.compile(r"discount|rabatt|remise", re.IGNORECASE), "discount_percent"),
    (re.compile(r"list.?(price|amount|total)|gross", re.IGNORECASE), "list_amount"),
    (re.compile(r"prepa[iy]", re.IGNORECASE), "prepaid_months"),
    (re.compile(r"term(?!.*date)|contract.?length|months", re.IGNORECASE), "term_months"),
    (re.compile(r"go.?live|buyer.*date|customer.*date|target.*date", re.IGNORECASE), "buyer_confirmed_date"),
    (re.compile(r"^(deal|opportunity)?.?type$", re.IGNORECASE), "deal_type"),
    (re.compile(r"region|territory|geo", re.IGNORECASE), "labels.region"),
    (re.compile(r"segment|tier|size", re.IGNORECASE), "labels.segment"),
)


class Guess(NamedTuple):
    """A value and why it is guessed; ``sure`` where the export itself says so."""

    value: str
    why: str
    sure: bool = False


@dataclass(frozen=True, slots=True)
class Sales:
    """A pipeline as it is guessed. ``names``: what deals call it, empty where they do not."""

    names: tuple[str, ...]
    deals: int
    open: tuple[str, ...]
    won: tuple[str, ...]
    lost: tuple[str, ...]
    order: str
    """The evidence of the order of the open stages."""
    closes: dict[str, str]
    """The evidence of each won and lost stage."""
    late_stage: Guess | None
    buyer_process: tuple[str, ...]
    deal_type: Guess | None


# --- stages ---------------------------------------------------------------------------------------------------


def pipelines(sample: Sample, probabilities: Mapping[str, float]) -> list[Sales]:
    """The pipelines of the deals, most deals first. ``probabilities``: mean probability of each stage, percent."""
    return [_sales(names, stages, probabilities) for names, stages in sample.pipelines()]


def _sales(names: Sequence[str], stages: Stages, probabilities: Mapping[str, float]) -> Sales:
    won: list[str] = []
    lost: list[str] = []
    closes: dict[str, str] = {}
    for stage in stages.seen:
        sort = _close(stage, stages, probabilities)
        if sort is not None:
            (won if sort[0] else lost).append(stage)
            closes[stage] = sort[1]
    opened = in_order(stages, [stage for stage in stages.seen if stage not in closes])
    pairs = [(a, b) for i, a in enumerate(opened) for b in opened[i + 1 :]]
    along = sum(stages.before[pair] for pair in pairs)
    against = sum(stages.before[b, a] for a, b in pairs)
    told = f"moves along it {along:,}, against it {against:,}"
    if along < MOVES_NEEDED * len(opened) and all(stage in probabilities for stage in opened):
        opened.sort(key=lambda stage: probabilities[stage])
        told = f"by their probability, for {along + against:,} moves are too few to tell"
    return Sales(
        names=tuple(names),
        deals=len(stages.deals),
        open=tuple(opened),
        won=tuple(won),
        lost=tuple(lost),
        order=told,
        closes=closes,
        late_stage=_late_stage(stages, opened),
        buyer_process=tuple(stage for stage in opened if _BUYERS.search(stage)),
        deal_type=_deal_type(names),
    )


def _close(stage: str, stages: Stages, probabilities: Mapping[str, float]) -> tuple[bool, str] | None:
    """Whether a stage is won (True) or lost, and why; None for an open one."""
    count, won, lost = stages.seen[stage], stages.won[stage], stages.lost[stage]
    if max(won, lost) * 2 > count:
        return won >= lost, f"closed in {max(won, lost):,} of {count:,} rows"
    if _WON.search(stage):
        return True, "by its name"
    if _LOST.search(stage):
        return False, "by its name"
    return (True, "its probability is 100 %") if probabilities.get(stage, 0.0) >= 100 else None


def _late_stage(stages: Stages, opened: Sequence[str]) -> Guess | None:
    for stage in opened:
        counts = stages.categories.get(stage, Counter())
        if counts[COMMIT] * 2 > counts.total():
            return Guess(
                stage, f"the first in which most deals are in Commit ({counts[COMMIT]:,} of {counts.total():,})"
            )
    return None


def _deal_type(names: Sequence[str]) -> Guess | None:
    renewals = [name for name in names if _RENEWAL.search(name)]
    return Guess("renewal", "by its name") if renewals else None


# --- calendar -------------------------------------------------------------------------------------------------


def start_month(dates: Sequence[int]) -> Guess | None:
    """The month in which the fiscal year begins, from where close dates pile up; None where they do not."""
    if len(dates) < DATES_NEEDED:
        return None
    at_end = Counter(day.month for day in map(date_of, dates) if _is_at_end(day))
    by_phase = Counter({phase: sum(at_end[month] for month in range(phase, 13, 3)) for phase in (1, 2, 3)})
    (phase, most), (_, second) = by_phase.most_common(2)
    if most * 3 < len(dates) or most < second * 1.5:
        return None
    months = list(range(phase, 13, 3))
    listed = ", ".join(f"{MONTHS[month - 1]} {at_end[month]}" for month in months)
    usual = 12 if phase == 3 else phase
    largest = max(months, key=lambda month: at_end[month])
    whole_year = all(at_end[month] for month in months)
    last = largest if whole_year and at_end[largest] > at_end[usual] * 1.5 else usual
    which = (
        f"most of them in {MONTHS[last - 1]}" if last == largest and whole_year else "which ends the year is not told"
    )
    return Guess(
        str(last % 12 + 1),
        f"{most} of {len(dates)} close dates lie in the last days of {listed}, so quarters end there; {which}",
    )


def is_monthly(dates: Sequence[int]) -> Guess | None:
    """Months rather than quarters: close dates pile up at the end of every month alike."""
    at_end = Counter(day.month for day in map(date_of, dates) if _is_at_end(day))
    if len(dates) < DATES_NEEDED or at_end.total() * 3 < len(dates):
        return None
    by_phase = sorted(sum(at_end[month] for month in range(phase, 13, 3)) for phase in (1, 2, 3))
    if by_phase[2] > by_phase[0] * 1.5:
        return None
    return Guess("month", f"{at_end.total()} of {len(dates)} close dates lie in the last days of a month, in all alike")


def _is_at_end(day: date) -> bool:
    return day.day > monthrange(day.year, day.month)[1] - LAST_DAYS


# --- segments and words ---------------------------------------------------------------------------------------


def terciles(amounts: Sequence[int]) -> tuple[int, int] | None:
    """Two amounts (hundredths, rounded to two figures) that part the deals into thirds; None where they are too few."""
    if len(amounts) < AMOUNTS_NEEDED:
        return None
    low, high = (_rounded(amounts[len(amounts) * third // 3]) for third in (1, 2))
    return (low, high) if 0 < low < high else None


def _rounded(amount: int) -> int:
    units = amount // 100
    step: int = 10 ** max(0, len(str(units)) - 2)
    return (units + step // 2) // step * step * 100


def category_of(label: str) -> str:
    """The category that a label may mean, by its words."""
    return next((category for pattern, category in _LABELS if pattern.search(label)), PIPELINE)


def field_of(column: str) -> str | None:
    """The field of a deal that a column may be, by its name."""
    bare = re.sub(r"__c$", "", column).replace("_", " ")
    return next((ours for pattern, ours in FIELD_WORDS if pattern.search(bare)), None)
