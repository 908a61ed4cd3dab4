"""One file for each mistake in bad/, with what people are told beside it."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from policy.toy_rules import RULES
from wellwon.policy import PolicyError, load_policy
from wellwon.policy.schema import policy_schema
from wellwon.policy.written import read_yaml

BAD = Path(__file__).with_name("bad")
MISTAKES = sorted(path.stem for path in BAD.glob("*.yaml"))

BEYOND_A_SCHEMA = {
    "duplicate-key": "a schema sees one of the two",
    "merge-key": "a schema sees the merged mapping",
    "misspelt-zone": "the zones are the machine's",
    "month-window": "a bound that another key decides",
    "norms-twice": "keys that exclude each other, and names",
    "not-yaml": "there is nothing to hold against a schema",
    "plan-rates-without-currency": "depends on another key",
    "own-field": "names",
    "pipeline-twice": "values of different items",
    "segment-named-default": "depends on another key",
    "segment-order": "depends on the order",
    "self-reference": "there is nothing to hold against a schema",
    "tab": "there is nothing to hold against a schema",
    "table-and-rule": "keys that exclude each other are told in words",
    "table-misses-a-row": "depends on the other rows",
    "two-documents": "there is nothing to hold against a schema",
    "unknown-zone": "the zones are the machine's",
    "week-start-without-weeks": "depends on another key",
}


def test_each_mistake_has_its_message() -> None:
    assert MISTAKES
    assert {path.stem for path in BAD.glob("*.txt")} == set(MISTAKES)
    assert set(MISTAKES) >= set(BEYOND_A_SCHEMA)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistake_is_told(mistake: str) -> None:
    text = (BAD / f"{mistake}.yaml").read_text()
    with pytest.raises(PolicyError) as raised:
        load_policy(text, f"{mistake}.yaml", RULES)
    assert str(raised.value) + "\n" == (BAD / f"{mistake}.txt").read_text()


@pytest.mark.parametrize("mistake", [mistake for mistake in MISTAKES if mistake not in BEYOND_A_SCHEMA])
def test_editors_see_the_mistake_too(mistake: str) -> None:
    written, _ = read_yaml((BAD / f"{mistake}.yaml").read_text(), mistake)
    assert not jsonschema.Draft202012Validator(policy_schema(RULES)).is_valid(written.plain)
