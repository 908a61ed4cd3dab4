"""Writes monitoring/prometheus-rule.yaml: the rules of deploy/prometheus/rules, for the Prometheus operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent
RULE = FOLDER / "monitoring" / "prometheus-rule.yaml"


def prometheus_rule() -> dict[str, Any]:
    """Every group of every file of rules."""
    files = sorted((FOLDER.parent / "prometheus" / "rules").glob("*.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {"name": "wellwon"},
        "spec": {"groups": groups},
    }


if __name__ == "__main__":
    head = "# Written by deploy/kubernetes/prometheus_rule.py.\n"
    RULE.write_text(head + yaml.safe_dump(prometheus_rule(), sort_keys=False, allow_unicode=True, width=120))
