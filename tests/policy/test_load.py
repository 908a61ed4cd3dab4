"""Loading a policy: what is left out has a default, what is written takes effect."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policy.toy_rules import RULES
from wellwon.core.model import CATEGORIES, DEAL_TYPES, MODES, OPEN, WON
from wellwon.core.units import MINUTE, parse_date
from wellwon.policy import Policy, PolicyError, PolicyProblem, compile_policy, compile_text, load_policy
from wellwon.policy.model import id_forms
from wellwon.policy.schema import policy_schema
from wellwon.policy.show import rows
from wellwon.policy.written import read_yaml


def policy(text: str = "") -> Policy:
    return load_policy(text, rules=RULES)


# --- defaults -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", "\n", "# nothing\n", "---\n", "{}", "rules:\n", "\ufeff", "segments: []\nfields: {}"]
)
def test_an_empty_policy_is_the_defaults(text: str) -> None:
    assert policy(text) == policy()
    assert policy(text).fingerprint == policy().fingerprint


def test_defaults_are_salesforces_own_stages_in_calendar_quarters() -> None:
    ruleset = compile_policy(policy())
    assert ruleset.calendar.period_of_day(parse_date("2026-11-20")).label == "2026-Q4"
    assert ruleset.calendar.zone == "UTC"
    sales = ruleset.pipelines[ruleset.default_pipeline]
    assert sales.open_stages[0] == "Prospecting"
    assert sales.stages["Closed Won"].status == WON
    late = [stage.name for stage in sales.stages.values() if stage.status == OPEN and stage.late]
    assert late == ["Proposal/Price Quote", "Negotiation/Review"]
    assert ruleset.categories["forecast"] == "commit"
    assert [segment.name for segment in ruleset.segments] == ["default"]
    active = {rule.spec.name: rule.mode for rule in ruleset.segments[0].rules["new"]}
    assert active == {"late-discount": "alert", "close-date-push": "shadow"}
    assert ruleset.segments[0].rules["renewal"] == ()


def test_defaults_written_out_mean_the_same() -> None:
    shown = policy("window_days: 10\nrules: {late-discount: {points: 5, mode: alert}}\ncalendar: {zone: UTC}")
    assert shown.fingerprint == policy().fingerprint
    assert policy("window_days: 11").fingerprint != policy().fingerprint


def test_a_month_has_its_own_defaults() -> None:
    months = policy("calendar: {kind: month}")
    assert (months.window_days, months.commit_lock_days) == (4, 10)


def test_line_ends_and_other_alphabets_are_no_matter() -> None:
    found = policy(
        "pipelines:\r\n  - name: Продажи\r\n    open: [商談]\r\n    won: [Gewonnen ✓]\r\n    lost: [Verloren]\r\n"
    )
    assert found.pipelines[0].open == ("商談",)
    assert found.origins["pipelines", 0, "won"] == 4


# --- values ---------------------------------------------------------------------------------------------------------


def test_off_and_no_are_words() -> None:
    """YAML 1.1 would read them as false."""
    found = policy("rules: {late-discount: off}\npipelines: [{name: no, open: [on], won: [yes], lost: [no]}]")
    assert found.rules["late-discount"].mode == "off"
    assert found.pipelines[0].name == "no"
    assert compile_policy(found).segments[0].rules["new"][0].spec.name == "close-date-push"


def test_ids_keep_their_zeros() -> None:
    found = policy("pipelines: [{name: a, match: [0012, 1.50], open: [b], won: [c], lost: [d]}]")
    assert found.pipelines[0].match == ("0012", "1.50")


def test_salesforce_ids_match_in_both_lengths() -> None:
    assert id_forms("005SM0000001Adm") == ("005SM0000001Adm", "005SM0000001AdmYAE")
    writers = policy("writers: {admin: [005SM0000001Adm], integration: [005SM0000001IntYAE], self: [wellwon]}").writers
    assert writers.kind("005SM0000001AdmYAE") == "admin"
    assert writers.kind("005SM0000001Int") == "integration"
    assert writers.kind("005SM0000001Adm", client="wellwon") == "self"
    assert writers.kind("005SM0000009Zzz") == "user"


def test_a_mapped_field_takes_the_place_of_the_standard_one() -> None:
    fields = policy("fields: {Real_Close__c: close_date, NextStep: null, Region__c: labels.region}").fields
    assert [name for name, meaning in fields.items() if meaning == "close_date"] == ["Real_Close__c"]
    assert "NextStep" not in fields
    assert fields["Region__c"] == "labels.region"
    assert fields["StageName"] == "stage"


def test_general_values_reach_the_ruleset() -> None:
    ruleset = compile_policy(
        policy("commit_lock_days: 20\ncorrection_minutes: 45\nlateness_minutes: 5\nbulk_records: 7\nclosed_days: 120")
    )
    assert ruleset.commit_lock_days == 20
    assert ruleset.correction_ms == 45 * MINUTE
    assert ruleset.lateness_ms == 5 * MINUTE
    assert ruleset.bulk_records == 7
    assert ruleset.closed_days == 120


def test_a_segment_takes_over_what_it_does_not_say() -> None:
    ruleset = compile_policy(
        policy(
            """
            window_days: 12
            rules:
              late-discount: {points: 7}
              close-date-push: alert
            pipelines:
              - {name: Sales, match: ["012SM0000000New"], open: [Discovery, Proposal], won: [Won], lost: [Lost]}
            segments:
              - name: big
                when: {amount_min: 100000, pipelines: [Sales], labels: {region: [EMEA]}}
                norms: {wins: 30, discount_p75: 14.5}
                rules:
                  late-discount: {high_from: 20, deal_types: [renewal]}
                  close-date-push: off
            """
        )
    )
    big, other = ruleset.segments
    assert (big.amount_min, big.window_days, big.norms.discount) == (10_000_000, 12, 1_450)
    assert big.pipelines == {"Sales", "012SM0000000New", "012SM0000000NewYAE"}
    assert big.fields == {"region": frozenset({"EMEA"})}
    assert big.rules["new"] == ()
    [active] = big.rules["renewal"]
    assert (active.params.points, active.params.high_from) == (7, 20)
    assert (other.name, other.amount_min) == ("default", None)
    assert [rule.spec.name for rule in other.rules["new"]] == ["late-discount", "close-date-push"]


def test_the_last_segment_may_be_the_default_one() -> None:
    found = policy("segments: [{name: default, norms: {wins: 40, discount_p75: 12}}]")
    assert [segment.name for segment in found.segments] == ["default"]
    assert found.segments[0].norms.discount == 1_200


def test_show_tells_where_each_value_comes_from() -> None:
    text = (
        "window_days: 12\nrules:\n  late-discount:\n    points: 7\nsegments:\n  - name: s\n    when: {currency: EUR}\n"
    )
    shown = {row.key: (row.value, row.origin) for row in rows(policy(text))}
    assert shown["window_days"] == (12, "line 1")
    assert shown["closed_days"] == (100, "default")
    assert shown["rules.late-discount.points"] == (7, "line 4")
    assert shown["rules.late-discount.high_from"] == (15, "default")
    assert shown["segments.s.when.currency"] == ("EUR", "line 7")
    assert shown["segments.s.window_days"] == (12, "window_days, line 1")


def problems_of(text: str) -> list[PolicyProblem]:
    """What is wrong with a text; compiles it where nothing is."""
    try:
        compile_policy(policy(text))
    except PolicyError as error:
        return error.errors
    return []


# --- anything at all ------------------------------------------------------------------------------------------------

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from([*MODES, "late-discount"]),
)
KEYS = """
rules segments pipelines name open won lost when norms calendar table writers fields late-discount points mode
amount_min admin zone kind deliver routes to sinks hears channels exemptions until reason deals crm salesforce write
plan_rates reporting_currency escalation severities quiet_hours begin made history first last wins norms_file
"""
keys = st.one_of(st.sampled_from(KEYS.split()), st.text(max_size=6))
trees = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=20
)


@given(trees)
def test_any_tree_is_a_policy_or_a_policy_error(tree: object) -> None:
    problems = problems_of(yaml.safe_dump(tree))
    assert all(problem.place.line > 0 and problem.place.column > 0 for problem in problems)


@given(st.text(max_size=80))
def test_any_text_is_a_policy_or_a_policy_error(text: str) -> None:
    assert all(str(problem).startswith("policy.yaml:") for problem in problems_of(text))


@pytest.mark.parametrize(
    "text", ["[" * 5_000, "{a: " * 3_000, "\x00", "- " * 4_000 + "a", "x" * 200_001, "!!python/x {}"]
)
def test_hostile_texts_are_policy_errors(text: str) -> None:
    with pytest.raises(PolicyError):
        policy(text)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "window_days": st.integers(1, 20),
            "closed_days": st.integers(91, 3_650),
            "calendar": st.fixed_dictionaries({}, optional={"kind": st.sampled_from(["quarter", "month"])}),
            "categories": st.dictionaries(st.text("abc ", min_size=1), st.sampled_from(CATEGORIES), max_size=3),
            "rules": st.dictionaries(
                st.sampled_from([rule.name for rule in RULES]),
                st.sampled_from(MODES)
                | st.fixed_dictionaries(
                    {}, optional={"mode": st.sampled_from(MODES), "deal_types": st.lists(st.sampled_from(DEAL_TYPES))}
                ),
            ),
        },
    )
)
def test_what_the_schema_takes_the_check_takes(tree: object) -> None:
    text = yaml.safe_dump(tree)
    written, _ = read_yaml(text, "policy.yaml")
    jsonschema.Draft202012Validator(policy_schema(RULES)).validate(written.plain)
    policy(text)


def test_defaults_written_out_compile_to_the_same() -> None:
    """Every value that `policy show` tells for an empty policy, written into a file."""
    tree: dict[str, Any] = {}
    for key, value, _ in rows(load_policy("")):
        head, _, rest = key.partition(".")
        if head in ("categories", "deal_types", "fields") or head in ("calendar", "writers"):
            tree.setdefault(head, {})[rest] = value
        elif head == "rules":
            rule, _, threshold = rest.partition(".")
            tree.setdefault("rules", {}).setdefault(rule, {})[threshold] = value
        elif head == "pipelines":
            name, _, part = rest.partition(".")
            [pipeline] = tree.setdefault("pipelines", [{"name": name}])
            if part != "late_stage":
                pipeline[part] = value
        elif key == "deliver.routes.1.to":
            tree["deliver"]["routes"] = [{"to": value}]
        elif head in ("deliver", "crm"):
            *sections, name = key.split(".")
            inner = tree
            for section in sections:
                inner = inner.setdefault(section, {})
            inner[name] = value
        elif head != "segments":
            tree[head] = value
    written = load_policy(yaml.safe_dump(tree))
    assert written == load_policy("")
    compiled, default = compile_policy(written), compile_text("")
    assert compiled.fingerprint == default.fingerprint
    assert compiled.segments == default.segments
    assert compiled.pipelines == default.pipelines
