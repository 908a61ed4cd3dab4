"""Who hears what, when and by which sink, as the policy says it."""

from __future__ import annotations

import pytest

from policy.toy_rules import RULES
from wellwon.policy import Policy, load_policy
from wellwon.policy.delivery import CrmWrites, Delivery, Sink
from wellwon.policy.materiality import is_material
from wellwon.policy.show import rows

WRITTEN = """\
deliver:
  settle_minutes: 0
  quiet_hours: {begin: "19:30", end: "7:00"}
  working_days: [sunday, monday]
  weekly_digest: {weekday: friday, at: "9:15", to: [revops, deal-desk]}
  escalation: {severities: [warning, high], after_hours: 4}
  routes:
    - {when: {rules: [late-discount], severities: [high]}, to: [owner, deal-desk]}
    - {when: {families: [data]}, to: []}
    - {when: {segments: [big]}, to: [owner, manager, revops]}
  handover_to: [customer-success]
  sinks:
    slack:
      kind: slack
      hears: [owner, manager, revops, deal-desk]
      channels: {revops: "#forecast", deal-desk: "#deal-desk"}
    hand-over:
      kind: email
      hears: [customer-success]
      channels: {customer-success: cs@example.com}
      sender: wellwon@example.com
crm:
  salesforce: {write: [alerts, wins], api_share_percent: 5}
segments:
  - {name: big, when: {amount_min: 100000}}
"""


def policy(text: str = "") -> Policy:
    return load_policy(text, rules=RULES)


def test_by_default_the_owner_and_revops_hear_and_nothing_is_written_back() -> None:
    deliver = policy().deliver
    assert deliver == Delivery()
    assert deliver.audiences("late-discount", "price", "high", "default") == ("owner", "revops")
    assert policy().crm.salesforce == policy().crm.hubspot == CrmWrites()
    assert not CrmWrites().write


@pytest.mark.parametrize(
    ("alert", "hear"),
    [
        (("late-discount", "price", "high", "big"), ("owner", "deal-desk")),
        (("late-discount", "price", "warning", "big"), ("owner", "manager", "revops")),
        (("past-due-close-date", "data", "info", "default"), ()),
        (("close-date-push", "timing", "high", "default"), ("owner", "revops")),
    ],
)
def test_the_first_route_that_matches_is_taken(alert: tuple[str, str, str, str], hear: tuple[str, ...]) -> None:
    assert policy(WRITTEN).deliver.audiences(*alert) == hear


def test_what_is_written_arrives() -> None:
    found = policy(WRITTEN)
    deliver = found.deliver
    assert (deliver.settle_minutes, deliver.owner_cap_per_day) == (0, 5)
    assert (deliver.quiet_hours.begin, deliver.quiet_hours.end) == (19 * 60 + 30, 7 * 60)
    assert deliver.working_days == ("sunday", "monday")
    assert (deliver.weekly_digest.weekday, deliver.weekly_digest.at) == ("friday", 9 * 60 + 15)
    assert (deliver.escalation.severities, deliver.escalation.after_hours) == (frozenset(("warning", "high")), 4)
    assert deliver.sinks[1] == Sink(
        "hand-over",
        "email",
        ("customer-success",),
        {"customer-success": "cs@example.com"},
        "wellwon@example.com",
    )
    assert deliver.sinks[1].variable == "WELLWON_SINK_HAND_OVER"
    assert found.crm.salesforce == CrmWrites(frozenset(("alerts", "wins")), 5)
    assert not found.crm.hubspot.write


def test_quiet_hours_go_over_midnight_or_do_not() -> None:
    over = policy("deliver: {quiet_hours: {begin: '22:00', end: '06:00'}}").deliver.quiet_hours
    assert [over.holds(hour * 60) for hour in (21, 22, 0, 5, 6)] == [False, True, True, True, False]
    noon = policy("deliver: {quiet_hours: {begin: '12:00', end: '13:00'}}").deliver.quiet_hours
    assert [noon.holds(minute) for minute in (719, 720, 779, 780)] == [False, True, True, False]
    never = policy("deliver: {quiet_hours: {begin: '00:00', end: '00:00'}}").deliver.quiet_hours
    assert not any(never.holds(minute) for minute in range(1_440))


def test_show_tells_every_value_and_its_line() -> None:
    shown = {row.key: (row.value, row.origin) for row in rows(policy(WRITTEN))}
    assert shown["deliver.settle_minutes"] == (0, "line 2")
    assert shown["deliver.owner_cap_per_day"] == (5, "default")
    assert shown["deliver.quiet_hours.begin"] == ("19:30", "line 3")
    assert shown["deliver.routes.1.when.severities"] == (["high"], "line 8")
    assert shown["deliver.routes.4.to"] == (["owner", "revops"], "default")
    assert shown["deliver.sinks.slack.channels.revops"] == ("#forecast", "line 16")
    assert shown["crm.salesforce.write"] == (["alerts", "wins"], "line 23")
    assert shown["crm.hubspot.write"] == ([], "default")


MONEY = """\
reporting_currency: USD
plan_rates: {EUR: 1.1, JPY: 0.0066}
least_amount: 10000
segments:
  - {name: small, when: {amount_max: 50000}, least_amount: 1000}
"""


@pytest.mark.parametrize(
    ("segment", "amount", "currency", "told"),
    [
        ("default", 10_000, "USD", True),
        ("default", 9_999, "USD", False),
        ("default", 9_999, "", False),
        ("default", 9_100, "EUR", True),
        ("default", 9_000, "EUR", False),
        ("default", 1_500_000, "JPY", False),
        ("small", 1_000, "USD", True),
        ("small", 999, "USD", False),
        ("default", 5, "CHF", True),
        ("default", None, "USD", True),
    ],
)
def test_small_deals_are_not_told(segment: str, amount: int | None, currency: str, told: bool) -> None:
    cents = None if amount is None else amount * 100
    assert is_material(policy(MONEY), segment, cents, currency) is told


def test_without_a_least_amount_everything_is_told() -> None:
    assert is_material(policy("reporting_currency: USD"), "default", 0, "USD")
