"""`wellwon simulate`, as people run it."""

from __future__ import annotations

from pathlib import Path

import orjson
from click.testing import CliRunner

from wellwon.cli import cli
from wellwon.policy import load_policy
from wellwon.simulate import Simulation


def test_changes_and_labels_are_written_to_files(tmp_path: Path) -> None:
    changes, labels = tmp_path / "changes.jsonl", tmp_path / "labels.jsonl"
    done = CliRunner().invoke(
        cli, ["simulate", "--deals", "80", "--seed", "3", "--out", str(changes), "--labels", str(labels)]
    )
    assert done.exit_code == 0, done.output
    assert changes.read_bytes().splitlines() == [delivery.value for delivery in Simulation(3, 80)]
    told = [orjson.loads(line) for line in labels.read_bytes().splitlines()]
    assert len(told) == 80
    assert set(told[0]) == {"opportunity_id", "group", "kind", "expected", "must_not_fire", "win", "severity", "reason"}
    assert "changes of 80 deals" in done.output


def test_deals_are_different_lives_as_long_as_people_may_count_them() -> None:
    done = CliRunner().invoke(cli, ["simulate", "--deals", "2100"])
    created = [one for one in map(orjson.loads, done.stdout.splitlines()) if one["kind"] == "created"]
    assert len({(one["occurred_at"][:19], one["values"]["account"]) for one in created}) > 2_090


def test_changes_go_to_standard_output_by_default() -> None:
    done = CliRunner().invoke(cli, ["simulate", "--deals", "5", "--calm"])
    assert orjson.loads(done.stdout.splitlines()[0])["kind"] == "created"


def test_until_takes_a_date() -> None:
    done = CliRunner().invoke(cli, ["simulate", "--deals", "50", "--until", "2026-08-01"])
    assert max(orjson.loads(line)["occurred_at"] for line in done.stdout.splitlines()) < "2026-08-01T04"


def test_the_organisations_policy_is_a_valid_one() -> None:
    done = CliRunner().invoke(cli, ["simulate", "--policy"])
    assert load_policy(done.output).calendar.zone == "America/New_York"


def test_mistakes_are_told_in_one_line() -> None:
    for arguments, message in (
        (["--deals", "0"], "between 1 and 2,000,000"),
        (["--changes-per-deal", "1"], "by itself"),
        (["--until", "soon"], "--until: 'soon'"),
    ):
        done = CliRunner().invoke(cli, ["simulate", *arguments])
        assert done.exit_code == 2
        assert message in done.output
