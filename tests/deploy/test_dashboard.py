"""The shipped dashboards, read: every panel explains itself and asks for metrics that exist."""

from __future__ import annotations

import json
import re
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from wellwon.runtime.crm_metrics import CrmMetrics
from wellwon.runtime.deliver_metrics import DeliverMetrics
from wellwon.runtime.metrics import Metrics

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
FOLDER = DEPLOY / "grafana" / "dashboards"
RUNBOOKS = DEPLOY / "runbooks"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
# Panels of both kinds of place: at the top, and inside a collapsed row.
PANELS: list[tuple[str, dict[str, Any]]] = [
    (name, panel)
    for name, dashboard in DASHBOARDS.items()
    for row in dashboard["panels"]
    for panel in (row, *row.get("panels", []))
]
CHARTS = [(name, panel) for name, panel in PANELS if panel["type"] != "row"]
# What the process collector offers on Linux; the registry here may stand on another system.
PROCESS = {"process_cpu_seconds_total", "process_resident_memory_bytes"}


@cache
def samples() -> dict[str, set[str]]:
    """Every sample that a worker can show, with its labels."""
    deliver = DeliverMetrics(["x"])
    everyone: tuple[Metrics | DeliverMetrics, ...] = (Metrics(), deliver)
    for metrics in (*everyone, CrmMetrics(deliver.registry, ["x"])):
        for metric in vars(metrics).values():
            if labels := getattr(metric, "_labelnames", ()):
                metric.labels(*("x" for _ in labels))
    return {
        sample.name: set(sample.labels)
        for metrics in everyone
        for family in text_string_to_metric_families(metrics.page().decode())
        for sample in family.samples
    } | {name: set() for name in PROCESS}


def test_there_is_one_for_each_who_looks() -> None:
    assert set(DASHBOARDS) == {"forecast-hygiene", "rule-tuning", "processor"}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_keeps_its_address(name: str) -> None:
    dashboard = DASHBOARDS[name]
    assert dashboard["uid"] == f"wellwon-{name}"
    assert dashboard["title"]
    assert dashboard["description"]
    assert "id" not in dashboard, "an id belongs to one Grafana; the uid is the same everywhere"


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_have_their_own_id_and_place(name: str) -> None:
    panels = [panel for dashboard, panel in PANELS if dashboard == name]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for one, other in combinations(places, 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        ), f"{one} and {other} overlap"


@pytest.mark.parametrize("panel", [panel for _, panel in CHARTS], ids=lambda panel: panel["title"])
def test_a_panel_explains_itself(panel: dict[str, Any]) -> None:
    assert panel["description"].endswith((".", "?"))
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert all(target["legendFormat"] for target in panel["targets"])


@pytest.mark.parametrize("panel", [panel for _, panel in CHARTS], ids=lambda panel: panel["title"])
def test_a_panel_asks_for_metrics_and_labels_that_exist(panel: dict[str, Any]) -> None:
    known = samples()
    for target in panel["targets"]:
        expression = target["expr"]
        asked = set(re.findall(r"\b(?:wellwon|process)_\w+", expression))
        assert asked, expression
        assert asked <= known.keys()
        labels = set().union(*(known[name] for name in asked)) | {"job", "instance"}
        if panel["type"] == "table":
            assert "{{" not in target["legendFormat"], "a column's heading"
        conditions = " ".join(re.findall(r"\{([^}]*)\}", expression))
        groups = " ".join(re.findall(r"by \(([^)]*)\)", expression))
        used = set(re.findall(r"(\w+)\s*!?=", conditions)) | set(re.findall(r"\w+", groups))
        used |= set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert used <= labels, expression


@pytest.mark.parametrize("panel", [panel for _, panel in CHARTS], ids=lambda panel: panel["title"])
def test_a_panel_leads_to_a_runbook_that_exists(panel: dict[str, Any]) -> None:
    for link in panel.get("links", []):
        assert (RUNBOOKS / link["url"].removeprefix("${runbooks}/")).is_file()


@pytest.mark.parametrize("name", DASHBOARDS)
def test_what_is_chosen_at_the_top_is_asked_for(name: str) -> None:
    text = json.dumps([panel["targets"] for dashboard, panel in CHARTS if dashboard == name])
    for variable in DASHBOARDS[name]["templating"]["list"]:
        if variable["type"] == "query":
            assert f"${variable['name']}" in text
            metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()  # type: ignore[union-attr]
            assert label in samples()[metric] | {"instance"}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_end_of_a_period_is_marked(name: str) -> None:
    (mark,) = DASHBOARDS[name]["annotations"]["list"]
    assert mark["useValueForTime"]
    assert "wellwon_period_end_timestamp_seconds" in mark["expr"]


def test_no_deal_and_no_person_is_a_label() -> None:
    labels = set().union(*samples().values())
    assert labels <= {
        *("source", "kind", "rule", "severity", "segment", "transition", "reading", "reason", "partition", "le"),
        *("days_left", "week", "sink", "answer", "topic", "crm", "outcome"),
        "generation",  # of Python's garbage collector
    }
