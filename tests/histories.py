"""Generated histories of a deal: everything that a log may hold for one key, dense around what rules look at.

Drawn from a seed, not value by value: so most saves mean something, and a failing history is named by a number.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

from wellwon.core.items import ANSWERS
from wellwon.core.units import DAY, HOUR, MINUTE, SECOND, format_instant, parse_instant
from wellwon.core.wire import encode_clock
from wellwon.rules import RULES

START = parse_instant("2026-09-10T09:00:00Z")
DEAL = "006A"
"""The deal, or the first of several."""

STAGES = ("Prospecting", "Needs Analysis", "Value Proposition", "Proposal/Price Quote", "Negotiation/Review")
DATES = ("2026-09-12", "2026-09-25", "2026-09-29", "2026-09-30", "2026-10-01", "2026-10-09", "2026-11-30")
GAPS = (0, 5 * SECOND, 20 * MINUTE, 70 * MINUTE, 5 * HOUR, DAY, DAY, 3 * DAY, 9 * DAY)

POLICIES = (
    "",
    "calendar: {kind: month, zone: America/New_York}\nactivities: both\nfields: {Next__c: next_step}\n",
    "calendar: {start_month: 2, pattern: 4-4-5, zone: Asia/Kolkata}\ncorrection_minutes: 60\nbulk_records: 3\n",
    """
pipelines:
  - name: New business
    open: [Prospecting, Needs Analysis, Value Proposition, Proposal/Price Quote, Negotiation/Review]
    won: [Closed Won]
    lost: [Closed Lost]
    buyer_process: [Negotiation/Review]
  - name: Renewals
    open: [Prospecting, Negotiation/Review]
    won: [Closed Won]
    lost: [Closed Lost]
    deal_type: renewal
    categories: {Negotiation/Review: commit}
segments:
  - name: large
    when: {amount_min: 90000}
    window_days: 20
    norms:
      wins: 40
      discount_p75: 14
      stage_days_median: {Needs Analysis: 2, Value Proposition: 5}
      days_to_won_p10: {Needs Analysis: 20, Value Proposition: 3}
    rules: {discount-creep: off, commit-slip: {high_days: 0}}
activities: both
rules:
  push-to-close: {acts: 2}
  close-date-push: {pushes: 1}
  next-step-missing: {days: 9}
  last-day-parking: {days: 8}
  category-flip-flop: {reversals: 2}
  quiet-commit: {days: 6}
  amount-spike: {raise_percent: 20}
exemptions:
  - {owners: [anna], until: 2026-09-24, reason: a new territory}
  - {segments: [large], rules: [close-date-push, late-discount], until: 2026-09-30, reason: a migration}
""",
)

VALUES: dict[str, Callable[[Random], Any]] = {
    "close_date": lambda rng: rng.choice(DATES),
    "stage": lambda rng: rng.choice((*STAGES[:3], *STAGES, "Closed Won", "Closed Lost", "Unheard Of")),
    "forecast_category": lambda rng: rng.choice(("Commit", "Commit", "Best Case", "Pipeline", "Omitted", "Closed")),
    "discount_percent": lambda rng: rng.choice(("5", "9.5", "12", "17", "23", "38")),
    "amount": lambda rng: rng.choice(("70000", "80000", "95000", "100000", "150000", "0")),
    "list_amount": lambda rng: rng.choice(("100000", "130000")),
    "term_months": lambda rng: rng.choice((12, 24, 36)),
    "prepaid_months": lambda rng: rng.choice((0, 12)),
    "buyer_confirmed_date": lambda rng: rng.choice(DATES),
    "pipeline": lambda rng: rng.choice(("New business", "Renewals")),
    "currency": lambda rng: rng.choice(("EUR", "USD")),
    "owner_id": lambda rng: rng.choice(("anna", "ben")),
    "next_step": lambda rng: rng.choice(("call", "call ", "meet", "")),
    "name": lambda rng: rng.choice(("Acme", "Acme Ltd")),
    "created_at": lambda rng: format_instant(START - rng.choice((0, DAY, 20 * DAY))),
}
_OFTEN = ("close_date", "close_date", "discount_percent", "discount_percent", "amount", "forecast_category", "stage")


class Record(NamedTuple):
    """A record of the log."""

    key: bytes | None
    value: bytes
    offset: int


@dataclass(frozen=True)
class History:
    """The records of one deal, with clock records between them."""

    seed: int
    policy: str
    records: tuple[Record, ...] = field(repr=False)

    def __str__(self) -> str:
        lines = "\n".join(f"  {record.offset:3} {record.value.decode()}" for record in self.records)
        return f"History of seed {self.seed}, policy {self.policy!r}:\n{lines}"


def histories(most: int = 40, clock_every: int = 7 * HOUR, deals: int = 1) -> st.SearchStrategy[History]:
    """A log: in order for the most part, with late records, repeats and reclassified bulk edits."""
    return st.integers(0, 2**32).map(lambda seed: history(seed, most, clock_every, deals))


def clock(at: int, offset: int) -> Record:
    """A clock record."""
    return Record(None, encode_clock(at), offset)


def change(event: dict[str, Any], at: int, number: int | str, offset: int, deal: str = DEAL) -> Record:
    """A record of one thing that happened, with the source's id ``c<number>``."""
    wire = {"id": f"c{number}", "opportunity_id": deal, "source": "test", "occurred_at": format_instant(at), **event}
    return Record(deal.encode(), json.dumps(wire).encode(), offset)


def history(seed: int, most: int, clock_every: int, deals: int = 1) -> History:
    """The history that a seed stands for."""
    rng = Random(seed)
    at = ticked = START + rng.choice((0, 0, 12)) * DAY
    created_at = at - rng.choice((0, 2, 40)) * DAY
    ids = [f"{DEAL}{n}" if n else DEAL for n in range(deals)]
    records = [change(created(rng), created_at, -n, n, deal) for n, deal in enumerate(ids)]
    for number in range(1, rng.randint(3, most) + 1):
        deal = rng.choice(ids)
        gap = rng.choice(GAPS)
        at += gap
        while ticked + clock_every <= at:
            ticked += clock_every
            records.append(clock(ticked, len(records)))
        dice = rng.random()
        if dice < 0.02:
            for mail in range(rng.randint(3, 11)):
                touch = {"kind": "activity", "direction": "outbound"}
                records.append(change(touch, at, f"{number}-{mail}", len(records), deal))
        elif dice < 0.04:
            bulk = [f"c{rng.randrange(number)}" for _ in range(3)]
            records.append(change({"kind": "reclassified", "changes": bulk}, at, number, len(records), deal))
        elif dice < 0.08:
            again = rng.choice([record for record in records if record.key is not None])
            records.append(again._replace(offset=len(records)))
        else:
            late = rng.choice((MINUTE, 9 * MINUTE, HOUR)) if dice < 0.2 else 0
            records.append(change(event(rng, at - late), at - late, number, len(records), deal))
    for _ in range(rng.choice((1, 90))):
        ticked += clock_every
        records.append(clock(ticked, len(records)))
    return History(seed, rng.choice(POLICIES), tuple(records))


def created(rng: Random) -> dict[str, Any]:
    """A deal as it begins."""
    values = {
        "stage": rng.choice(STAGES),
        "close_date": rng.choice(DATES),
        "amount": rng.choice(("100000", "100000", None)),
        "forecast_category": rng.choice(("Commit", "Best Case", "Pipeline")),
        "owner_id": "anna",
    }
    if rng.random() < 0.7:
        values["discount_percent"] = "9.5"
    if rng.random() < 0.5:
        values["list_amount"] = "130000"
    if rng.random() < 0.5:
        values["next_step"] = rng.choice(("call", None))
    return {
        "kind": "created",
        "values": values,
        "writer": {"id": "anna", "kind": rng.choice(("user", "user", "admin"))},
    }


def event(rng: Random, at: int) -> dict[str, Any]:
    """One thing that happens to a deal, without its id; records of an instant may be of one save."""
    dice = rng.random()
    if dice < 0.06:
        rule = rng.choice(("", *(spec.name for spec in RULES)))
        return {"kind": "answer", "answer": rng.choice((*ANSWERS, "not_right")), "by": "anna", "rule": rule}
    if dice < 0.14:
        return {"kind": "activity", "direction": rng.choice(("outbound", "outbound", "outbound", "inbound"))}
    if dice < 0.16:
        return {"kind": rng.choice(("deleted", "restored", "gap"))}
    writer = rng.choice((*[{"id": "anna", "kind": "user"}] * 6, {"id": "ben", "kind": "user"},
                         {"id": "sync", "kind": "integration"}))  # fmt: skip
    found: dict[str, Any] = {"kind": "changed", "writer": writer}
    if rng.random() < 0.6:
        found["transaction"] = f"t{at}"
    if rng.random() < 0.06:
        found["bulk"] = 30
    if dice < 0.22:
        return {**found, "kind": "line_item", "line_item_id": rng.choice(("L1", "L2")), "values": _line(rng)}
    if dice < 0.25:
        found["kind"] = "snapshot"
    names = rng.sample(_OFTEN, rng.choice((1, 1, 1, 2, 3))) + rng.sample(list(VALUES), rng.choice((0, 0, 0, 1)))
    found["values"] = {name: None if rng.random() < 0.03 else VALUES[name](rng) for name in names}
    return found


def _line(rng: Random) -> dict[str, Any]:
    line = {"quantity": rng.choice(("1", "2")), "unit_price": rng.choice(("70", "80", "95")), "list_price": "100"}
    if rng.random() < 0.15:
        return {"removed": True}
    return {name: value for name, value in line.items() if rng.random() < 0.8}
