"""What every rule must keep, and every later one: its page, its parameters, its answers."""

from __future__ import annotations

import json
import re
from dataclasses import FrozenInstanceError, dataclass, fields, is_dataclass, replace
from random import Random

import jsonschema
import msgspec
import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from histories import DEAL, History, histories
from rules.everything import Everything, open_alerts, settle
from rules.test_cases import SORTS, cases_of
from wellwon.core import timeline
from wellwon.core.deal import Deal
from wellwon.core.model import Ruleset
from wellwon.core.partition import Partition
from wellwon.core.records import TITLE_MAX, alert_title
from wellwon.core.rule import (
    ANY_BUSINESS,
    CATEGORY,
    COMMITTED,
    EVERYTHING,
    FAMILIES,
    IN_WINDOW,
    INFO,
    IS_OPEN,
    OWNER_SUBJECT,
    PROMISED,
    SEVERITIES,
    STAGE,
    STATUS,
    TEAM_SUBJECT,
    Finding,
    RuleSpec,
    View,
    param,
    param_fields,
    rule,
)
from wellwon.core.units import DAY
from wellwon.policy import compile_policy, compile_text, load_policy
from wellwon.rules import GROUP_RULES, PATTERNS, RULES

HEADINGS = ["What it looks for", "Why it matters", "Example", "When it is fine", "What to do"]
EVIDENCE = {"before", "after", "when", "writer", "threshold", "days_to_period_end", "clears"}

every_rule = pytest.mark.parametrize("spec", PATTERNS, ids=lambda spec: spec.name)

encode = msgspec.msgpack.Encoder().encode


# --- the page -------------------------------------------------------------------------------------------------


def test_names_are_unique_and_in_words() -> None:
    names = [spec.name for spec in PATTERNS]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in names)


@every_rule
def test_page_has_its_headings_in_order(spec: RuleSpec) -> None:
    assert re.findall(r"^## (.*)$", spec.doc, re.MULTILINE) == HEADINGS
    sections = re.split(r"^## .*\n", spec.doc, flags=re.MULTILINE)
    assert all(len(section.strip()) > 20 for section in sections)
    assert re.fullmatch(r"[A-Z].{10,78}\.", spec.summary)


@every_rule
def test_is_one_of_the_kinds_that_there_are(spec: RuleSpec) -> None:
    assert spec.family in FAMILIES
    assert spec.severity in SEVERITIES
    assert (spec.subject in (OWNER_SUBJECT, TEAM_SUBJECT)) == (spec in GROUP_RULES)
    assert 0 < spec.reads <= EVERYTHING
    assert spec.deal_types
    assert spec.deal_types <= ANY_BUSINESS


@every_rule
def test_fires_stays_silent_and_resolves(spec: RuleSpec) -> None:
    cases = cases_of(spec.name)
    assert all(cases[sort] for sort in SORTS)


# --- parameters -----------------------------------------------------------------------------------------------


@every_rule
def test_parameters_are_frozen_bounded_and_documented(spec: RuleSpec) -> None:
    assert is_dataclass(spec.params)
    params = spec.params()
    assert not hasattr(params, "__dict__")
    for name, about in param_fields(spec.params).items():
        assert about["ge"] <= about["default"] <= about["le"], name
        assert about["unit"], name
        assert re.fullmatch(r"[A-Z].{8,}\.", about["doc"]), name
        with pytest.raises(FrozenInstanceError):
            setattr(params, name, about["default"])


PREMISES = {IS_OPEN: STATUS, COMMITTED: STATUS | CATEGORY, PROMISED: STATUS | CATEGORY | STAGE, IN_WINDOW: 0}
"""What a rule must read to be asked when its premise comes to hold; the window begins with a change or a wake-up."""


@pytest.mark.parametrize("spec", RULES, ids=lambda spec: spec.name)
def test_a_premise_is_of_what_the_rule_reads(spec: RuleSpec) -> None:
    needed = spec.premise & EVERYTHING
    for premise, parts in PREMISES.items():
        if spec.premise & premise:
            needed |= parts
    assert needed & ~spec.reads == 0
    assert spec.premise & ~(EVERYTHING | sum(PREMISES)) == 0


@settings(max_examples=60)
@given(histories(most=25), st.randoms(use_true_random=False))
def test_without_its_premise_a_rule_neither_holds_nor_waits(history: History, rng: Random) -> None:
    deal, at, ruleset = deal_after(history)
    for later in (0, rng.randrange(40) * DAY):
        for spec in RULES:
            view = View(deal, at + later, ruleset, ruleset.segments[-1])
            if spec.premise & ~view.premise():
                assert (spec.check(view, spec.params()), view.wake_at) == (None, -1), spec.name


# --- answers --------------------------------------------------------------------------------------------------


def deal_after(history: History) -> tuple[Deal, int, Ruleset]:
    """The deal at the end of a history, and that instant."""
    plain = Everything(compile_text(history.policy))
    for record in history.records:
        plain.apply(record.value)
    assert plain.state is not None
    return plain.state.now, plain.state.at, plain.ruleset


def emptied(deal: Deal, rng: Random) -> Deal:
    """The deal with some of its fields as if nothing had ever been said of them."""
    names = [field.name for field in fields(Deal) if rng.random() < 0.3]
    blank = Deal()
    return replace(deal, **{name: getattr(blank, name) for name in names})


def answers(deal: Deal, at: int, ruleset: Ruleset) -> list[tuple[RuleSpec, Finding | None]]:
    """Every rule's answer, whatever the deal's type, each with a view of its own."""
    segment = ruleset.segments[-1]
    return [(spec, spec.check(View(deal, at, ruleset, segment), spec.params())) for spec in RULES]


@settings(max_examples=60)
@given(histories(most=25), st.randoms(use_true_random=False))
def test_answers_are_pure_deterministic_and_total(history: History, rng: Random) -> None:
    deal, at, ruleset = deal_after(history)
    for one in (deal, emptied(deal, rng), emptied(deal, rng), Deal()):
        before = encode(one)
        first, second = answers(one, at, ruleset), answers(one, at, ruleset)
        assert encode(one) == before
        assert first == second
        for spec, finding in first:
            if finding is not None:
                assert_is_worded(spec, finding, one)


def assert_is_worded(spec: RuleSpec, finding: Finding, deal: Deal) -> None:
    """The finding can be read by people and by machines."""
    assert finding.severity in SEVERITIES
    assert finding.key
    assert isinstance(finding.commit, int)
    assert finding.commit >= 0
    assert 10 < len(finding.title) <= 80
    assert not re.search(r"None|\b1 (days|pushes|acts)\b", finding.title), finding.title
    whole = alert_title("006", replace(deal, name="Customer " * 30, amount=12_345_678_900), finding.title)
    assert len(whole) <= TITLE_MAX
    assert finding.title in whole
    assert finding.evidence.keys() >= EVIDENCE
    assert orjson.loads(orjson.dumps(finding.evidence)) == finding.evidence
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", key) for key in finding.evidence)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", finding.evidence["when"])


@settings(max_examples=120)
@given(histories())
def test_asking_few_rules_equals_asking_all(history: History) -> None:
    """Masks and wakes change nothing: at every record the same is open as if every rule was asked after each."""
    store: dict[bytes, bytes] = {}
    partition = Partition(0, history.policy, store, compile_text)
    plain = Everything(compile_text(history.policy))
    for record in history.records:
        assert not partition.apply([record]).dead_letters
        settle(partition)
        plain.apply(record.value)
        assert open_alerts(store) == plain.open, record


# --- a new rule -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToyParams:
    """Thresholds of the toy rule."""

    moves: int = param(1, ge=1, le=9, unit="moves", doc="Stage moves that are many.")


@rule(
    "restless-deal",
    family="stage",
    severity=INFO,
    reads=STAGE,
    params=ToyParams,
    doc="A deal that moves.\n\n## What it looks for\nMany stage moves.",
)
def TOY(view: View, params: ToyParams) -> Finding | None:
    """As many stage moves as the policy says."""
    moves = len(view.deal.stages)
    return Finding(INFO, str(moves), 0, f"{moves} stage moves", {}) if moves >= params.moves else None


TIMELINE = """
2026-09-01 10:00  created stage=Prospecting close_date=2026-12-30 by=anna   ! restless-deal info
2026-09-02 10:00  stage=Qualification by=anna                               ! restless-deal info
"""


def test_a_new_rule_needs_no_further_code(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = (*PATTERNS, TOY)

    def with_toy(text: str) -> Ruleset:
        return compile_policy(load_policy(text, rules=rules))

    assert not timeline.check(TIMELINE, with_toy)
    assert timeline.check(TIMELINE, lambda _: with_toy("rules: {restless-deal: {moves: 3}}"))
    assert timeline.check(TIMELINE, lambda _: with_toy("rules: {restless-deal: off}"))

    from wellwon.policy.schema import policy_schema

    schema = policy_schema(rules)
    jsonschema.Draft202012Validator(schema).validate({"rules": {"restless-deal": {"moves": 3}}})
    assert not jsonschema.Draft202012Validator(schema).is_valid({"rules": {"restless-deal": {"moves": 10}}})

    from wellwon.cli import docs, explain
    from wellwon.runtime import metrics

    monkeypatch.setattr(explain, "PATTERNS", rules)
    monkeypatch.setattr(metrics, "PATTERNS", rules)
    said = CliRunner().invoke(explain.command, ["restless-deal"])
    assert said.exit_code == 0
    assert "A deal that moves." in said.output
    assert "Stage moves that are many." in said.output
    assert "Stage moves that are many." in docs.rule_page(TOY)
    assert b'rule="restless-deal"' in metrics.Metrics().page()


def test_a_rule_that_raises_stops_no_other() -> None:
    """It is dead-lettered with its name; the others answer."""

    @rule("broken-rule", family="stage", severity=INFO, reads=STAGE, params=ToyParams, doc="Broken.")
    def broken(view: View, params: ToyParams) -> Finding | None:
        raise ZeroDivisionError("on purpose")

    ruleset = compile_policy(load_policy("", rules=(broken, TOY)))
    store: dict[bytes, bytes] = {}
    partition = Partition(0, "", store, lambda _: ruleset)
    change = {
        "id": "1", "kind": "created", "opportunity_id": DEAL, "occurred_at": "2026-09-01T10:00:00Z",
        "values": {"stage": "Prospecting"},
    }  # fmt: skip

    class One:
        key, value, offset = DEAL.encode(), json.dumps(change).encode(), 7

    out = partition.apply([One()])
    assert [(dead.reason, dead.rule, dead.offset) for dead in out.dead_letters] == [("rule_failed", "broken-rule", 7)]
    assert "ZeroDivisionError: on purpose" in out.dead_letters[0].detail
    assert open_alerts(store) == {("restless-deal", INFO, "1")}


def test_the_params_of_a_rule_are_all_in_the_policy() -> None:
    policy = load_policy("")
    for spec in PATTERNS:
        assert policy.rules[spec.name].params.keys() == {field.name for field in fields(spec.params)}
