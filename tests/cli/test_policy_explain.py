"""`wellwon policy explain`: a deal of a file, in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.test_commands import wellwon
from wellwon.cli.examples import life
from wellwon.rules import RULES

DEAL = life()[0]["opportunity_id"]


@pytest.fixture
def changes(tmp_path: Path) -> str:
    file = tmp_path / "changes.jsonl"
    file.write_text("".join(json.dumps(event) + "\n" for event in life()))
    return str(file)


def test_a_deal_of_a_file_in_words(changes: str) -> None:
    result = wellwon("policy", "explain", DEAL, "--replay", "changes", changes)
    assert result.exit_code == 0, result.output
    assert all(f"  {spec.name}" in result.output for spec in RULES)
    assert "because " in result.output
    assert "MOVES" in result.output
    assert "\x1b[" not in result.output


def test_a_deal_of_a_file_as_json(changes: str) -> None:
    result = wellwon("policy", "explain", DEAL, "--replay", "changes", changes, "--json")
    said = json.loads(result.output)
    assert said["opportunity_id"] == DEAL
    assert [rule["rule"] for rule in said["rules"]] == [spec.name for spec in RULES]
    late = next(rule for rule in said["rules"] if rule["rule"] == "late-discount")
    assert late["thresholds"]["points"] == {
        "value": 5,
        "unit": "percentage points",
        "doc": "Smallest raise in one save that counts.",
    }
    assert all(rule["why"] or rule["verdict"] == "holds" for rule in said["rules"])


def test_as_of_an_earlier_day_and_under_another_policy(changes: str, tmp_path: Path) -> None:
    arguments = ("policy", "explain", DEAL, "--replay", "changes", changes, "--json", "--rule", "late-discount")
    (early,) = json.loads(wellwon(*arguments, "--until", life()[0]["occurred_at"]).output)["rules"]
    assert early["verdict"] == "insufficient_history"
    policy = tmp_path / "policy.yaml"
    policy.write_text("rules: {late-discount: off}\n")
    (off,) = json.loads(wellwon(*arguments, "--policy", str(policy)).output)["rules"]
    assert off["verdict"] == "off"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("no-such-deal", "--replay", "changes", "CHANGES"), 1, "no deal 'no-such-deal' among the 1 of these files"),
        ((DEAL, "--replay", "changes"), 2, "name the files of --replay changes"),
        ((DEAL, "CHANGES"), 2, "are for --replay KIND FILE..."),
        ((DEAL, "--replay", "chnges", "CHANGES"), 2, "did you mean changes?"),
        ((DEAL, "--replay", "changes", "CHANGES", "--rule", "late-discont"), 2, "did you mean 'late-discount'?"),
        ((DEAL, "--replay", "changes", "CHANGES", "--until", "soon"), 2, "--until"),
    ],
)
def test_mistakes_are_told(changes: str, arguments: tuple[str, ...], code: int, said: str) -> None:
    result = wellwon("policy", "explain", *(changes if one == "CHANGES" else one for one in arguments))
    assert result.exit_code == code, result.output
    assert said in result.output


TEAM = """\
Id,OpportunityId,CreatedDate,CreatedById,StageName,Amount,CloseDate,OwnerId
""" + "".join(
    f"a{n},d{n},2026-08-03 10:00:00,ann,Prospecting,1000,2026-09-28,ann\n"
    f"b{n},d{n},2026-09-24 10:0{n}:00,ann,Prospecting,1000,2026-10-20,ann\n"
    for n in range(6)
)  # fmt: skip


def test_an_owner_and_a_team_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "history.csv"
    file.write_text(TEAM)
    asked = ("policy", "explain", "owner:ann", "--replay", "salesforce-history", str(file))
    result = wellwon(*asked)
    assert result.exit_code == 0, result.output
    assert "bulk-push: info, 6 deals pushed within 1 hour: review these dates together" in result.output
    assert "it counts 6 of 6 deals" in result.output
    assert "deals: d0, d1, d2, d3, d4, d5" in result.output
    (now, before) = json.loads(wellwon(*asked, "--json", "--until", "2026-09-20").output)["rules"]
    assert (now["period"], now["holds"], now["deals_counted"], now["thresholds"]["deals"]) == ("2026-Q3", False, 6, 5)
    assert (before["period"], before["holds"], before["deals_counted"]) == ("2026-Q2", False, 0)
    team = wellwon("policy", "explain", "team:all", "--replay", "salesforce-history", str(file)).output
    assert "period-end-load: does not hold" in team
    assert "wins 10 wins: Fewer wins in the period say nothing." in team
    nobody = wellwon("policy", "explain", "owner:anne", "--replay", "salesforce-history", str(file))
    assert nobody.exit_code == 1
    assert "belongs to owner 'anne': did you mean 'ann'?" in nobody.output


def test_who_asks_in_the_wrong_place_is_told_where(changes: str) -> None:
    live = wellwon("policy", "explain", "team:East")
    assert (live.exit_code, "with --replay KIND FILE... a history says why" in live.output) == (1, True)
    deal = wellwon("policy", "explain", DEAL, "--replay", "changes", changes, "--rule", "bulk-push")
    assert (deal.exit_code, "'bulk-push' is about owners" in deal.output) == (2, True)


def test_without_files_the_broker_is_asked() -> None:
    result = wellwon("policy", "explain", DEAL, env={"WELLWON_KAFKA": "127.0.0.1:1"})
    assert result.exit_code == 1
    assert "127.0.0.1:1 does not answer" in result.output


def test_every_policy_command_shows_examples() -> None:
    listing = wellwon("policy", "--help").output
    for name in ("explain", "coverage", "diff", "init", "test"):
        assert f"  {name} " in listing
        shown = wellwon("policy", name, "--help")
        assert shown.exit_code == 0
        assert f"wellwon policy {name} " in shown.output
