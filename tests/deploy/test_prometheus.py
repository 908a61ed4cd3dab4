"""The shipped Prometheus configuration and every dashboard query, in a real Prometheus that scrapes a real worker."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml

import kafka_broker
import live

ROOT = Path(__file__).parent.parent.parent
CONFIG = ROOT / "deploy" / "prometheus" / "prometheus.yml"
DASHBOARDS = [json.loads(path.read_text()) for path in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))]
QUERIES = [
    pytest.param(target["expr"], id=f"{panel['title']}-{target['refId']}")
    for dashboard in DASHBOARDS
    for row in dashboard["panels"]
    for panel in (row, *row.get("panels", []))
    for target in panel.get("targets", [])
]
# What Grafana puts in for its variables, for the range of this test.
GRAFANA = {"$__rate_interval": "2m", "$__range": "10m", "$rule": ".*"}


def fetch(url: str) -> str | None:
    """The body of an answer; None when there is none."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError):
        return None


@dataclass
class Prometheus:
    """A Prometheus process with the shipped configuration, pointed at a worker on this machine."""

    folder: Path
    worker: live.Worker

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{kafka_broker.free_port()}"
        config = yaml.safe_load(CONFIG.read_text())
        config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s"}
        del config["scrape_configs"][0]["dns_sd_configs"]
        config["scrape_configs"][0]["static_configs"] = [{"targets": [self.worker.settings.http]}]
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    def __enter__(self) -> Prometheus:
        command = [
            "prometheus",
            f"--config.file={self.folder}/prometheus.yml",
            f"--storage.tsdb.path={self.folder}/tsdb",
        ]
        command.append(f"--web.listen-address={self.url.removeprefix('http://')}")
        with (self.folder / "prometheus.log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        live.until(lambda: fetch(f"{self.url}/-/ready") is not None, f"Prometheus, see {self.folder}/prometheus.log")
        return self

    def __exit__(self, *_exc: object) -> None:
        self.process.terminate()
        self.process.wait(60)

    def query(self, expression: str) -> list[Any]:
        """The series of an instant query."""
        answer = fetch(f"{self.url}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        assert answer is not None, f"Prometheus refuses {expression}"
        result: list[Any] = json.loads(answer)["data"]["result"]
        return result

    def sum(self, metric: str) -> float:
        """The sum of a metric; 0 before it was seen."""
        return sum(float(series["value"][1]) for series in self.query(metric))


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that has watched a worker read a simulated quarter, and a record that is none."""
    folder = tmp_path_factory.mktemp("prometheus")
    with kafka_broker.running(folder / "kafka") as broker:
        settings = live.settings_for(broker.bootstrap, folder, "dashboard", clock="log", checkpoint_seconds=1.0)

        def wellwon(*arguments: str, stdin: bytes | None = None) -> bytes:
            command = [sys.executable, "-m", "wellwon", *arguments]
            done = subprocess.run(command, env=live.environment(settings), input=stdin, capture_output=True)
            assert done.returncode == 0, done.stderr.decode()
            return done.stdout

        (folder / "policy.yaml").write_bytes(wellwon("simulate", "--policy"))
        settings = replace(settings, policy=folder / "policy.yaml")
        wellwon("topics", "create")
        lines = wellwon("simulate", "--deals", "150").splitlines(keepends=True)
        worker = live.Worker(settings).start()
        try:
            worker.wait_ready()
            with Prometheus(folder, worker) as found:
                # In two parts, with a scrape between them, so that counters are seen to rise.
                for part in (lines[: len(lines) // 2], lines[len(lines) // 2 :]):
                    wellwon("ingest", "changes", "-", "--clock", stdin=b"".join(part))
                    live.produce(settings, [(b"deal", b"not JSON")])
                    live.until(lambda: live.committed(settings) == live.log_ends(settings), "the log to be read")
                    seen = worker.metrics()
                    for metric in ("wellwon_changes_total", "wellwon_dead_letters_total"):
                        live.until(lambda: found.sum(metric) >= seen[metric], f"Prometheus to see {metric}")  # noqa: B023
                yield found
        finally:
            worker.stop()


def test_the_shipped_configuration_is_valid() -> None:
    done = subprocess.run(["promtool", "check", "config", str(CONFIG)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


def test_promtool_accepts_the_metrics(prometheus: Prometheus) -> None:
    page = fetch(f"http://{prometheus.worker.settings.http}/metrics")
    assert page
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_worker_is_scraped_under_the_job_of_the_dashboards(prometheus: Prometheus) -> None:
    assert prometheus.sum('up{job="wellwon-detect"}') == 1


@pytest.mark.parametrize("expression", QUERIES)
def test_a_dashboard_query_has_an_answer(prometheus: Prometheus, expression: str) -> None:
    for variable, value in GRAFANA.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression
    # The rise of a counter needs a second scrape after it.
    live.until(lambda: bool(prometheus.query(expression)), f"an answer to {expression}", 20)
    assert all(float(series["value"][1]) >= 0 for series in prometheus.query(expression))  # nor NaN


def test_the_variable_of_the_dashboard_lists_the_rules(prometheus: Prometheus) -> None:
    definitions = [
        variable["definition"]
        for dashboard in DASHBOARDS
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "query"
    ]
    for definition in definitions:
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", definition).groups()  # type: ignore[union-attr]
        assert "late-discount" in {series["metric"][label] for series in prometheus.query(metric)}


def test_open_findings_outlast_a_restart(prometheus: Prometheus) -> None:
    worker = prometheus.worker
    before = worker.metrics()["wellwon_open_findings"]
    assert before > 0
    assert worker.stop() == 0
    worker.start().wait_ready()
    assert worker.metrics()["wellwon_open_findings"] == before
