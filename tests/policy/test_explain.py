"""Every rule can say why it holds for a deal and why it is silent, and what it says is so."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from histories import DEAL, History, histories
from rules.everything import open_alerts, settle
from rules.test_cases import cases_of
from wellwon.core import timeline
from wellwon.core.engine import restore
from wellwon.core.partition import Partition
from wellwon.core.rule import RuleSpec, param_fields
from wellwon.core.state import decode_state
from wellwon.policy import compile_text, load_policy
from wellwon.policy.explain import FAILED, HOLDS, IS_OFF, OTHER_TYPE, SILENT, UNKNOWN, Answer, Explanation, explain
from wellwon.rules import RULES


def explained(text: str, policy: str = "") -> Explanation:
    """What the rules say of a timeline's deal, at its end."""
    read = timeline.parse(text)
    policy = read.policy or policy
    store: dict[bytes, bytes] = {}
    seen = timeline.run(timeline.Timeline(policy, read.lines), compile_text, store)
    ruleset = compile_text(policy)
    state = restore(decode_state(store[timeline.DEAL.encode()]), ruleset)
    state.at = max(state.at, seen[-1].at)
    return explain(timeline.DEAL, state, ruleset, load_policy(policy))


def answer_of(rule: str, text: str, policy: str = "") -> Answer:
    return next(answer for answer in explained(text, policy).answers if answer.rule == rule)


def silent_cases() -> list[Any]:
    return [
        pytest.param(spec, case, id=f"{spec.name}-{number}")
        for spec in RULES
        for number, case in enumerate(cases_of(spec.name)["silent"], start=1)
    ]


@pytest.mark.parametrize(("spec", "case"), silent_cases())
def test_every_silence_has_its_reason(spec: RuleSpec, case: dict[str, Any]) -> None:
    answer = answer_of(spec.name, case["timeline"], yaml.safe_dump(case["policy"]) if "policy" in case else "")
    assert answer.verdict not in (HOLDS, FAILED), case["why"]
    assert answer.why
    assert all(reason.said and all(reason.said) for reason in answer.why)


GIVEN = '2026-07-06 10:00  created stage="Needs Analysis" close_date=2026-09-28 discount=12 list=100000 by=anna\n'


@pytest.mark.parametrize(
    ("rule", "lines", "said"),
    [
        ("late-discount", "2026-09-25 10:00 discount=30 by=anna bulk=240", "part of a bulk edit"),
        ("late-discount", "2026-09-25 10:00 discount=30 by=integration:sync", "not written by a person"),
        (
            "late-discount",
            "2026-09-25 10:00 discount=16 by=anna",
            "points is 5 percentage points, and it would take 4",
        ),
        ("late-discount", "2026-09-20 10:00 discount=30 by=anna", "window_days is 10 days, and it would take 11"),
        ("late-discount", "2026-09-25 10:00 discount=30 close_date=2026-10-20 by=anna", "was dated 2026-10-20"),
        (
            "close-date-push",
            "2026-08-19 10:00 close_date=2026-12-30 buyer_date=2026-12-30 by=anna",
            "the buyer gave",
        ),
        (
            "close-date-push",
            '2026-08-10 10:00 close_date=2026-12-30 by=anna\n2026-08-20 10:00 stage="Proposal/Price Quote" by=anna',
            "the stage moved on to Proposal/Price Quote on 2026-08-20",
        ),
        (
            "close-date-push",
            '2026-08-10 10:00 close_date=2026-12-30 by=anna\n2026-08-20 10:00 stage="Closed Lost" by=anna',
            "the deal is lost since 2026-08-20",
        ),
        (
            "period-end-push",
            "2026-09-25 10:00 close_date=2026-10-15 category=Pipeline by=anna",
            "was never in Commit",
        ),
        ("past-due-close-date", "2026-09-28 10:00 name=x by=anna", "it is not yet 2026-09-30"),
        ("reopened-deal", "2026-09-28 10:00 name=x by=anna", "the stage has not moved"),
    ],
)
def test_the_reason_is_the_one_that_people_look_for(rule: str, lines: str, said: str) -> None:
    answer = answer_of(rule, GIVEN + lines)
    assert answer.verdict == SILENT
    assert said in " ".join(text for reason in answer.why for text in reason.said)


def test_what_holds_has_its_evidence_and_its_beginning() -> None:
    answer = answer_of("late-discount", GIVEN + "2026-09-25 10:00 discount=30 by=anna\n2026-09-27")
    assert (answer.verdict, answer.severity) == (HOLDS, "high")
    assert answer.title == "discount 12 % to 30 %, 5 days before quarter end"
    assert answer.since == 1_790_330_400_000
    assert answer.untold == ()


def test_what_is_not_known_is_said_and_not_guessed() -> None:
    bare = '2026-07-06 10:00  created stage="Needs Analysis" close_date=2026-09-28 by=anna\n'
    answer = answer_of("late-discount", bare)
    assert answer.verdict == UNKNOWN
    assert "the discount is not known" in answer.why[0].said[0]
    assert answer_of("commit-slip", bare).verdict == UNKNOWN
    assert answer_of("close-date-push", bare).verdict == SILENT


def test_what_does_not_run_says_so() -> None:
    assert answer_of("late-discount", GIVEN, "rules: {late-discount: off}").verdict == IS_OFF
    other = answer_of("late-discount", GIVEN.replace("by=", "deal_type=Renewal by="))
    assert other.verdict == OTHER_TYPE
    assert "the deal is of type renewal" in other.why[0].said[0]


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ("rules: {late-discount: shadow}", "it runs in shadow"),
        (
            "exemptions: [{deals: [deal], until: 2026-10-01, reason: Board deal.}]",
            "until 2026-10-01: Board deal.",
        ),
        ("exemptions: [{owners: [ben], until: 2026-10-01, reason: On leave.}]", ""),
        ("exemptions: [{deals: [deal], until: 2026-09-01, reason: Over.}]", ""),
        ("exemptions: [{deals: [deal], rules: [commit-slip], until: 2026-10-01, reason: Other.}]", ""),
        ("least_amount: 50000", "below least_amount"),
    ],
)
def test_why_nobody_is_told_of_what_holds(policy: str, said: str) -> None:
    raised = GIVEN.replace("by=", "amount=20000 owner=anna by=") + "2026-09-25 10:00 discount=30 by=anna"
    answer = answer_of("late-discount", raised, policy)
    assert answer.verdict == HOLDS
    assert said in "".join(answer.untold)
    assert bool(said) == bool(answer.untold)


def test_moves_tell_whether_they_count() -> None:
    moves = explained(GIVEN + "2026-09-25 10:00 discount=30 by=integration:sync\n2026-09-26 10:00 inbound").moves
    assert [(moved.field, moved.before, moved.after, moved.counts) for moved in moves] == [
        ("discount", "12 %", "30 %", False),
        ("touch", "", "inbound", True),
    ]
    assert moves[0].why == "not written by a person"


@settings(max_examples=30, deadline=None)
@given(histories(25))
def test_what_holds_is_what_is_open(history: History) -> None:
    store: dict[bytes, bytes] = {}
    partition = Partition(0, history.policy, store, compile_text)
    for record in history.records:
        partition.apply([record])
        settle(partition)
    if DEAL.encode() not in store:
        return
    state = restore(decode_state(store[DEAL.encode()]), partition.ruleset)
    said = explain(DEAL, state, partition.ruleset, load_policy(history.policy))
    assert {a.rule for a in said.answers if a.verdict == HOLDS} == {rule for rule, _, _ in open_alerts(store)}
    assert all(answer.why for answer in said.answers if answer.verdict != HOLDS)


def test_a_threshold_that_it_would_take_is_the_one_that_it_takes() -> None:
    checked = 0
    for spec in RULES:
        for case in cases_of(spec.name)["silent"]:
            if "policy" in case or "policy:" in case["timeline"]:
                continue
            for reason in answer_of(spec.name, case["timeline"]).why:
                found = re.match(r"(\w+) is (-?\d+) .*?, and it would take (-?\d+) ", reason.said[0])
                if reason.kinds != ("threshold",) or found is None or found[1] not in param_fields(spec.params):
                    continue
                name, now, enough = found[1], int(found[2]), int(found[3])
                step = 1 if now > enough else -1
                for value, holds in ((enough, True), (enough + step, False)):
                    policy = f"rules: {{{spec.name}: {{mode: alert, {name}: {value}}}}}"
                    verdict = answer_of(spec.name, case["timeline"], policy).verdict
                    assert (verdict == HOLDS) == holds, (spec.name, case["why"], reason.said, value)
                checked += 1
    assert checked > 20
