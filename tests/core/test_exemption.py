"""An exempt deal is evaluated, and nobody is told of it until the exemption ends, by the clock."""

from __future__ import annotations

import json
from typing import Any

import pytest

from histories import Record
from wellwon.core.partition import Partition
from wellwon.core.units import DAY, HOUR, format_instant, parse_instant
from wellwon.core.wire import encode_clock, encode_policy
from wellwon.policy import compile_text

CREATED = parse_instant("2026-09-01T09:00:00Z")
DEAL = "006SM0000000001"
PIPELINES = "pipelines: [{name: Sales, open: [Discovery, Proposal], won: [Won], lost: [Lost]}]\n"


def policy(exemption: str) -> str:
    written = f"exemptions:\n  - {{{exemption}, reason: a territory changed}}\n"
    return f"calendar: {{zone: America/New_York}}\n{PIPELINES}{written}"


class Log:
    """A partition's log, and the alerts that leave it: transition, mode, reason, instant."""

    def __init__(self, text: str = "") -> None:
        self.partition = Partition(0, text, {}, compile_text)
        self.offset = -1

    def take(self, key: bytes | None, value: bytes) -> list[tuple[str, str, str, str]]:
        self.offset += 1
        outputs = [self.partition.apply([Record(key, value, self.offset)])]
        while (settled := self.partition.settle()) is not None:
            outputs.append(settled)
        alerts = [json.loads(value) for out in outputs for _, value in out.alerts]
        return [
            (alert["transition"], alert["mode"], alert["reason"], alert["at"])
            for alert in alerts
            if alert["rule"] == "past-due-close-date"
        ]

    def change(self, at: int, kind: str = "changed", **values: Any) -> list[tuple[str, str, str, str]]:
        event = {"id": f"c{self.offset}", "opportunity_id": DEAL, "source": "test", "kind": kind, "values": values}
        event |= {"occurred_at": format_instant(at), "writer": {"id": "ann", "kind": "user"}}
        return self.take(DEAL.encode(), json.dumps(event).encode())

    def clock(self, at: str) -> list[tuple[str, str, str, str]]:
        return self.take(None, encode_clock(parse_instant(at)))


def created(text: str = "", **values: Any) -> Log:
    """A deal whose close date passes on 10 September: past due from the 12th on."""
    log = Log(text)
    first = {"stage": "Discovery", "amount": "1000", "close_date": "2026-09-10", "owner_id": "005SM0000000Ann"}
    assert log.change(CREATED, "created", **{**first, **values}) == []
    return log


@pytest.mark.parametrize(
    "exemption",
    [
        "deals: [006SM0000000001, other]",
        "owners: [005SM0000000Ann]",
        "owners: [005SM0000000Ann], rules: [past-due-close-date]",
        "pipelines: [Sales], segments: [default]",
    ],
)
def test_nobody_is_told_until_the_day_after_it_ends(exemption: str) -> None:
    log = created(policy(f"{exemption}, until: 2026-09-15"))
    assert [alert[:2] for alert in log.clock("2026-09-14T12:00:00Z")] == [("opened", "shadow")]
    assert log.clock("2026-09-16T03:00:00Z") == []  # in New York it is still the 15th
    assert log.clock("2026-09-16T05:00:00Z") == [("changed", "alert", "clock", "2026-09-16T05:00:00Z")]
    assert log.clock("2026-09-20T05:00:00Z") == []
    assert [alert[:2] for alert in log.change(CREATED + 19 * DAY, close_date="2026-10-30")] == [("resolved", "alert")]


@pytest.mark.parametrize(
    "exemption",
    [
        "deals: [006SM0000000002]",
        "owners: [005SM0000000Ben]",
        "owners: [005SM0000000Ann], rules: [late-discount]",
        "owners: [005SM0000000Ann], deals: [006SM0000000002]",
        "deals: [006SM0000000001], rules: [past-due-close-date], until: 2026-09-11",
    ],
)
def test_other_deals_rules_and_days_are_told(exemption: str) -> None:
    until = "" if "until" in exemption else ", until: 2026-12-31"
    log = created(policy(f"{exemption}{until}"))
    assert [alert[:2] for alert in log.clock("2026-09-14T12:00:00Z")] == [("opened", "alert")]


def test_ids_match_in_both_lengths() -> None:
    log = created(policy("owners: [005SM0000000Ann], until: 2026-12-31"), owner_id="005SM0000000AnnIAI")
    [alert] = log.clock("2026-09-14T12:00:00Z")
    assert alert[1] == "alert"  # these three letters are not the checksum of that id
    log = created(policy("deals: [006SM0000000001YAE], until: 2026-12-31"))
    assert log.clock("2026-09-14T12:00:00Z")[0][1] == "alert"


def test_an_alert_that_is_resolved_meanwhile_is_never_told() -> None:
    log = created(policy("owners: [005SM0000000Ann], until: 2026-09-15"))
    log.clock("2026-09-14T12:00:00Z")
    assert [alert[:2] for alert in log.change(CREATED + 14 * DAY, close_date="2026-10-30")] == [("resolved", "shadow")]
    assert log.clock("2026-09-17T05:00:00Z") == []


def test_a_new_owner_ends_it_and_the_exempt_one_begins_it() -> None:
    log = created(policy("owners: [005SM0000000Ann], until: 2026-12-31"))
    log.clock("2026-09-14T12:00:00Z")
    to_ben = log.change(CREATED + 14 * DAY, owner_id="005SM0000000Ben")
    assert [alert[:3] for alert in to_ben] == [("changed", "alert", "change")]
    back = log.change(CREATED + 14 * DAY + HOUR, owner_id="005SM0000000Ann")
    assert [alert[:3] for alert in back] == [("changed", "shadow", "change")]


def test_an_exemption_that_is_added_or_removed_takes_effect_as_a_policy_does() -> None:
    log = created()
    assert [alert[:2] for alert in log.clock("2026-09-14T12:00:00Z")] == [("opened", "alert")]
    at = parse_instant("2026-09-14T13:00:00Z")
    exempt = policy("owners: [005SM0000000Ann], until: 2026-12-31")
    assert [alert[:3] for alert in log.take(None, encode_policy(exempt, at))] == [("changed", "shadow", "policy")]
    assert [alert[:3] for alert in log.take(None, encode_policy(PIPELINES, at))] == [("changed", "alert", "policy")]


def test_a_rule_that_is_in_shadow_stays_there() -> None:
    text = policy("owners: [005SM0000000Ann], until: 2026-09-15") + "rules: {past-due-close-date: shadow}\n"
    log = created(text)
    assert [alert[:2] for alert in log.clock("2026-09-14T12:00:00Z")] == [("opened", "shadow")]
    assert log.clock("2026-09-17T05:00:00Z") == []
