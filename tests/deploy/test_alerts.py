"""The operators' alerts: each silent, firing and resolved, with a runbook, and sent where it should be."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from wellwon.rules import PATTERNS

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
TESTS = Path(__file__).with_name("alerts_test.yml")
ROUTES = DEPLOY / "alertmanager" / "alertmanager.yml"
ALERTS: dict[str, dict[str, Any]] = {
    rule["alert"]: rule
    for group in yaml.safe_load((DEPLOY / "prometheus" / "rules" / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
}
RECEIVERS = {"critical": "on-call", "warning": "operators"}


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_each_alert_is_silent_fires_and_resolves_when_it_should() -> None:
    run("promtool", "test", "rules", TESTS)


def test_each_alert_is_tested_so() -> None:
    tried = yaml.safe_load(TESTS.read_text())["tests"]
    whole = set()
    for case in tried:
        for alert in ALERTS:
            checks = [check for check in case["alert_rule_test"] if check["alertname"] == alert]
            fires = [bool(check.get("exp_alerts")) for check in checks]
            if fires == [False, True, False]:
                whole.add(alert)
    assert whole == ALERTS.keys()


@pytest.mark.parametrize("name", ALERTS)
def test_each_alert_leads_to_a_runbook_that_names_it(name: str) -> None:
    runbook = DEPLOY.parent / ALERTS[name]["annotations"]["runbook"]
    text = runbook.read_text()
    assert name in text
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == ["## What it means", "## How to look", "## How to mend"]


def test_every_runbook_belongs_to_an_alert() -> None:
    named = {Path(alert["annotations"]["runbook"]).name for alert in ALERTS.values()}
    assert named == {path.name for path in (DEPLOY / "runbooks").glob("*.md")}


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_reaches_those_whom_its_severity_concerns(name: str) -> None:
    severity = ALERTS[name]["labels"]["severity"]
    found = run(
        "amtool", "config", "routes", "test", f"--config.file={ROUTES}", f"alertname={name}", f"severity={severity}"
    )
    assert found.strip() == RECEIVERS[severity]


def test_alertmanager_reads_its_configuration() -> None:
    assert "SUCCESS" in run("amtool", "check-config", ROUTES)


def test_the_inhibitions_name_alerts_that_exist() -> None:
    for rule in yaml.safe_load(ROUTES.read_text())["inhibit_rules"]:
        for matcher in rule["source_matchers"] + rule["target_matchers"]:
            assert set(matcher.partition("=")[2].strip('~"').split("|")) <= ALERTS.keys()


def test_no_two_alerts_silence_each_other() -> None:
    """Alertmanager asks whether the source fires, not whether it is silenced itself: in a ring nobody would be told."""
    silences: dict[str, set[str]] = {}
    for rule in yaml.safe_load(ROUTES.read_text())["inhibit_rules"]:
        sources, targets = (
            [name for matcher in rule[side] for name in matcher.partition("=")[2].strip('~"').split("|")]
            for side in ("source_matchers", "target_matchers")
        )
        for source in sources:
            silences.setdefault(source, set()).update(targets)
    for first in silences:
        reached, ahead = set(), [first]
        while ahead:
            more = silences.get(ahead.pop(), set()) - reached
            reached |= more
            ahead += more
        assert first not in reached


def test_a_warning_silences_nothing_that_somebody_is_woken_by() -> None:
    for rule in yaml.safe_load(ROUTES.read_text())["inhibit_rules"]:
        severities = [
            {
                ALERTS[name]["labels"]["severity"]
                for matcher in rule[side]
                for name in matcher.partition("=")[2].strip('~"').split("|")
            }
            for side in ("source_matchers", "target_matchers")
        ]
        assert severities[0] == {"critical"} or severities[1] == {"warning"}


def test_operators_hear_of_the_processor_only() -> None:
    """What holds for deals is told by deliver, to whom it concerns."""
    text = "".join(alert["expr"] for alert in ALERTS.values())
    assert "open_findings" not in text
    assert not any(spec.name in text for spec in PATTERNS)
