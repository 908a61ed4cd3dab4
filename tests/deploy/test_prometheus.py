"""The shipped Prometheus configuration and every dashboard query, in a real Prometheus that scrapes a real worker."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kafka import KafkaProducer

import kafka_broker

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


def until(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Ask again until there is an answer, and return it."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        threading.Event().wait(0.05)
    return answer


def fetch(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError):
        return None


@contextmanager
def process(command: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in the background for the length of a `with` block; what it says goes to `log`."""
    with log.open("wb") as output:
        running = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield running
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(60)


@dataclass
class Stack:
    """A worker that has read a simulated quarter, and a Prometheus that watched it."""

    prometheus: str
    worker: str

    def query(self, expression: str) -> list[Any]:
        answer = fetch(f"{self.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
        assert answer is not None, f"Prometheus refuses {expression}"
        result: list[Any] = json.loads(answer)["data"]["result"]
        return result


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("stack")
    worker, prometheus = f"127.0.0.1:{kafka_broker.free_port()}", f"127.0.0.1:{kafka_broker.free_port()}"

    def wellwon(*arguments: str, stdin: bytes = b"") -> bytes:
        command = [sys.executable, "-m", "wellwon", *arguments]
        done = subprocess.run(command, env=environment, input=stdin, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout

    config = yaml.safe_load(CONFIG.read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    del config["scrape_configs"][0]["dns_sd_configs"]
    config["scrape_configs"][0]["static_configs"] = [{"targets": [worker]}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    serve = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"]
    serve += [f"--web.listen-address={prometheus}", "--log.level=warn"]

    with kafka_broker.running(folder / "kafka") as broker:
        environment = os.environ | {
            "WELLWON_KAFKA": broker.bootstrap,
            "WELLWON_HTTP": worker,
            "WELLWON_TOPIC_PREFIX": "dashboard.",
            "WELLWON_GROUP": "dashboard-detect",
            "WELLWON_DATA": str(folder / "data"),
            "WELLWON_CLOCK": "log",
            "WELLWON_CHECKPOINT_SECONDS": "1",
            "WELLWON_POLICY": str(folder / "policy.yaml"),
        }
        environment.pop("WELLWON_PARTITIONS", None)
        (folder / "policy.yaml").write_bytes(wellwon_policy(environment))
        wellwon("topics", "create")
        lines = wellwon("simulate", "--deals", "150").splitlines(keepends=True)
        with (
            process([sys.executable, "-m", "wellwon", "worker"], environment, folder / "worker.log"),
            process(serve, environment, folder / "prometheus.log"),
        ):
            stack = Stack(f"http://{prometheus}", f"http://{worker}")
            until(lambda: fetch(f"{stack.worker}/ready"), f"the worker is ready ({folder}/worker.log)")
            until(lambda: fetch(f"{stack.prometheus}/-/ready"), f"Prometheus is ready ({folder}/prometheus.log)")
            # In two parts, with a scrape between them, so that counters are seen to rise.
            for part in (lines[: len(lines) // 2], lines[len(lines) // 2 :]):
                before = changes(stack)
                wellwon("ingest", "changes", "-", stdin=b"".join(part))
                producer = KafkaProducer(bootstrap_servers=broker.bootstrap)
                producer.send("dashboard.opportunity-changes", key=b"deal", value=b"not JSON").get(10)
                producer.close()
                until(lambda: changes(stack) >= before + len(part) / 2, "Prometheus sees the changes")  # noqa: B023
                until(lambda: stack.query("sum(wellwon_consumer_lag_records) == 0"), "the worker has read everything")
            yield stack


def wellwon_policy(environment: dict[str, str]) -> bytes:
    """The simulated organisation's own policy."""
    without = {name: value for name, value in environment.items() if name != "WELLWON_POLICY"}
    command = [sys.executable, "-m", "wellwon", "simulate", "--policy"]
    return subprocess.run(command, env=without, check=True, capture_output=True).stdout


def changes(stack: Stack) -> float:
    found = stack.query("sum(wellwon_changes_total)")
    return float(found[0]["value"][1]) if found else 0.0


def test_the_shipped_configuration_is_valid() -> None:
    done = subprocess.run(["promtool", "check", "config", str(CONFIG)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


def test_promtool_accepts_the_metrics(stack: Stack) -> None:
    page = fetch(f"{stack.worker}/metrics")
    assert page
    done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_worker_is_scraped_under_the_job_of_the_dashboards(stack: Stack) -> None:
    assert until(lambda: stack.query('up{job="wellwon-detect"} == 1'), "the worker is up in Prometheus")


@pytest.mark.parametrize("expression", QUERIES)
def test_a_dashboard_query_has_an_answer(stack: Stack, expression: str) -> None:
    for variable, value in GRAFANA.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression
    until(lambda: stack.query(expression), expression)
    numbers = [float(series["value"][1]) for series in stack.query(expression)]
    assert all(number >= 0 for number in numbers)  # nor NaN


def test_the_variable_of_the_dashboard_lists_the_rules(stack: Stack) -> None:
    definitions = [
        variable["definition"]
        for dashboard in DASHBOARDS
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "query"
    ]
    for definition in definitions:
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", definition).groups()  # type: ignore[union-attr]
        assert "late-discount" in {series["metric"][label] for series in stack.query(metric)}
