"""Alerts open, change and resolve; one save has one headline."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wellwon.core import timeline
from wellwon.core.calendar import FiscalCalendar
from wellwon.core.lifecycle import (
    CHANGED,
    COVERED,
    HEADLINES,
    OPENED,
    RESOLVED,
    Transition,
    fingerprint,
    reconcile,
)
from wellwon.core.rule import SEVERITIES, Finding
from wellwon.core.stored import AlertState
from wellwon.core.units import DAY, parse_instant
from wellwon.policy import compile_text
from wellwon.rules import RULES

CALENDAR = FiscalCalendar()
T0 = parse_instant("2026-09-10T09:00:00Z")
Alerts = tuple[AlertState, ...]


def found(key: str = "1", severity: str = "warning", commit: int = 0) -> Finding:
    """A finding of nothing in particular."""
    return Finding(severity, key, commit, "something happened", {})


def told(
    alerts: Alerts, findings: dict[str, Finding | None], at: int = T0, modes: dict[str, str] | None = None, **more: Any
) -> tuple[Alerts, list[Transition]]:
    """`reconcile` at an instant."""
    return reconcile(
        alerts, findings, modes or {}, deal="006A", period=CALENDAR.period_of(at), at=at,
        reason="change", resolved_reason="cleared", **more,
    )  # fmt: skip


def open_rules(alerts: Alerts) -> set[str]:
    return {alert.rule for alert in alerts if not alert.closed_at}


# --- one alert ------------------------------------------------------------------------------------------------


def test_opens_changes_and_resolves_with_revisions_that_count_up() -> None:
    alerts: Alerts = ()
    steps: list[Finding | None] = [found("1"), found("1"), found("2"), found("2", "high"), None, None]
    seen = []
    for finding in steps:
        alerts, transitions = told(alerts, {"late-discount": finding})
        seen.append([(one.kind, one.alert.revision) for one in transitions])
    assert seen == [[(OPENED, 1)], [], [(CHANGED, 2)], [(CHANGED, 3)], [(RESOLVED, 4)], []]


def test_a_rule_that_was_not_asked_keeps_its_alert() -> None:
    alerts, _ = told((), {"late-discount": found()})
    after, transitions = told(alerts, {"reopened-deal": None})
    assert (after, transitions) == (alerts, [])


def test_reopening_in_the_same_period_continues_the_count() -> None:
    alerts, _ = told((), {"late-discount": found()})
    alerts, _ = told(alerts, {"late-discount": None}, T0 + DAY)
    alerts, (again,) = told(alerts, {"late-discount": found()}, T0 + 2 * DAY)
    assert (again.kind, again.alert.revision, again.alert.opened_at) == (OPENED, 3, T0 + 2 * DAY)


def test_in_another_period_it_is_another_alert() -> None:
    alerts, _ = told((), {"late-discount": found()})
    alerts, _ = told(alerts, {"late-discount": None}, T0 + DAY)
    alerts, (again,) = told(alerts, {"late-discount": found()}, T0 + 40 * DAY)
    assert (again.alert.period, again.alert.revision) == ("2026-Q4", 1)


def test_an_alert_keeps_the_period_in_which_it_opened() -> None:
    alerts, _ = told((), {"late-discount": found()})
    alerts, (ended,) = told(alerts, {"late-discount": None}, T0 + 200 * DAY)
    assert (ended.alert.period, ended.alert.revision) == ("2026-Q3", 2)


def test_what_is_closed_is_forgotten_30_days_after_its_period() -> None:
    alerts, _ = told((), {"late-discount": found()})
    alerts, _ = told(alerts, {"late-discount": None}, T0 + DAY)
    end = CALENDAR.period_of(T0).end_at
    kept, _ = told(alerts, {"reopened-deal": found()}, end + 30 * DAY - 1)
    gone, _ = told(alerts, {"reopened-deal": found()}, end + 30 * DAY)
    assert [alert.rule for alert in kept] == ["late-discount", "reopened-deal"]
    assert [alert.rule for alert in gone] == ["reopened-deal"]


def test_coming_out_of_shadow_is_told() -> None:
    alerts, _ = told((), {"late-discount": found()}, modes={"late-discount": "shadow"})
    alerts, (out,) = told(alerts, {"late-discount": found()}, modes={"late-discount": "alert"})
    assert (out.kind, out.alert.mode, out.alert.revision) == (CHANGED, "alert", 2)
    assert told(alerts, {"late-discount": found()}, modes={"late-discount": "alert"})[1] == []


def test_what_the_same_save_explains_is_retracted() -> None:
    alerts, _ = told((), {"amount-cut-before-close": found(commit=7)})
    for commit, reason in ((7, "retracted"), (8, "cleared"), (0, "cleared")):
        _, (ended,) = told(alerts, {"amount-cut-before-close": None}, commit=commit)
        assert ended.reason == reason


@settings(max_examples=150)
@given(st.integers(0, 2**32).map(Random))
def test_ids_are_unique_and_the_open_ones_are_those_found(rng: Random) -> None:
    rules = ["late-discount", "push-to-close", "commit-slip", "reopened-deal", "past-due-close-date"]
    alerts: Alerts = ()
    ids: set[str] = set()
    revisions: dict[str, int] = {}
    at = T0
    holding: dict[str, Finding | None] = {}
    for _ in range(40):
        at += rng.choice((0, DAY, 20 * DAY))
        asked = rng.sample(rules, rng.randint(1, 5))
        findings = {
            rule: rng.choice((None, found(rng.choice("12"), rng.choice(SEVERITIES), rng.choice((0, 1, 2)))))
            for rule in asked
        }
        alerts, transitions = told(alerts, findings, at)
        holding.update(findings)
        for one in transitions:
            mark = fingerprint(one.alert.rule, "006A", one.alert.period)
            assert f"{mark}:{one.alert.revision}" not in ids
            ids.add(f"{mark}:{one.alert.revision}")
            assert one.alert.revision == revisions.get(mark, 0) + 1
            revisions[mark] = one.alert.revision
            assert (one.finding is None) == (one.kind == RESOLVED)
        standing = {rule for rule, finding in holding.items() if finding is not None}
        assert open_rules(alerts) == standing
        assert len([alert for alert in alerts if not alert.closed_at]) == len(standing)


# --- one save, one headline -----------------------------------------------------------------------------------


def test_headlines_are_rules_in_the_order_of_the_catalogue() -> None:
    assert set(HEADLINES) <= {spec.name for spec in RULES}


@pytest.mark.parametrize("leader", range(len(HEADLINES) - 1))
@pytest.mark.parametrize("reverse", [False, True])
def test_the_first_of_a_save_leads_and_the_others_are_covered(leader: int, reverse: bool) -> None:
    rules = [*HEADLINES[leader:], "another-rule", "late-owner-change"]
    findings: dict[str, Finding | None] = {rule: found(commit=5) for rule in (rules[::-1] if reverse else rules)}
    alerts, _ = told((), findings)
    by = fingerprint(rules[0], "006A", "2026-Q3")
    assert {alert.rule: alert.covered_by for alert in alerts} == {
        rule: by if rule != rules[0] else "" for rule in rules
    }


def test_other_saves_have_headlines_of_their_own() -> None:
    alerts, _ = told((), {"commit-slip": found(commit=1), "late-discount": found(commit=2)})
    assert {alert.covered_by for alert in alerts} == {""}


def test_what_time_brought_is_nobodys_save() -> None:
    alerts, _ = told((), {"commit-slip": found(), "past-due-close-date": found()})
    assert {alert.covered_by for alert in alerts} == {""}


def test_a_rule_in_shadow_leads_no_message() -> None:
    findings: dict[str, Finding | None] = {"commit-slip": found(commit=1), "period-end-push": found(commit=1)}
    alerts, _ = told((), findings, modes={"commit-slip": "shadow"})
    assert {alert.rule: alert.covered_by for alert in alerts} == {"commit-slip": "", "period-end-push": ""}


def test_a_headline_that_comes_to_light_later_covers_what_its_save_brought_about() -> None:
    alerts, _ = told((), {"late-discount": found(commit=1)})
    alerts, transitions = told(alerts, {"late-discount": found(commit=1), "push-to-close": found(commit=1)})
    assert [(one.kind, one.reason, one.alert.rule) for one in transitions] == [
        (OPENED, "change", "push-to-close"),
        (CHANGED, COVERED, "late-discount"),
    ]
    covered = next(alert for alert in alerts if alert.rule == "late-discount")
    assert covered.covered_by == "push-to-close:006A:2026-Q3"


def test_a_commit_pushed_over_the_end_is_one_message_with_the_push_as_evidence() -> None:
    text = """
    2026-08-03 10:00  created stage=Negotiation/Review category=Commit close_date=2026-08-28 by=anna
    2026-08-13 10:00  close_date=2026-09-25 by=anna
    2026-09-24 10:00  close_date=2026-10-30 by=anna
    """
    *_, last = timeline.run(timeline.parse(text), compile_text)
    covered = {alert["rule"]: alert["covered_by"] for alert in last.alerts}
    by = "commit-slip:deal:2026-Q3"
    assert covered == {"commit-slip": None, "period-end-push": by, "close-date-push": by}


def test_a_slip_that_a_second_push_makes_worse_leads_what_that_push_brought_about() -> None:
    text = """
    2026-09-10 10:00  created stage=Negotiation/Review category=Commit close_date=2026-09-25 by=anna
    2026-09-22 10:00  close_date=2026-10-05 by=anna
    2026-09-24 10:00  close_date=2026-10-30 by=anna
    """
    *_, last = timeline.run(timeline.parse(text), compile_text)
    told = {alert["rule"]: (alert["severity"], alert["covered_by"]) for alert in last.alerts}
    assert told == {"commit-slip": ("high", None), "close-date-push": ("warning", "commit-slip:deal:2026-Q3")}


def test_a_push_to_close_leads_the_late_discount_of_the_same_save() -> None:
    text = """
    2026-07-06 10:00  created stage="Needs Analysis" close_date=2026-09-25 discount=10 by=anna
    2026-09-22 10:00  close_date=2026-09-28 by=anna
    2026-09-24 10:00  category=Pipeline by=anna
    2026-09-25 10:00  category=Commit by=anna
    2026-09-28 10:00  discount=21 by=anna
    """
    *_, last = timeline.run(timeline.parse(text), compile_text)
    covered = {alert["rule"]: alert["covered_by"] for alert in last.alerts}
    assert covered == {"push-to-close": None, "late-discount": "push-to-close:deal:2026-Q3"}
