"""`wellwon policy diff`: values, and what a history would have told otherwise."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli.test_commands import wellwon


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A simulated organisation: its changes, its policy."""
    folder = tmp_path_factory.mktemp("diff")
    changes, policy = folder / "changes.jsonl", folder / "policy.yaml"
    assert wellwon("simulate", "--deals", "150", "--out", str(changes)).exit_code == 0
    policy.write_text(wellwon("simulate", "--policy").output)
    return str(changes), str(policy)


def changed(policy: str, folder: Path, rules: str) -> str:
    file = folder / "new.yaml"
    file.write_text(f"{Path(policy).read_text()}\nrules: {{{rules}}}\n")
    return str(file)


def diff(simulated: tuple[str, str], new: str, *options: str) -> dict[str, Any]:
    changes, old = simulated
    result = wellwon("policy", "diff", old, new, "--replay", "changes", changes, "--json", *options)
    assert result.exit_code == 0, result.output
    said: dict[str, Any] = json.loads(result.output)
    return said


def test_the_same_policy_says_the_same(simulated: tuple[str, str]) -> None:
    said = diff(simulated, simulated[1])
    assert said["values"] == []
    assert all(rule["before"] == rule["after"] and not rule["gained"] + rule["lost"] for rule in said["rules"].values())
    assert said["messages"]["before"] == said["messages"]["after"]
    assert sum(rule["before"] for rule in said["rules"].values()) > 0


def test_what_is_told_is_what_a_replay_publishes(simulated: tuple[str, str], tmp_path: Path) -> None:
    changes, policy = simulated
    alerts = tmp_path / "alerts.jsonl"
    wellwon("replay", "changes", changes, "--policy", policy, "--alerts", str(alerts))
    records = [json.loads(line) for line in alerts.read_text().splitlines()]
    taken_back = {r["fingerprint"] for r in records if r["transition"] == "resolved" and r["reason"] == "retracted"}
    told = [r for r in records if r["transition"] != "resolved" and not r["covered_by"] and r["mode"] == "alert"]
    opened = {r["fingerprint"] for r in told} - taken_back
    said = diff(simulated, policy)
    assert sum(rule["before"] for rule in said["rules"].values()) == len(opened)
    assert said["messages"]["before"]["total"] == sum(r["fingerprint"] not in taken_back for r in told)


def test_a_lower_threshold_gains_and_shadow_loses(simulated: tuple[str, str], tmp_path: Path) -> None:
    new = changed(simulated[1], tmp_path, "late-discount: {points: 1}, close-date-push: shadow")
    said = diff(simulated, new)
    assert [change["key"] for change in said["values"]] == ["rules.late-discount.points", "rules.close-date-push.mode"]
    late, pushed = said["rules"]["late-discount"], said["rules"]["close-date-push"]
    assert late["gained"]
    assert not late["lost"]
    assert late["after"] == late["before"] + len(late["gained"])
    assert all({"subject", "opened_at", "title", "evidence"} <= alert.keys() for alert in late["gained"])
    assert (pushed["after"], len(pushed["lost"])) == (0, pushed["before"])
    assert said["messages"]["after"]["total"] != said["messages"]["before"]["total"]


def test_in_words(simulated: tuple[str, str], tmp_path: Path) -> None:
    changes, old = simulated
    new = changed(old, tmp_path, "late-discount: {points: 1}")
    result = wellwon("policy", "diff", old, new, "--replay", "changes", changes, "--examples", "1")
    assert result.exit_code == 0, result.output
    assert "rules.late-discount.points: 5 (default) to 1 (line " in result.output
    assert "late-discount: gained" in result.output
    assert "per owner and week: " in result.output
    assert "raised by 1 points or more" in result.output
    exempt = tmp_path / "exempt.yaml"
    everyone = "exemptions: [{segments: [default], until: 2030-01-01, reason: Not now.}]"
    exempt.write_text(f"{Path(old).read_text()}\n{everyone}\n")
    said = diff(simulated, str(exempt))
    assert sum(rule["after"] for rule in said["rules"].values()) == 0


def test_without_a_history_only_the_values(tmp_path: Path) -> None:
    old, new = tmp_path / "old.yaml", tmp_path / "new.yaml"
    old.write_text("window_days: 12\n")
    new.write_text("window_days: 12\n")
    assert "every value in force is the same" in wellwon("policy", "diff", str(old), str(new)).output
    new.write_text("window_days: 13\n")
    assert "window_days: 12 (line 1) to 13 (line 1)" in wellwon("policy", "diff", str(old), str(new)).output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("OLD", "OLD", "CHANGES"), "are for --replay KIND FILE..."),
        (("OLD", "OLD", "--replay", "changes"), "name the files"),
        (("OLD", "OLD", "--replay", "changes", "-"), "read twice"),
        (("OLD", "OLD", "--replay", "changes", "BAD"), "no change in these files"),
    ],
)
def test_mistakes_are_told(simulated: tuple[str, str], tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "bad").write_text("{}\n")
    names = {"CHANGES": simulated[0], "OLD": simulated[1], "BAD": str(tmp_path / "bad")}
    result = wellwon("policy", "diff", *(names.get(one, one) for one in arguments))
    assert result.exit_code == 2
    assert said in result.output
