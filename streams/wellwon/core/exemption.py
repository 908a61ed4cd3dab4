"""Deals that nobody is told about until a date: what holds for them is evaluated, and stays in shadow."""

from __future__ import annotations

from wellwon.core.deal import Deal
from wellwon.core.facts import Fact
from wellwon.core.model import ALERT, SHADOW, ExemptDeals, Ruleset


def exempted(
    modes: dict[str, str], deal_id: str, deal: Deal, segment: str, at: int, ruleset: Ruleset
) -> tuple[dict[str, str], int]:
    """The modes of the rules as they are for this deal at this instant, and when the first exemption ends (-1 none)."""
    ends_at = -1
    for exemption in ruleset.exemptions:
        if at < exemption.ends_at and _matches(exemption, deal_id, deal, segment, ruleset):
            told = {rule for rule, mode in modes.items() if mode == ALERT and exemption.holds_for(rule)}
            modes = {**modes, **dict.fromkeys(told, SHADOW)}
            ends_at = exemption.ends_at if ends_at < 0 else min(ends_at, exemption.ends_at)
    return modes, ends_at


def uncounted(rule: str, fact: Fact, at: int, ruleset: Ruleset) -> bool:
    """Whether a rule about an owner's or a team's deals leaves this one out at an instant."""
    return any(
        at < exemption.ends_at
        and exemption.holds_for(rule)
        and _matches(exemption, fact.deal, fact, fact.segment, ruleset)
        for exemption in ruleset.exemptions
    )


def _matches(exemption: ExemptDeals, deal_id: str, deal: Deal | Fact, segment: str, ruleset: Ruleset) -> bool:
    pipeline = deal.pipeline if deal.pipeline in ruleset.pipelines else ruleset.default_pipeline
    asked = (
        (exemption.deals, deal_id),
        (exemption.owners, deal.owner),
        (exemption.pipelines, pipeline),
        (exemption.segments, segment),
    )
    return all(not wanted or given in wanted for wanted, given in asked)
