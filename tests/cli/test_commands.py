"""The commands as people type them: what they print, how they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from wellwon import __version__
from wellwon.cli import COMMANDS, UNLISTED, cli
from wellwon.history.replay import Change, Replay, Summary
from wellwon.rules import PATTERNS

ROOT = Path(__file__).parents[2]
BAD = "window_day: 10\nrules:\n  late-discont: shadow\n"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("WELLWON_"):
            monkeypatch.delenv(name)


def wellwon(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(cli, [*arguments], **options)


def real(*arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """A real run, in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("WELLWON_")}
    return subprocess.run(
        [sys.executable, "-m", "wellwon", *arguments],
        input=stdin,
        capture_output=True,
        cwd=ROOT,
        env={**clean, "PYTHONPATH": str(ROOT / "streams"), **environment},
        timeout=60,
        check=False,
    )


# --- the group ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*COMMANDS, *UNLISTED])
def test_every_command_has_help(name: str) -> None:
    result = wellwon(name, "--help")
    assert result.exit_code == 0, result.output
    assert result.output.startswith(f"Usage: cli {name}")


def test_help_lists_every_command_without_importing_them() -> None:
    listing = wellwon("--help").output
    assert all(f"  {name} " in listing for name in COMMANDS)
    script = "import sys; from wellwon.cli import cli; cli(['--help'], standalone_mode=False); print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT / "streams"
    ).stdout
    assert not {"faust", "kafka", "rich", "yaml", "orjson"} & set(modules.split())


def test_explain_starts_without_kafka_and_faust() -> None:
    script = (
        "import sys; from wellwon.cli import cli; cli(['explain', 'late-discount'], standalone_mode=False);"
        "print(*sys.modules)"
    )
    modules = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT / "streams"
    ).stdout
    assert not {"faust", "kafka", "aiokafka", "confluent_kafka", "prometheus_client"} & set(modules.split())


def test_version() -> None:
    assert wellwon("--version").output == f"wellwon {__version__}\n"


def test_an_unknown_command_gets_a_suggestion() -> None:
    result = wellwon("polcy")
    assert result.exit_code == 2
    assert "did you mean 'policy'?" in result.output


# --- rules ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [spec.name for spec in PATTERNS])
def test_explain_prints_the_page_and_the_thresholds(name: str) -> None:
    spec = next(spec for spec in PATTERNS if spec.name == name)
    result = wellwon("explain", name)
    assert result.exit_code == 0
    assert all(line.strip() in result.output for line in spec.doc.splitlines() if line[:1] not in ("#", "`"))
    assert "```" not in result.output
    assert "##" not in result.output
    assert all(field in result.output for field in spec.params.__dataclass_fields__)


@pytest.mark.parametrize("group", ["policy", "topics", "dead-letters", "deliver"])
def test_help_cuts_no_sentence(group: str) -> None:
    result = wellwon(group, "--help")
    assert result.exit_code == 0
    assert "..." not in result.output.partition("Commands:")[2]


def test_explain_suggests() -> None:
    result = wellwon("explain", "late-discont")
    assert result.exit_code == 2
    assert "did you mean 'late-discount'?" in result.output


def test_rules_for_people_and_machines() -> None:
    assert [line.split()[0] for line in wellwon("rules").output.splitlines()[1:]] == [spec.name for spec in PATTERNS]
    listed = json.loads(wellwon("rules", "--json").output)
    assert [rule["name"] for rule in listed] == [spec.name for spec in PATTERNS]
    assert all({"default", "ge", "le", "unit", "doc"} == about.keys() for r in listed for about in r["params"].values())


def test_rules_show_the_mode_under_the_policy(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text("rules: {late-discount: {mode: shadow, points: 7}}\n")
    env = {"WELLWON_POLICY": str(file)}
    line = next(line for line in wellwon("rules", env=env).output.splitlines() if line.startswith("late-discount"))
    assert line.split()[3] == "shadow"
    rule = next(r for r in json.loads(wellwon("rules", "--json", env=env).output) if r["name"] == "late-discount")
    assert rule["in_force"]["points"] == 7


def test_an_empty_variable_is_as_good_as_none() -> None:
    assert wellwon("rules", env={"WELLWON_POLICY": ""}).output == wellwon("rules").output


def test_a_variable_that_is_no_setting_is_named() -> None:
    result = wellwon("check", env={"WELLWON_KAFKA": "localhost:9092", "WELLWON_PARTITION": "2"})
    assert result.exit_code == 1
    assert "did you mean WELLWON_PARTITIONS?" in result.output


def test_a_broker_that_does_not_answer_is_said_at_once() -> None:
    topics, letters = ("topics create", "topics verify"), ("dead-letters list", "dead-letters redrive")
    for arguments in map(str.split, ("worker", "ingest changes -", *topics, *letters)):
        result = wellwon(*arguments, env={"WELLWON_KAFKA": "127.0.0.1:1"}, input="")
        assert result.exit_code == 1
        assert "127.0.0.1:1 does not answer" in result.output


def test_too_many_replicas_are_told_in_kafkas_words() -> None:
    from wellwon.cli.topics import _kafkas_words

    reply = (
        "[Error 38] InvalidReplicationFactorError: CreatableTopicResult(error_message='Unable to replicate 3 times')"
    )
    assert _kafkas_words(Exception(reply)) == "Unable to replicate 3 times"


def test_an_export_given_as_changes_is_recognised(tmp_path: Path) -> None:
    file = tmp_path / "history.csv"
    file.write_text("Id,OpportunityId,CreatedDate,StageName\nh1,d1,2026-01-05,Prospecting\n")
    result = real("replay", "changes", str(file))
    assert result.returncode == 2
    assert result.stderr.decode() == f"{file}:1: this looks like salesforce-history, not changes\n"


def test_a_zone_at_the_top_is_shown_its_place() -> None:
    result = wellwon("policy", "check", "-", input="timezone: Europe/Berlin\n")
    assert "did you mean calendar.zone?" in result.output


# --- policy ---------------------------------------------------------------------------------------------------------


def test_policy_check(tmp_path: Path) -> None:
    good = wellwon("policy", "check", str(ROOT / "deploy" / "policy.yaml"))
    assert good.exit_code == 0, good.output
    assert "good. 2 pipelines, 3 segments" in good.output

    file = tmp_path / "policy.yaml"
    file.write_text(BAD)
    bad = wellwon("policy", "check", str(file))
    assert bad.exit_code == 1
    assert f"{file}:1:1: 'window_day' is not a key of a policy: did you mean 'window_days'?" in bad.output
    assert f"{file}:3:3: 'late-discont' is not a rule: did you mean 'late-discount'?" in bad.output
    assert "2 problems" in bad.output
    listed = wellwon("policy", "check", str(file), "--json")
    assert listed.exit_code == 1
    assert [problem["line"] for problem in json.loads(listed.output)] == [1, 3]


def test_policy_check_reads_standard_input_and_the_environment(tmp_path: Path) -> None:
    assert "standard input:1:1" in wellwon("policy", "check", "-", input=BAD).output
    file = tmp_path / "policy.yaml"
    file.write_text("window_days: 12\n")
    assert wellwon("policy", "check", env={"WELLWON_POLICY": str(file)}).exit_code == 0


def test_policy_show(tmp_path: Path) -> None:
    assert "closed_days" in wellwon("policy", "show").output
    file = tmp_path / "policy.yaml"
    file.write_text("window_days: 12\nrules:\n  late-discount:\n    points: 7\n")
    shown = wellwon("policy", "show", "--written", str(file)).output.splitlines()
    assert [line.split() for line in shown[1:]] == [
        ["window_days", "line", "1", "12"],
        ["rules.late-discount.points", "line", "4", "7"],
    ]
    rows = {row["key"]: row for row in json.loads(wellwon("policy", "show", "--json", str(file)).output)}
    assert rows["rules.late-discount.points"] == {
        "key": "rules.late-discount.points",
        "value": 7,
        "origin": "line 4",
    }
    assert rows["closed_days"]["origin"] == "default"


def test_check_tells_settings_and_policy_at_once(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(BAD)
    bad = wellwon("check", env={"WELLWON_POLICY": str(file), "WELLWON_PARTITIONS": "many"})
    assert bad.exit_code == 1
    assert all(said in bad.output for said in ("WELLWON_KAFKA is not set", "WELLWON_PARTITIONS", "late-discont"))
    file.write_text("window_days: 12\n")
    good = wellwon("check", env={"WELLWON_POLICY": str(file), "WELLWON_KAFKA": "localhost:9092"})
    assert good.exit_code == 0, good.output
    assert "WELLWON_KAFKA" in wellwon("check", "--list").output


# --- replay ---------------------------------------------------------------------------------------------------------


def test_replay_writes_what_the_topics_would_hold(tmp_path: Path) -> None:
    changes, policy = tmp_path / "changes.jsonl", tmp_path / "policy.yaml"
    assert wellwon("simulate", "--deals", "150", "--out", str(changes)).exit_code == 0
    policy.write_text(wellwon("simulate", "--policy").output)
    alerts, wins = tmp_path / "alerts.jsonl", tmp_path / "wins.jsonl"
    arguments = (
        "replay",
        "changes",
        str(changes),
        "--policy",
        str(policy),
        "--alerts",
        str(alerts),
        "--wins",
        str(wins),
    )
    result = wellwon(*arguments, "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.output)
    assert summary["deals"] == 150
    said = [json.loads(line) for line in alerts.read_text().splitlines()]
    assert sum(summary["transitions"].values()) == len(said) > 0
    assert len({alert["id"] for alert in said}) == len(said)
    first = alerts.read_bytes(), wins.read_bytes()
    assert "150 deals" in wellwon(*arguments).output
    assert (alerts.read_bytes(), wins.read_bytes()) == first

    early = json.loads(wellwon(*arguments, "--json", "--until", "2026-08-01").output)
    assert early["changes"] < summary["changes"]
    assert early["last_at"] < "2026-08-01T12"


def test_replay_says_what_cannot_be_used(tmp_path: Path) -> None:
    changes, rejects = tmp_path / "changes.jsonl", tmp_path / "rejects.txt"
    changes.write_bytes(real("simulate", "--deals", "3").stdout + b"this is not JSON\n")
    result = wellwon("replay", "changes", str(changes), "--rejects", str(rejects))
    assert result.exit_code == 1
    assert "cannot be used: " in result.output
    assert f"{changes}:" in rejects.read_text()
    changes.write_text("this is not JSON\n")
    assert wellwon("replay", "changes", str(changes)).exit_code == 2


def test_what_the_core_refuses_is_said_by_the_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing(Replay):
        """As if a rule had raised."""

        def run(self, changes: Iterable[Change], until: int | None = None) -> Summary:
            summary = super().run(changes, until)
            summary.dead_letters["rule_failed"] += 1
            return summary

    changes = tmp_path / "changes.jsonl"
    changes.write_bytes(real("simulate", "--deals", "1").stdout)
    assert wellwon("replay", "changes", str(changes)).exit_code == 0
    monkeypatch.setattr("wellwon.cli.replay.Replay", Refusing)
    for arguments, said in (((), "dead letters: rule_failed 1"), (("--json",), '"rule_failed": 1')):
        result = wellwon("replay", "changes", str(changes), *arguments)
        assert (result.exit_code, said in result.output) == (1, True)


def test_nothing_is_written_over_what_is_read(tmp_path: Path) -> None:
    changes = tmp_path / "changes.jsonl"
    changes.write_bytes(before := real("simulate", "--deals", "1").stdout)
    other, again = str(tmp_path / "other.jsonl"), str(tmp_path / "." / "changes.jsonl")
    for arguments in (
        ("replay", "changes", str(changes), "--alerts", again),
        ("replay", "changes", str(changes), "--policy", str(changes), "--rejects", str(changes)),
        ("replay", "changes", str(changes), "--alerts", other, "--wins", other),
        ("ingest", "changes", str(changes), "--rejects", str(changes)),
        ("norms", "changes", str(changes), "--to", str(changes)),
        ("backtest", str(changes), "--report", str(changes)),
        ("simulate", "--deals", "1", "--out", other, "--labels", other),
    ):
        result = wellwon(*arguments)
        assert result.exit_code == 2, result.output
        assert "would be overwritten" in result.output
    assert changes.read_bytes() == before


def test_replay_names_stages_that_no_pipeline_knows(tmp_path: Path) -> None:
    changes = tmp_path / "changes.jsonl"
    changes.write_bytes(real("simulate", "--deals", "3").stdout)
    policy = tmp_path / "policy.yaml"
    policy.write_text("pipelines: [{name: Sales, open: [Somewhere], won: [Yes], lost: [No]}]\n")
    arguments = ("replay", "changes", str(changes), "--policy", str(policy))
    assert "stages that no pipeline knows: " in wellwon(*arguments).output
    assert json.loads(wellwon(*arguments, "--json").output)["unknown_stages"]


def test_an_export_cannot_be_followed() -> None:
    result = wellwon("ingest", "salesforce-history", "--follow", "salesforce", env={"WELLWON_KAFKA": "localhost:1"})
    assert result.exit_code == 2
    assert "salesforce-history is read from files" in result.output


def test_what_is_followed_comes_as_it_comes() -> None:
    for option in ("--clock", "--speed=9", "--dayfirst", "--tz=Europe/Berlin", "--rejects=r.jsonl"):
        result = wellwon("ingest", "salesforce-cdc", "--follow", "salesforce", option)
        assert (result.exit_code, "--follow reads what a connector writes" in result.output) == (2, True)


def test_replay_suggests_kinds_and_zones(tmp_path: Path) -> None:
    result = wellwon("replay", "salesforce-histry", "x.csv")
    assert result.exit_code == 2
    assert "did you mean salesforce-history?" in result.output
    assert wellwon("replay", "changes", "-", "--tz", "Berlin", input="").exit_code == 2
    assert wellwon("replay", "changes", "-", "--until", "soon", input="").exit_code == 2


# --- real processes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("policy", "show", "no-such-file.yaml"), 2, "Error: no-such-file.yaml: no such file or directory\n"),
        (("policy", "check", "LICENSE"), 1, "LICENSE"),
        (("replay", "changes", "no-such-file.jsonl"), 2, "Error: no-such-file.jsonl: no such file or directory\n"),
        (("worker",), 2, "Error: WELLWON_KAFKA is not set: Kafka's bootstrap servers, host:port\n"),
        (("topics", "create"), 2, "Error: WELLWON_KAFKA is not set"),
        (("explain", "no-such-rule"), 2, "Error: there is no rule 'no-such-rule'"),
        (("doctor",), 1, "WRONG"),
    ],
)
def test_expected_failures_are_one_message(arguments: tuple[str, ...], code: int, said: str) -> None:
    result = real(*arguments)
    output = (result.stdout + result.stderr).decode()
    assert result.returncode == code, output
    assert said in output
    assert "Traceback" not in output
    assert "\x1b[" not in output, "no colours where no one looks"


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{sys.executable} -m wellwon policy show --json | head -c 10"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "streams")}
    result = subprocess.run(
        command, shell=True, capture_output=True, cwd=ROOT, env=environment, timeout=60, check=False
    )
    assert result.stderr == b""


def test_check_tells_which_secrets_the_sinks_need(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    sink = "{kind: slack, hears: [owner]}"
    file.write_text(f"deliver: {{sinks: {{slack: {sink}, deal-desk: {sink}}}}}\n")
    env = {
        "WELLWON_KAFKA": "k:9092",
        "WELLWON_POLICY": str(file),
        "WELLWON_SINK_SLACK": "xoxb",
        "WELLWON_SINK_DEALDESK": "x",
    }
    checked = wellwon("check", env=env)
    assert checked.exit_code == 0
    assert [line for line in checked.output.splitlines() if line.startswith("sinks: ")] == [
        "sinks: WELLWON_SINK_DEAL_DESK is not set: `wellwon deliver` needs it for the sink 'deal-desk'",
        "sinks: WELLWON_SINK_DEALDESK is for no sink of the policy: did you mean 'WELLWON_SINK_DEAL_DESK'?",
    ]
