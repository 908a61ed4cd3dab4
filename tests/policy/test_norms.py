"""A norms file: written to be reviewed, read with its mistakes, carried by the published policy."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from policy.toy_rules import RULES
from wellwon.core.norms import Norms
from wellwon.core.units import parse_date
from wellwon.policy import Policy, PolicyError, compile_policy, load_policy
from wellwon.policy.norms import Figure, NormsFile, SegmentNorms, age, written
from wellwon.policy.published import NormsText, norms_file_of, published
from wellwon.policy.schema import policy_schema
from wellwon.policy.show import rows
from wellwon.policy.written import read_yaml
from wellwon.runtime.policy_file import read_policy

POLICY = """\
# ours
norms_file: norms.yaml
rules: {late-discount: off}   # a word, not false
segments:
  - {name: big, when: {amount_min: 50000}, norms: {wins: 30, discount_p75: 9}}
  - {name: EMEA & more, when: {labels: {region: [EMEA]}}}
"""
NORMS = NormsFile(
    made=parse_date("2026-11-23"),
    first=parse_date("2024-11-01"),
    last=parse_date("2026-11-20"),
    segments={
        "EMEA & more": SegmentNorms(
            63,
            Figure(1_850, 41),
            {"Qualification": Figure(21, 60), "Negotiation/Review": Figure(None, 7)},
            {"Qualification": Figure(45, 60)},
        ),
        "default": SegmentNorms(12, Figure(None, 9)),
        "big": SegmentNorms(80, Figure(3_000, 80)),
    },
)


def policy(text: str = POLICY, norms: str = "") -> Policy:
    return load_policy(text, rules=RULES, norms=NormsText(norms or written(NORMS), "norms.yaml"))


def test_the_file_reads_back_and_explains_itself() -> None:
    assert policy().norms == NORMS
    text = written(NORMS)
    assert "discount_p75: {percent: 18.5, n: 41}" in text
    assert "Negotiation/Review: {days: insufficient_history, n: 7}" in text
    assert text.startswith("# What is usual in each segment")


def test_only_figures_of_enough_wins_are_used_and_the_policys_own_go_first() -> None:
    ruleset = compile_policy(policy())
    norms = {segment.name: segment.norms for segment in ruleset.segments}
    assert norms["EMEA & more"] == Norms(63, 1_850, {"Qualification": 21}, {"Qualification": 45})
    assert norms["default"] == Norms(12)
    assert norms["default"].discount is None
    assert norms["big"] == Norms(30, 900)


def test_what_is_published_needs_no_file_and_means_the_same() -> None:
    text = published(POLICY, NormsText(written(NORMS), "norms.yaml"))
    found = load_policy(text, rules=RULES)
    assert found == policy()
    assert found.fingerprint == policy().fingerprint
    assert norms_file_of(text) is None
    assert text == published(POLICY, NormsText(written(NORMS), "elsewhere.yaml"))


@pytest.mark.parametrize(
    "text", ["{norms_file: n.yaml, window_days: 9}", "---\nnorms_file: n.yaml\n...\n", "norms_file: n.yaml"]
)
def test_any_form_of_policy_can_be_published(text: str) -> None:
    norms = written(NormsFile(20_000, 19_000, 19_900, {"default": SegmentNorms(30, Figure(1_000, 30))}))
    found = load_policy(published(text, NormsText(norms, "n.yaml")), rules=RULES)
    assert found.segments[0].norms == Norms(30, 1_000)


words = st.text("abc :#'\"\\n-0.é", min_size=1, max_size=8).filter(str.strip)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "window_days": st.integers(1, 20),
            "rules": st.dictionaries(st.sampled_from([r.name for r in RULES]), st.sampled_from(["off", "shadow"])),
            "writers": st.fixed_dictionaries({}, optional={"admin": st.lists(words | st.just("0012"), max_size=3)}),
            "fields": st.dictionaries(words, st.sampled_from(["labels.x", "labels.0", None]), max_size=3),
        },
    ),
    st.booleans(),
)
def test_whatever_the_policy_says_it_is_published_unchanged(tree: dict[str, object], flow: bool) -> None:
    text = yaml.safe_dump({**tree, "norms_file": "n.yaml"}, default_flow_style=flow, allow_unicode=True)
    norms = NormsText(
        written(NormsFile(20_000, 19_000, 19_900, {"default": SegmentNorms(30, Figure(7, 30))})), "n.yaml"
    )
    assert load_policy(published(text, norms), rules=RULES) == load_policy(text, rules=RULES, norms=norms)


def test_a_policy_without_norms_is_published_as_it_is_written() -> None:
    assert published("window_days: 9  # ours\n", None) == "window_days: 9  # ours\n"


def test_the_fingerprint_is_of_the_figures_not_of_the_day_they_were_made() -> None:
    later = NormsFile(NORMS.made + 5, NORMS.first, NORMS.last, NORMS.segments)
    assert policy(norms=written(later)).fingerprint == policy().fingerprint
    other = written(NORMS).replace("18.5", "19")
    assert policy(norms=other).fingerprint != policy().fingerprint


def test_show_names_the_norms_file_and_its_line() -> None:
    shown = {row.key: (row.value, row.origin) for row in rows(policy())}
    assert shown["segments.EMEA & more.norms.discount_p75"] == ("18.5", "norms.yaml, line 13")
    assert shown["segments.big.norms.discount_p75"] == ("9", "line 5")


def problems(text: str = POLICY, norms: str = "") -> list[str]:
    with pytest.raises(PolicyError) as raised:
        policy(text, norms)
    return str(raised.value).splitlines()


def test_mistakes_in_the_norms_are_told_with_their_place_in_the_norms_file() -> None:
    wrong = written(NORMS).replace("Qualification: {days: 21, n: 60}", "Qualificaton: {days: 21, n: 6}")
    assert problems(norms=wrong.replace("EMEA & more", "EMEA and more").replace("percent: 18.5", "percent: 185")) == [
        "norms.yaml:10:3: the policy has no segment 'EMEA and more': did you mean 'EMEA & more'?",
        "norms.yaml:13:29: segments.EMEA and more.discount_p75.percent is '185': a percentage from 0 to 100 is needed,"
        " or insufficient_history",
        "norms.yaml:16:21: stage_days_median: 'Qualificaton' is not an open stage of any pipeline: did you mean"
        " 'Qualification'?",
        "norms.yaml:16:28: of 6 wins no figure is made: insufficient_history is needed (from 20 on they count)",
    ]
    assert problems(norms="wins: 3\n") == [
        "norms.yaml:1:1: 'wins' is not a key of norms: it is one of version, made, history, segments",
        "norms.yaml:1:1: the norms has no 'history': it is required",
        "norms.yaml:1:1: the norms has no 'made': it is required",
        "norms.yaml:1:1: the norms has no 'segments': it is required",
    ]


def test_norms_that_are_not_read_are_never_left_out_in_silence() -> None:
    with pytest.raises(PolicyError, match=r"policy.yaml:2:13: norms_file 'norms.yaml' was not read with the policy"):
        load_policy(POLICY, rules=RULES)


def test_a_norms_file_that_cannot_be_read_is_told_with_everything_else(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("norms_file: norms.yaml\nwindow_day: 9\n")
    with pytest.raises(PolicyError) as raised:
        read_policy(file)
    assert [str(problem).partition("policy.yaml:")[2] for problem in raised.value.errors] == [
        "1:13: norms_file 'norms.yaml' cannot be read: no such file or directory; `wellwon norms` writes it",
        "2:1: 'window_day' is not a key of a policy: did you mean 'window_days'?",
    ]


def test_the_file_is_looked_for_beside_the_policy(tmp_path: Path) -> None:
    (tmp_path / "norms.yaml").write_text(written(NORMS))
    (tmp_path / "policy.yaml").write_text(POLICY)
    found = read_policy(tmp_path / "policy.yaml")
    assert found.policy.segments[1].norms.discount == 1_850
    assert load_policy(found.text) == found.policy


def test_together_they_must_fit_into_a_record(tmp_path: Path) -> None:
    long = f"norms_file: norms.yaml\ncategories: {{{', '.join(f'category {n}: commit' for n in range(7_000))}}}\n"
    stages = [f"Stage {n}" for n in range(3_000)]
    pipeline = f"pipelines: [{{name: Sales, open: [{', '.join(stages)}], won: [Won], lost: [Lost]}}]\n"
    known = {stage: Figure(3, 30) for stage in stages}
    norms = written(NormsFile(NORMS.made, NORMS.first, NORMS.last, {"default": SegmentNorms(30, None, known)}))
    (tmp_path / "policy.yaml").write_text(long + pipeline)
    (tmp_path / "norms.yaml").write_text(norms)
    assert max(len(long + pipeline), len(norms)) < 200_000
    with pytest.raises(PolicyError, match=r"policy.yaml with .*norms.yaml:1:1: the file is longer than 200000"):
        read_policy(tmp_path / "policy.yaml")


def test_norms_are_old_when_their_history_ended_more_than_a_year_ago() -> None:
    assert age(NORMS, NORMS.last + 365) == ""
    assert "ended 366 days ago, on 2026-11-20" in age(NORMS, NORMS.last + 366)


figures = st.builds(Figure, st.none() | st.integers(0, 3_650), st.integers(20, 1_000))
names = st.text(min_size=1, max_size=12).filter(lambda name: name == name.strip() and name < "\ud800" and name != "<<")


@given(st.dictionaries(names, st.dictionaries(names, figures, max_size=3), max_size=3))
def test_any_names_read_back(segments: dict[str, dict[str, Figure]]) -> None:
    file = NormsFile(
        20_000, 19_000, 19_900, {name: SegmentNorms(30, None, stages, stages) for name, stages in segments.items()}
    )
    written_, wrong = read_yaml(written(file), "norms.yaml")
    assert not wrong
    jsonschema.Draft202012Validator(policy_schema(RULES)["properties"]["norms"]).validate(written_.plain)
    found = written_.plain["segments"]
    assert {name: list(norms.get("days_to_won_p10", {})) for name, norms in found.items()} == {
        name: list(stages) for name, stages in segments.items()
    }
