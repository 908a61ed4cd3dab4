"""Rules that need what not every organisation feeds: off until the policy says that it is there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from wellwon.cli.policy import summary
from wellwon.core.model import ACTIVITIES, BOTH_WAYS, OUTBOUND
from wellwon.core.rule import CATEGORY, NEXT_STEP, TOUCH, View, rule
from wellwon.policy import Policy, PolicyError, load_policy
from wellwon.policy.show import rows


@dataclass(frozen=True, slots=True)
class Params:
    """None."""


@rule("silent", family="forecast", severity="warning", reads=TOUCH, params=Params, doc="S.", needs=OUTBOUND)
def silent(view: View, params: Any) -> None:
    return None


@rule("unanswered", family="pressure", severity="warning", reads=TOUCH, params=Params, doc="U.", needs=BOTH_WAYS)
def unanswered(view: View, params: Any) -> None:
    return None


@rule("unplanned", family="data", severity="info", reads=NEXT_STEP, params=Params, doc="N.", needs="next_step")
def unplanned(view: View, params: Any) -> None:
    return None


@rule("plain", family="forecast", severity="warning", reads=CATEGORY, params=Params, doc="P.")
def plain(view: View, params: Any) -> None:
    return None


RULES = (silent, unanswered, unplanned, plain)


def policy(text: str = "") -> Policy:
    return load_policy(text, rules=RULES)


def running(text: str) -> set[str]:
    return {name for name, chosen in policy(text).rules.items() if chosen.mode != "off"}


@pytest.mark.parametrize(
    ("activities", "expected"), [("none", set()), ("outbound", {"silent"}), ("both", {"silent", "unanswered"})]
)
def test_a_rule_about_activities_runs_where_they_are_fed(activities: str, expected: set[str]) -> None:
    assert running(f"activities: {activities}") == {"plain"} | expected
    assert activities in ACTIVITIES


def test_nothing_is_fed_unless_the_policy_says_so() -> None:
    assert policy("activities: none") == policy("")


def test_a_rule_about_a_field_runs_where_the_policy_itself_maps_it() -> None:
    """The standard mapping says where a CRM keeps a field, not that anybody fills it."""
    assert "unplanned" not in running("fields: {Amount: amount}")
    assert "unplanned" in running("fields: {Next__c: next_step}")
    assert "unplanned" in running("fields: {NextStep: next_step}")
    assert "unplanned" in running("rules: {unplanned: alert}")


def test_a_segment_follows() -> None:
    found = policy("activities: outbound\nsegments: [{name: s, when: {currency: EUR}, rules: {silent: off}}]")
    assert [segment.rules["silent"].mode for segment in found.segments] == ["off", "alert"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("rules:\n  silent: alert\n", 2),
        ("activities: none\nrules:\n  silent: shadow\n", 3),
        ("segments:\n  - name: s\n    rules:\n      silent: {mode: alert}\n", 4),
    ],
)
def test_a_mode_that_cannot_be_kept_is_a_mistake(text: str, line: int) -> None:
    with pytest.raises(PolicyError) as raised:
        policy(text)
    [problem] = raised.value.errors
    assert problem.place.line == line
    assert "but activities is none: write 'activities: outbound'" in problem.message


def test_one_way_is_not_both_ways() -> None:
    with pytest.raises(PolicyError, match="unanswered is alert, but activities is outbound: write 'activities: both'"):
        policy("activities: outbound\nrules: {unanswered: alert}")
    assert running("activities: outbound\nrules: {unanswered: off}") == {"plain", "silent"}


def test_show_says_what_a_rule_waits_for() -> None:
    shown = {row.key: row for row in rows(policy("activities: outbound\nrules:\n  unplanned: off\n"))}
    assert shown["activities"][1:] == ("outbound", "line 1")
    assert shown["rules.silent.mode"][1:] == ("alert", "default")
    assert shown["rules.unanswered.mode"][1:] == ("off", "default: alert where activities are fed both ways")
    assert shown["rules.unplanned.mode"][1:] == ("off", "line 3")
    assert not shown["rules.unanswered.mode"].is_written


def test_check_says_what_rules_wait_for() -> None:
    assert "Waiting: unanswered (where activities are fed both ways), unplanned (where next_step is mapped). " in (
        summary(policy("activities: outbound"))
    )
    assert "Waiting" not in summary(policy("activities: both\nfields: {Next__c: next_step}"))
