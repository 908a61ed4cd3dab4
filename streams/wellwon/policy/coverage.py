"""Which patterns the mapped fields can support, counted from real records: per rule yes, partly or no, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from wellwon.core import items
from wellwon.core.rule import AMOUNT, CATEGORY, DATE, NEXT_STEP, OWNER, PRICE, STAGE, TOUCH, RuleSpec
from wellwon.policy.model import Policy

YES: Final = "yes"
PARTLY: Final = "partly"
NO: Final = "no"

ENOUGH: Final = 80
"""A field that this share of deals has, percent, supports a pattern; of fewer deals it supports it partly."""
FEW: Final = 20
"""In fewer deals nobody can say that a field never changes."""

CLOSE_DATE: Final = "close date"
KNOWN_STAGE: Final = "stage"
AN_AMOUNT: Final = "amount"
DISCOUNT: Final = "discount"
LIST: Final = "list amount"
A_CATEGORY: Final = "forecast category"
RETURN: Final = "term, prepayment or quantity"
BUYERS: Final = "buyer's date"
NEXT: Final = "next step"
AN_OWNER: Final = "owner"
OUT: Final = "outbound touches"
IN: Final = "inbound touches"
CREATION: Final = "creation"

FACETS: Final = (
    CLOSE_DATE, KNOWN_STAGE, AN_AMOUNT, DISCOUNT, LIST, A_CATEGORY, RETURN, BUYERS, NEXT, AN_OWNER, OUT, IN, CREATION,
)  # fmt: skip
"""What rules work with, in the order in which it is told."""

_OF_PART: Final = {
    DATE: CLOSE_DATE, STAGE: KNOWN_STAGE, PRICE: DISCOUNT, AMOUNT: AN_AMOUNT, CATEGORY: A_CATEGORY, TOUCH: OUT,
    NEXT_STEP: NEXT, OWNER: AN_OWNER,
}  # fmt: skip
_OF_FIELD: Final = {
    "close_date": CLOSE_DATE, "amount": AN_AMOUNT, "list_amount": LIST, "term_months": RETURN, "prepaid_months": RETURN,
    "buyer_confirmed_date": BUYERS, "next_step": NEXT, "owner_id": AN_OWNER,
}  # fmt: skip
_MISSING: Final = {
    CLOSE_DATE: "no deal has a close date",
    KNOWN_STAGE: "no stage is one of a pipeline of the policy",
    AN_AMOUNT: "no deal has an amount",
    DISCOUNT: "no discount is known: line items with list prices, a discount field or a list amount would say it",
    A_CATEGORY: "no forecast category is known, and no pipeline says what its stages mean",
    OUT: "no activities are fed",
    NEXT: "no deal has a next step",
    AN_OWNER: "no deal has an owner",
}


class Share(NamedTuple):
    """How many deals have something, how often it changed after that, and the CRM fields that it is read from."""

    facet: str
    deals: int
    changes: int
    mapped: tuple[str, ...]


class Verdict(NamedTuple):
    """What the records can support of one rule; ``notes`` are look-alikes that cannot be told from it."""

    rule: str
    mode: str
    supported: str
    why: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class _Known:
    facets: set[str] = field(default_factory=set)
    listed: bool = False
    """It has a list amount; with an amount that is a discount."""
    stage: str = ""
    pipeline: str = ""


class Coverage:
    """Counts what records have; feed it changes in their wire form with `note`."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._deals: dict[str, _Known] = {}
        self._changes: Counter[str] = Counter()
        self._by_key = {key: pipeline for pipeline in policy.pipelines for key in pipeline.keys}
        self.snapshots = 0
        """Deals of which a snapshot is the first that is known."""
        self.by_people = 0
        self.written = 0
        """Changes after a deal's first record, and how many of them people wrote."""
        self.first_at = ""
        self.last_at = ""
        """RFC 3339."""
        self.stages = 0
        self.unknown_stages: Counter[str] = Counter()
        self.unknown_categories: Counter[str] = Counter()

    @property
    def deals(self) -> int:
        """How many deals the records are of."""
        return len(self._deals)

    def note(self, change: Mapping[str, Any]) -> None:
        """Count one change (opportunity-change.v1)."""
        kind, values, at = change.get("kind"), change.get("values") or {}, str(change.get("occurred_at", ""))
        deal = change.get("opportunity_id")
        if not isinstance(deal, str) or kind in (items.ANSWER, items.RECLASSIFIED, items.CLOCK, items.POLICY):
            return
        self.first_at = min(self.first_at or at, at)
        self.last_at = max(self.last_at, at)
        known = self._deals.get(deal)
        if known is None:
            known = self._deals[deal] = _Known()
            self.snapshots += kind == items.SNAPSHOT
        elif kind in (items.CHANGED, items.LINE_ITEM):
            self.written += 1
            self.by_people += (change.get("writer") or {}).get("kind") == items.USER
        if kind == items.CREATED:
            known.facets.add(CREATION)
        elif kind == items.ACTIVITY:
            self._has(known, IN if change.get("direction") == "inbound" else OUT)
        elif kind == items.LINE_ITEM:
            self._line(known, values)
            return
        self._fields(known, values)

    def _has(self, known: _Known, facet: str) -> None:
        if facet in known.facets:
            self._changes[facet] += 1
        known.facets.add(facet)

    def _line(self, known: _Known, values: Mapping[str, Any]) -> None:
        if values.get("list_price") and values.get("unit_price") is not None:
            self._has(known, DISCOUNT)
        elif "unit_price" in values and DISCOUNT in known.facets:
            self._changes[DISCOUNT] += 1
        if values.get("quantity"):
            known.facets.add(RETURN)

    def _fields(self, known: _Known, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            facet = _OF_FIELD.get(name)
            if facet and value not in (None, ""):
                self._has(known, facet)
        known.listed = known.listed or bool(values.get("list_amount"))
        if values.get("discount_percent") is not None or (
            known.listed and values.get("amount" if AN_AMOUNT in known.facets else "list_amount") is not None
        ):
            self._has(known, DISCOUNT)
        if values.get("pipeline"):
            known.pipeline = str(values["pipeline"])
        if values.get("stage"):
            self._stage(known, str(values["stage"]))
        label = values.get("forecast_category")
        if label and str(label).lower() not in self._policy.categories:
            self.unknown_categories[str(label)] += 1
        elif label:
            self._has(known, A_CATEGORY)

    def _stage(self, known: _Known, stage: str) -> None:
        self.stages += 1
        pipeline = self._by_key.get(known.pipeline, self._policy.pipelines[0])
        if stage not in (*pipeline.open, *pipeline.won, *pipeline.lost):
            self.unknown_stages[stage] += 1
            return
        if stage != known.stage:
            self._has(known, KNOWN_STAGE)
            known.stage = stage
        if stage in pipeline.categories:
            self._has(known, A_CATEGORY)

    # --- what it comes to -------------------------------------------------------------------------------------

    def shares(self) -> list[Share]:
        """What the deals have."""
        counts = Counter(facet for known in self._deals.values() for facet in known.facets)
        fields: dict[str, list[str]] = {}
        for crm, ours in self._policy.fields.items():
            facet = {"discount_percent": DISCOUNT, "stage": KNOWN_STAGE, "forecast_category": A_CATEGORY}.get(ours)
            fields.setdefault(facet or _OF_FIELD.get(ours, ""), []).append(crm)
        return [Share(facet, counts[facet], self._changes[facet], tuple(fields.get(facet, ()))) for facet in FACETS]

    def verdicts(self) -> list[Verdict]:
        """What the records can support, rule by rule."""
        shares = {share.facet: share for share in self.shares()}
        return [self._verdict(spec, shares) for spec in self._policy.specs]

    def _verdict(self, spec: RuleSpec, shares: dict[str, Share]) -> Verdict:
        mode = self._policy.rules[spec.name].mode
        no, partly = [], []
        for part, facet in _OF_PART.items():
            share = shares[facet]
            if not (spec.reads | spec.rests_on) & part:
                continue
            rests = spec.rests_on & part or part in (DATE, STAGE, OWNER)
            if not share.deals and rests:
                no.append(_MISSING[facet])
            elif not share.deals and part in (PRICE, AMOUNT, CATEGORY, TOUCH):
                partly.append(f"without the {facet} it sees less")
            elif rests and share.deals * 100 < self.deals * ENOUGH:
                partly.append(f"the {facet} is known of {_percent(share.deals, self.deals)} of the deals")
            elif rests and share.deals >= FEW and not share.changes and facet != OUT:
                partly.append(f"no change of the {facet} is in these records: is its history kept?")
        partly += self._of_the_history(spec)
        if not self.deals:
            no = ["there are no records"]
        supported = NO if no else PARTLY if partly else YES
        return Verdict(spec.name, mode, supported, tuple(no or partly), tuple(_lookalikes(spec, shares)))

    def _of_the_history(self, spec: RuleSpec) -> Iterator[str]:
        if self.snapshots * 100 > self.deals * (100 - ENOUGH):
            share = _percent(self.snapshots, self.deals)
            yield f"of {share} of the deals the beginning is not known: the history starts later"
        if self.written and not self.by_people and spec.family != "data":
            yield "no change is known to be written by a person: see writers in the policy"
        unknown = self.unknown_stages.total()
        if spec.reads & STAGE and unknown * 20 > self.stages:
            yield f"{_percent(unknown, self.stages)} of the stages written are in no pipeline of the policy"
        if spec.reads & CATEGORY and self.unknown_categories:
            yield f"categories that the policy does not know: {', '.join(sorted(self.unknown_categories))}"


def _lookalikes(spec: RuleSpec, shares: dict[str, Share]) -> Iterator[str]:
    """What the rule's page calls fine, and these records cannot show."""
    fine = spec.doc.partition("## When it is fine")[2].partition("## ")[0]
    if "buyer gave" in fine and not shares[BUYERS].deals:
        yield "buyers' dates are not mapped: a move to one counts until somebody answers so"
    if ("traded" in fine or "in return" in fine) and not shares[RETURN].deals:
        yield "term, prepayment and quantity are not known: a traded discount counts until somebody answers so"


def _percent(part: int, whole: int) -> str:
    return f"{round(100 * part / whole) if whole else 0} %"
