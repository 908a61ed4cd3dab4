"""Every rule's page and case file, played: what should be told is told, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from wellwon.core import timeline
from wellwon.core.rule import RuleSpec
from wellwon.policy import compile_text
from wellwon.rules import PATTERNS

CASES = Path(__file__).parents[1] / "cases"
SORTS = ("firing", "silent", "resolved")
BLOCK = re.compile(r"^```timeline\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def cases_of(rule: str) -> dict[str, list[dict[str, Any]]]:
    """A rule's case file; ``given`` at its top begins every timeline that does not begin with its own deal."""
    read = yaml.safe_load((CASES / f"{rule}.yaml").read_text())
    given = read.pop("given", "")
    assert set(read) == set(SORTS), f"{rule}.yaml has {sorted(read)}: firing, silent and resolved are needed"
    for cases in read.values():
        for case in cases:
            assert set(case) <= {"why", "policy", "timeline"}, sorted(case)
            own = any(" created " in line for line in case["timeline"].splitlines())
            case["timeline"] = case["timeline"] if own else given + case["timeline"]
    return read  # type: ignore[no-any-return]


def examples_of(spec: RuleSpec) -> list[str]:
    """The timelines on a rule's page."""
    return BLOCK.findall(spec.doc)


def all_cases() -> list[Any]:
    """Every case of every rule, with a name that says which."""
    return [
        pytest.param(spec, sort, case, id=f"{spec.name}-{sort}-{number}")
        for spec in PATTERNS
        if (CASES / f"{spec.name}.yaml").exists()
        for sort, cases in cases_of(spec.name).items()
        for number, case in enumerate(cases, start=1)
    ]


@pytest.mark.parametrize(("spec", "sort", "case"), all_cases())
def test_case(spec: RuleSpec, sort: str, case: dict[str, Any]) -> None:
    policy = yaml.safe_dump(case["policy"]) if "policy" in case else ""
    assert not timeline.check(case["timeline"], compile_text, (spec.name,), policy), case["why"]
    hows = [
        told.how
        for line in timeline.parse(case["timeline"]).lines
        for told in line.expected
        if told.what == spec.name
    ]  # fmt: skip
    resolved = any(how.startswith("resolved") for how in hows)
    assert {"firing": bool(hows), "silent": not hows, "resolved": resolved}[sort], f"this is not a {sort} case"
    assert re.fullmatch(r"[A-Z0-9].{15,}\.", case["why"]), f"one sentence: {case['why']!r}"


@pytest.mark.parametrize("spec", PATTERNS, ids=lambda spec: spec.name)
def test_example_on_the_page(spec: RuleSpec) -> None:
    examples = examples_of(spec)
    assert examples, "no timeline block on the page"
    for example in examples:
        assert not timeline.check(example, compile_text, (spec.name,))
        assert any(told.what == spec.name for line in timeline.parse(example).lines for told in line.expected)


def test_every_rule_has_a_case_file_and_every_case_file_a_rule() -> None:
    assert sorted(path.stem for path in CASES.glob("*")) == sorted(spec.name for spec in PATTERNS)
