"""``wellwon norms``, and what ``wellwon policy check`` notes by the calendar."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from wellwon.cli import cli


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("WELLWON_"):
            monkeypatch.delenv(name)


def wellwon(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(cli, [*arguments], **options)


@pytest.fixture
def a_year(tmp_path: Path) -> Path:
    """A folder with a simulated year and its organisation's policy."""
    assert (
        wellwon("simulate", "--deals", "600", "--quarters", "4", "--out", str(tmp_path / "year.jsonl")).exit_code == 0
    )
    (tmp_path / "policy.yaml").write_text(wellwon("simulate", "--policy").output + "norms_file: usual.yaml\n")
    return tmp_path


def test_norms_are_written_where_the_policy_looks_for_them(a_year: Path) -> None:
    policy, usual = str(a_year / "policy.yaml"), a_year / "usual.yaml"
    assert wellwon("policy", "check", policy).exit_code == 1
    made = wellwon("norms", "changes", str(a_year / "year.jsonl"), "--policy", policy)
    assert made.exit_code == 0, made.output
    assert "default: " in made.output
    assert f"{usual}: written" in made.output
    assert wellwon("policy", "check", policy).exit_code == 0
    shown = {row["key"]: row for row in json.loads(wellwon("policy", "show", policy, "--json").output)}
    assert shown["segments.default.norms.stage_days_median.Proposal"]["origin"].startswith(f"{usual}, line ")

    again = wellwon("norms", "changes", str(a_year / "year.jsonl"), "--policy", policy, "--to", "-")
    assert again.stdout == usual.read_text()

    whole = a_year / "elsewhere" / "whole.yaml"
    whole.parent.mkdir()
    whole.write_text(wellwon("policy", "show", policy, "--published").stdout)
    checked = [wellwon("policy", "check", file).output.partition("good. ")[2] for file in (policy, str(whole))]
    assert checked[0] == checked[1] != ""


def test_old_norms_are_noted_and_no_failure(a_year: Path) -> None:
    policy = str(a_year / "policy.yaml")
    (a_year / "usual.yaml").write_text(
        "made: 2020-02-01\nhistory: {first: 2018-01-01, last: 2020-01-31}\nsegments: {}\n"
    )
    checked = wellwon("policy", "check", policy)
    assert checked.exit_code == 0
    assert "days ago, on 2020-01-31: `wellwon norms` makes them anew" in checked.output


def test_exemptions_that_ended_are_noted(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    ended = "  - {owners: [a], until: 2020-01-31, reason: a new territory}\n"
    file.write_text(f"exemptions:\n{ended}{ended.replace('2020', '2080')}")
    checked = wellwon("policy", "check", str(file))
    assert checked.exit_code == 0
    said = "note: this exemption ended on 2020-01-31 (a new territory): it can be removed"
    assert checked.output.splitlines()[1:] == [f"{file}:2: {said}"]


def test_too_little_history_is_said(a_year: Path) -> None:
    policy = str(a_year / "policy.yaml")
    made = wellwon("norms", "changes", str(a_year / "year.jsonl"), "--policy", policy, "--until", "2026-07-10")
    assert made.exit_code == 0, made.output
    assert "insufficient_history, no figure is used" in made.output
    assert "{days: insufficient_history, n: " in (a_year / "usual.yaml").read_text()
