"""Which rules run for which deals: renewals and co-terms have their own dates and prices."""

from __future__ import annotations

import pytest

from wellwon.core.model import DEAL_TYPES
from wellwon.core.rule import ANY_BUSINESS, NEW_BUSINESS
from wellwon.policy import compile_text
from wellwon.rules import RULES

OF_EVERY_DEAL = {"past-due-close-date", "commit-slip", "amount-cut-before-close"}
OF_NEW_BUSINESS_ALONE = {"late-stage-creation"}
FED = "activities: both\nfields: {Next__c: next_step}"


def running(deal_type: str) -> set[str]:
    return {active.spec.name for active in compile_text(FED).segments[-1].rules[deal_type]}


@pytest.mark.parametrize("deal_type", DEAL_TYPES)
def test_each_deal_type_has_its_rules(deal_type: str) -> None:
    every = {spec.name for spec in RULES}
    if deal_type in ANY_BUSINESS - NEW_BUSINESS:
        assert running(deal_type) == OF_EVERY_DEAL
    else:
        assert running(deal_type) == every - (set() if deal_type == "new" else OF_NEW_BUSINESS_ALONE)


def test_the_policy_may_say_otherwise() -> None:
    ruleset = compile_text("rules: {quiet-commit: {deal_types: [renewal]}}\nactivities: outbound")
    names = {kind: {active.spec.name for active in rules} for kind, rules in ruleset.segments[-1].rules.items()}
    assert "quiet-commit" in names["renewal"]
    assert "quiet-commit" not in names["new"]
