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
from wellwon.runtime.ingest_metrics import NormaliseMetrics, ReceiverMetrics, SubscriberMetrics
from wellwon.runtime.metrics import Metrics
from wellwon.runtime.reread_metrics import RereadMetrics
from wellwon.web.metrics import WebMetrics

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


KINDS: dict[str, str] = {}
"""By the name of a sample, what it is: filled by `samples`."""


@cache
def samples() -> dict[str, set[str]]:
    """Every sample that a worker can show, with its labels."""
    deliver = DeliverMetrics(["x"])
    fills_the_log = (NormaliseMetrics(), ReceiverMetrics(), SubscriberMetrics(), RereadMetrics(["x"]))
    everyone = (Metrics(), deliver, *fills_the_log, WebMetrics())
    for metrics in (*everyone, CrmMetrics(deliver.registry, ["x"])):
        for metric in vars(metrics).values():
            if labels := getattr(metric, "_labelnames", ()):
                metric.labels(*("x" for _ in labels))
    found: dict[str, set[str]] = {name: set() for name in PROCESS}
    for metrics in everyone:
        for family in text_string_to_metric_families(metrics.page().decode()):
            for sample in family.samples:
                found.setdefault(sample.name, set()).update(sample.labels)
                KINDS[sample.name] = family.type
    return found


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
    counted = panel["type"] != "timeseries" and panel["fieldConfig"]["defaults"]["unit"] == "short"
    assert (panel["fieldConfig"]["defaults"].get("decimals") == 0) == counted, "nobody raised 2.03 alerts"


@pytest.mark.parametrize("panel", [panel for _, panel in CHARTS], ids=lambda panel: panel["title"])
def test_a_panel_asks_for_metrics_and_labels_that_exist(panel: dict[str, Any]) -> None:
    known = samples()
    for target in panel["targets"]:
        expression = target["expr"]
        asked = set(re.findall(r"\b(?:wellwon|process)_\w+", expression))
        assert asked, expression
        assert asked <= known.keys()
        labels = set().union(*(known[name] for name in asked)) | {"job", "instance", "__name__"}
        if panel["type"] == "table":
            assert "{{" not in target["legendFormat"], "a column's heading"
        conditions = " ".join(re.findall(r"\{([^}]*)\}", expression))
        groups = " ".join(re.findall(r"by \(([^)]*)\)", expression))
        used = set(re.findall(r"(\w+)\s*!?=", conditions)) | set(re.findall(r"\w+", groups))
        used |= set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
        assert used <= labels, expression


@pytest.mark.parametrize("panel", [panel for _, panel in CHARTS], ids=lambda panel: panel["title"])
def test_a_panel_asks_how_fast_counters_rise_and_how_high_gauges_are(panel: dict[str, Any]) -> None:
    samples()
    for target in panel["targets"]:
        expression = target["expr"]
        rising = "".join(re.findall(r"(?:rate|increase)\([^()]*\)", expression))
        for name in re.findall(r"\b(?:wellwon|process)_\w+", expression):
            kind = "counter" if name == "process_cpu_seconds_total" else KINDS.get(name, "gauge")
            assert (name in rising) == (kind != "gauge"), expression
            if kind == "histogram":
                assert re.search(rf"histogram_quantile\(.*by \([^)]*\ble\b[^)]*\).*{name}", expression), expression


@pytest.mark.parametrize("panel", [panel for _, panel in CHARTS], ids=lambda panel: panel["title"])
def test_one_number_is_not_an_older_one(panel: dict[str, Any]) -> None:
    """Where a filter may drop a series, the last value in the range is not the value at its end."""
    for target in panel["targets"]:
        if panel["type"] in ("stat", "bargauge") and ">" in target["expr"]:
            assert target["instant"] is True
            assert target["range"] is False


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
        *("what", "page", "status"),
        "generation",  # of Python's garbage collector
    }
