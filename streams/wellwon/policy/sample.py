"""What an export shows of an organisation, counted: stages and their order, dates, amounts, categories, writers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wellwon.core import items
from wellwon.core.model import CLOSED
from wellwon.core.units import parse_date, parse_money
from wellwon.policy.model import CATEGORIES


@dataclass(slots=True)
class Stages:
    """The stages of one pipeline, in the order in which they were first seen."""

    deals: set[str] = field(default_factory=set)
    seen: dict[str, int] = field(default_factory=dict)
    """Stage to how often it was written."""
    before: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many deals held the first of two stages before the second."""
    won: Counter[str] = field(default_factory=Counter)
    lost: Counter[str] = field(default_factory=Counter)
    """How often a stage was written with a close of that sort."""
    categories: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Stage to forecast categories (the core's) that deals were in when they came to it, or were moved to in it."""


@dataclass(slots=True)
class _Deal:
    pipeline: str = ""
    category: str = ""
    stages: list[str] = field(default_factory=list)
    close_date: int | None = None
    amount: int | None = None
    currency: str = ""


class Sample:
    """Feed it changes in their wire form with `note`."""

    def __init__(self) -> None:
        self._deals: dict[str, _Deal] = {}
        self._stages: defaultdict[str, Stages] = defaultdict(Stages)
        self.categories: Counter[str] = Counter()
        """Labels as the CRM writes them."""
        self.writers: Counter[str] = Counter()
        self.changes = 0

    @property
    def deals(self) -> int:
        """How many deals there are."""
        return len(self._deals)

    @property
    def close_dates(self) -> list[int]:
        """The last close date of each deal that has one, day numbers."""
        return [deal.close_date for deal in self._deals.values() if deal.close_date is not None]

    @property
    def amounts(self) -> list[int]:
        """The last amount of each deal that has one above 0, hundredths; sorted."""
        return sorted(deal.amount for deal in self._deals.values() if deal.amount)

    @property
    def currencies(self) -> Counter[str]:
        """How many deals are in each currency that is named."""
        return Counter(deal.currency for deal in self._deals.values() if deal.currency)

    def note(self, change: Mapping[str, Any]) -> None:
        """Count one change (opportunity-change.v1)."""
        deal_id, kind, values = change.get("opportunity_id"), change.get("kind"), change.get("values") or {}
        if not isinstance(deal_id, str) or kind in (items.ANSWER, items.ACTIVITY, items.LINE_ITEM, items.RECLASSIFIED):
            return
        self.changes += 1
        deal = self._deals.setdefault(deal_id, _Deal())
        if writer := (change.get("writer") or {}).get("id"):
            self.writers[writer] += 1
        deal.pipeline = _text(values.get("pipeline")) or deal.pipeline
        deal.currency = _text(values.get("currency")) or deal.currency
        if values.get("close_date"):
            deal.close_date = parse_date(values["close_date"])
        if "amount" in values:
            deal.amount = None if values["amount"] is None else parse_money(values["amount"])
        label = _text(values.get("forecast_category"))
        if label:
            self.categories[label] += 1
            deal.category = CATEGORIES.get(label.lower(), "")
        stage = _text(values.get("stage"))
        if stage:
            self._stage(deal_id, deal, stage, values, closes=bool(label) and deal.category == CLOSED)
        elif label and deal.category and deal.stages:
            self._stages[deal.pipeline].categories[deal.stages[-1]][deal.category] += 1

    def _stage(self, deal_id: str, deal: _Deal, stage: str, values: Mapping[str, Any], *, closes: bool) -> None:
        stages = self._stages[deal.pipeline]
        stages.deals.add(deal_id)
        stages.seen[stage] = stages.seen.get(stage, 0) + 1
        if values.get("is_won") or closes:
            stages.won[stage] += 1
        elif values.get("is_closed"):
            stages.lost[stage] += 1
        if deal.category:
            stages.categories[stage][deal.category] += 1
        if stage not in deal.stages:
            stages.before.update((earlier, stage) for earlier in deal.stages)
            deal.stages.append(stage)

    def pipelines(self) -> list[tuple[list[str], Stages]]:
        """Pipelines with the names that deals give them, most deals first; those with the same stages are one."""
        groups: dict[frozenset[str], tuple[list[str], Stages]] = {}
        for name, stages in sorted(self._stages.items(), key=lambda item: (-len(item[1].deals), item[0])):
            names, together = groups.setdefault(frozenset(stages.seen), ([], Stages()))
            names += [name] if name else []
            _merge(together, stages)
        return sorted(groups.values(), key=lambda group: -len(group[1].deals))


def _merge(into: Stages, stages: Stages) -> None:
    into.deals |= stages.deals
    for stage, count in stages.seen.items():
        into.seen[stage] = into.seen.get(stage, 0) + count
    into.before.update(stages.before)
    into.won.update(stages.won)
    into.lost.update(stages.lost)
    for stage, counts in stages.categories.items():
        into.categories[stage].update(counts)


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def in_order(stages: Stages, names: Sequence[str]) -> list[str]:
    """Stages as most deals go through them: each stands before those that more deals held after it than before it."""
    place = {name: number for number, name in enumerate(stages.seen)}

    def ahead(name: str) -> int:
        others = ((stages.before[name, other], stages.before[other, name]) for other in names if other != name)
        return sum((later > earlier) - (later < earlier) for later, earlier in others)

    return sorted(names, key=lambda name: (-ahead(name), place[name]))
