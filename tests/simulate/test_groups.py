"""The truth test of the patterns of owners, teams and periods: every planted one is told, and nothing else is."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from wellwon.core.units import DAY
from wellwon.history.replay import Replay
from wellwon.policy import compile_text
from wellwon.rules import GROUP_RULES as SPECS
from wellwon.simulate.groups import GROUP_RULES, NEAR_MISS_STORIES, PATTERN_STORIES, GroupLabel, GroupSimulation
from wellwon.simulate.organisation import quarter

Said = dict[str, set[tuple[str, str]]]
"""By owner or team: rule and period of what was told and not retracted."""


def played(simulation: GroupSimulation, policy: str = "") -> tuple[Said, list[Any]]:
    said: Said = {}
    refused: list[Any] = []

    def hear(value: bytes) -> None:
        alert = orjson.loads(value)
        who = f"{alert['subject']['kind']}:{alert['subject']['id']}"
        if alert["subject"]["kind"] != "deal":
            assert alert["mode"] == "alert"
            said.setdefault(who, set()).add((alert["rule"], alert["period"]))
            if alert["transition"] == "resolved" and alert["reason"] == "retracted":
                said[who].discard((alert["rule"], alert["period"]))

    Replay(policy or simulation.policy, compile_text, alert=hear, win=len, dead_letter=refused.append).run(
        simulation, (quarter(2).end + 40) * DAY
    )
    return said, refused


@pytest.fixture(scope="module")
def truth() -> tuple[list[GroupLabel], Said]:
    simulation = GroupSimulation(7, 96, quarters=2)
    said, refused = played(simulation)
    assert not refused
    return simulation.labels, said


def test_the_stories_are_those_of_the_rules() -> None:
    assert tuple(spec.name for spec in SPECS) == GROUP_RULES == tuple(PATTERN_STORIES)


@pytest.mark.parametrize("rule", GROUP_RULES)
def test_what_was_planted_is_told_once_of_whom_it_concerns(truth: tuple[list[GroupLabel], Said], rule: str) -> None:
    labels, said = truth
    planted = [label for label in labels if label.expected == rule]
    assert len(planted) == 8
    for label in planted:
        assert {told for told, _ in said.get(label.subject, set())} == {rule}, label
        assert len(said[label.subject]) == 1, label


def test_nothing_else_is_told(truth: tuple[list[GroupLabel], Said]) -> None:
    labels, said = truth
    planted = {label.subject for label in labels}
    stories = {**{f"team:{one.team}": one for one in labels}, **{f"owner:{one.owner}": one for one in labels}}
    assert not {who: (stories[who], told) for who, told in said.items() if who not in planted}


LOWER = """
rules:
  bulk-push: {deals: 2, share: 10, hours: 100}
  period-end-load: {share: 20, wins: 5}
  discount-concentration: {points: 3}
  borrowed-from-next-period: {share: 3}
window_days: 20
"""


def test_near_misses_are_near() -> None:
    """With thresholds a little lower they are told: that they are silent otherwise says something."""
    simulation = GroupSimulation(8, 48)
    said, _ = played(simulation, simulation.policy.replace("window_days", "# window_days") + LOWER)
    told = {label.story for label in simulation.labels if {f"team:{label.team}", f"owner:{label.owner}"} & said.keys()}
    assert told >= NEAR_MISS_STORIES.keys() - {"pushes of others"}, "these are told apart by who wrote"
