"""A desk with a policy of its own, and sinks that take everything: what people would see."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from wellwon.core.units import MINUTE, format_instant, parse_instant
from wellwon.deliver.cards import Card, RawCard
from wellwon.deliver.desk import Desk
from wellwon.deliver.directory import Address, Directory
from wellwon.deliver.items import Alert, Reply, Win, read_alert, read_reply, read_win
from wellwon.policy import load_policy
from wellwon.policy.people import load_people

POLICY = """
deliver:
  sinks:
    chat: {kind: slack, hears: [owner, manager, revops], channels: {revops: C01}}
    post: {kind: email, hears: [success], sender: wellwon@example.com, channels: {success: cs@example.com}}
    hook: {kind: webhook, hears: [revops, success]}
  handover_to: [success]
"""
PEOPLE = """id,email,name,team,manager,zone
ann,ann@example.com,Ann,EMEA,bo,Europe/Berlin
bo,bo@example.com,Bo,EMEA,,Europe/Berlin
"""
START = parse_instant("2026-12-29T09:00:00Z")
"""A Tuesday, 10:00 in Berlin."""
OWNER, MANAGER, REVOPS = "chat|@ann", "chat|@bo", "chat|revops"


def directory(policy: str = POLICY, people: str = PEOPLE) -> Directory:
    return Directory(load_policy(policy), load_people(people))


def alert_record(rule: str = "late-discount", deal: str = "d1", revision: int = 1, **changes: Any) -> bytes:
    mark = f"{rule}:{deal}:2026-Q4"
    record = {
        "schema": "alert.v1",
        "id": f"{mark}:{revision}",
        "fingerprint": mark,
        "revision": revision,
        "transition": "opened" if revision == 1 else "changed",
        "reason": "change",
        "rule": rule,
        "family": "price",
        "severity": "warning",
        "mode": "alert",
        "opportunity_id": deal,
        "owner_id": "ann",
        "name": f"Acme {deal}",
        "segment": "default",
        "amount": "88000.00",
        "annual_amount": changes.get("amount", "88000.00"),
        "currency": "USD",
        "close_date": "2026-12-31",
        "period": "2026-Q4",
        "opened_at": format_instant(START),
        "at": format_instant(START),
        "title": f"Acme {deal} - $88k - discount 12 % to 22 %, 3 days before quarter end",
        "evidence": {"before": "12 %", "after": "22 %", "clears": "the discount is back under 17 %"},
        "covered_by": None,
    }
    return orjson.dumps(record | changes)


def win_record(revision: int = 1, **changes: Any) -> bytes:
    record = {
        "id": f"win:d1:{revision}",
        "revision": revision,
        "withdrawn": False,
        "at": format_instant(START),
        "schema": "win.v1",
        "opportunity_id": "d1",
        "owner_id": "ann",
        "name": "Acme",
        "segment": "default",
        "period": "2026-Q4",
        "won_at": format_instant(START),
        "days_to_period_end": 2,
        "amount": "88000.00",
        "currency": "USD",
        "reading": "earned",
        "price_held": "yes",
        "date_held": "yes",
        "buyer_answered": "unknown",
        "discount_percent": "12",
        "baseline_percent": "12",
        "traded": False,
        "date_before": "2026-12-31",
        "late_concession": None,
    }
    return orjson.dumps(record | changes)


@dataclass
class Seen:
    """One message, as it arrived."""

    address: str
    kind: str
    card: Card
    at: int
    refs: tuple[str, ...]
    """Of an update: what it edits."""
    thread: str


@dataclass
class Play:
    """Time goes by, things happen, messages arrive."""

    directory: Directory = field(default_factory=directory)
    introduced: bool = True
    now: int = START
    seen: list[Seen] = field(default_factory=list)
    records: dict[bytes, bytes] = field(default_factory=dict)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)
    deaf: set[str] = field(default_factory=set)
    """Addresses whose sink does not answer."""

    def __post_init__(self) -> None:
        self.desk = Desk(self.records, self.directory)
        self.desk.ledger.office.introduced = self.introduced
        self.waiting: list[tuple[bytes, str, str]] = []

    def restart(self) -> None:
        """A successor takes over from what was written."""
        self.desk = Desk(self.records, self.directory)
        self.desk.ledger.office.introduced |= self.introduced
        self.waiting = self.desk.outstanding()

    def _item(self, item: Alert | Win | Reply, record: bytes) -> None:
        self.desk.take(item, self.now, record=record)
        self.send()

    def alert(self, rule: str = "late-discount", deal: str = "d1", revision: int = 1, **changes: Any) -> None:
        changes.setdefault("at", format_instant(self.now))
        record = alert_record(rule, deal, revision, **changes)
        self._item(read_alert(record), record)

    def resolve(self, rule: str = "late-discount", deal: str = "d1", revision: int = 2, **changes: Any) -> None:
        about = {"transition": "resolved", "reason": "cleared", "evidence": {}} | changes
        self.alert(rule, deal, revision, **about)

    def win(self, revision: int = 1, **changes: Any) -> None:
        record = win_record(revision, **changes)
        self._item(read_win(record), record)

    def reply(self, kind: str, rule: str = "late-discount", **changes: Any) -> None:
        about = {
            "id": f"r{self.now}",
            "opportunity_id": "d1",
            "kind": kind,
            "at": format_instant(self.now),
            "by": "Ann",
        }
        about |= {"fingerprint": f"{rule}:d1:2026-Q4"} | changes
        record = orjson.dumps(about)
        self._item(read_reply(record), record)

    def until(self, moment: int | str) -> None:
        """Let time go by, a minute at a time."""
        end = parse_instant(moment) if isinstance(moment, str) else moment
        while self.now < end:
            self.now = min(self.now + MINUTE, end)
            while self.desk.settle(self.now):
                pass
            self.send()

    def minutes(self, number: float) -> None:
        self.until(self.now + round(number * MINUTE))

    def send(self) -> None:
        collected = self.desk.collect()
        self.waiting += collected.fresh
        for what, number in collected.counts.items():
            self.counts[what] = self.counts.get(what, 0) + number
        still = []
        for key, id_, address in self.waiting:
            if address in self.deaf:
                still.append((key, id_, address))
                continue
            attempt = self.desk.attempt(key, id_, self.now)
            if attempt is not None:
                message = attempt.message
                self.seen.append(
                    Seen(message.address, message.kind, message.card, self.now, attempt.refs, attempt.thread)
                )
                sink = self.directory.sinks[Address.parse(message.address).sink]
                self.desk.sent(key, id_, f"ts{len(self.seen)}" if sink.kind == "slack" else "")
        self.waiting = still
        collected = self.desk.collect()
        assert not collected.fresh

    def people(self) -> list[Seen]:
        """What people saw."""
        return [one for one in self.seen if not isinstance(one.card, RawCard)]

    def at(self, address: str) -> list[Seen]:
        """What arrived at one address."""
        return [one for one in self.seen if one.address == address]
