"""What a rule says it rests on is what it cannot do without: `wellwon policy coverage` and `explain` rely on it."""

from __future__ import annotations

import re

import pytest
import yaml

from rules.test_cases import cases_of
from wellwon.core import timeline
from wellwon.core.rule import AMOUNT, CATEGORY, DATA, NEXT_STEP, PRICE, TOUCH, RuleSpec
from wellwon.policy import compile_text
from wellwon.rules import RULES

WORDS = {
    PRICE: r"\b(discount|list|line|unit_price|list_price)=\S*",
    AMOUNT: r"\bamount=\S*",
    CATEGORY: r"\bcategory=(\"[^\"]*\"|\S*)",
    TOUCH: r"\b(inbound|outbound)\b",
    NEXT_STEP: r"\bnext_step=(\"[^\"]*\"|\S*)",
}
"""How a timeline writes each part."""
PARTS = [pytest.param(spec, part, id=f"{spec.name}-{part}") for spec in RULES for part in WORDS if spec.reads & part]


def fires_without(spec: RuleSpec, part: int) -> bool:
    """Whether any of the rule's firing timelines still makes it fire when a part is left out of it."""
    for case in cases_of(spec.name)["firing"]:
        written = timeline.parse(case["timeline"])
        policy = written.policy or (yaml.safe_dump(case["policy"]) if "policy" in case else "")
        if part == CATEGORY and "categories" in policy:
            continue  # there the stage says it
        lines = [f"{line.when}  {' '.join(map(quoted, line.words))}" for line in written.lines]
        bare = timeline.parse("\n".join(re.sub(WORDS[part], "", line) for line in lines))
        seen = timeline.run(timeline.Timeline(policy, bare.lines), compile_text)
        if any(alert["rule"] == spec.name for one in seen for alert in one.alerts):
            return True
    return False


def quoted(word: str) -> str:
    name, given, value = word.partition("=")
    return f'{name}="{value}"' if given and " " in value else word


@pytest.mark.parametrize(("spec", "part"), PARTS)
def test_a_rule_names_what_it_rests_on(spec: RuleSpec, part: int) -> None:
    if spec.rests_on & part:
        assert not fires_without(spec, part), f"{spec.name} fires without it: it does not rest on this part"
    else:
        assert fires_without(spec, part), f"no timeline of {spec.name} fires without it: it rests on this part"


@pytest.mark.parametrize("spec", RULES, ids=lambda spec: spec.name)
def test_a_rule_rests_only_on_what_it_reads(spec: RuleSpec) -> None:
    assert spec.rests_on & ~(spec.reads & DATA) == 0
