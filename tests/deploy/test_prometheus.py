"""The shipped Prometheus configuration and every dashboard query, in a real Prometheus that scrapes real workers."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import live
import watched
from watched import CONFIG, Watched, fetch
from wellwon.deliver.items import ANSWERED, Reply
from wellwon.runtime import topics

ROOT = Path(__file__).parent.parent.parent
DASHBOARDS = [json.loads(path.read_text()) for path in sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))]
QUERIES = [
    pytest.param(target["expr"], id=f"{dashboard['uid']}-{panel['title']}-{target['refId']}")
    for dashboard in DASHBOARDS
    for panel in dashboard["panels"]
    for target in panel.get("targets", [])
]
# What Grafana puts in for its variables, for the range of this test.
GRAFANA = {"$__rate_interval": "2m", "$__range": "10m"} | dict.fromkeys(("$rule", "$severity", "$segment"), ".*")
GRAFANA |= {"$instance": ".*"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """Workers that read a simulated quarter, records that are none, and what people answered."""
    with watched.watched(tmp_path_factory.mktemp("prometheus")) as found:
        lines = found.wellwon("simulate", "--deals", "150").splitlines(keepends=True)
        # In two parts, with a scrape between them, so that counters are seen to rise.
        for part in (lines[: len(lines) // 2], lines[len(lines) // 2 :]):
            found.play(part)
            live.produce(found.settings, [(b"deal", b"not JSON")])
            live.produce(found.settings, [(b"", b"not JSON"), (b"", None)], topics.raw_topic("feed").name)
            found.answer("late-discount", "not_right", json.loads(part[-1])["occurred_at"], len(part))
            found.caught_up()
        live.until(lambda: found.prometheus.sum("wellwon_messages_sent_total") > 0, "messages to be sent")
        yield found


def test_the_shipped_configuration_is_valid() -> None:
    done = subprocess.run(["promtool", "check", "config", str(CONFIG)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SUCCESS" in done.stdout


def test_promtool_accepts_the_metrics(world: Watched) -> None:
    for worker in (world.detect, world.rollup, world.deliver, world.ingest):
        page = fetch(f"http://{worker.settings.http}/metrics")
        assert page
        done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True)
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("job", ["detect", "rollup", "deliver", "ingest"])
def test_each_worker_is_scraped_under_the_job_of_the_dashboards(world: Watched, job: str) -> None:
    assert world.prometheus.sum(f'up{{job="wellwon-{job}"}}') == 1


@pytest.mark.parametrize("expression", QUERIES)
def test_a_dashboard_query_has_an_answer(world: Watched, expression: str) -> None:
    for variable, value in GRAFANA.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression
    # The rise of a counter needs a second scrape after it.
    live.until(lambda: bool(world.prometheus.query(expression)), f"an answer to {expression}", 20)
    assert all(float(series["value"][1]) >= 0 for series in world.prometheus.query(expression))  # nor NaN


def test_the_variables_of_the_dashboards_list_what_there_is(world: Watched) -> None:
    found = set()
    for dashboard in DASHBOARDS:
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["definition"]).groups()  # type: ignore[union-attr]
                found |= {series["metric"].get(label, "") for series in world.prometheus.query(metric)}
    assert {"late-discount", "high", world.detect.settings.http} <= found
    assert any(name in found for name in ("smb", "mid-market", "enterprise", "everything", "default"))


def test_what_people_say_of_a_teams_pattern_is_seen_beside_the_others(world: Watched) -> None:
    (query,) = {
        target["expr"]
        for dashboard in DASHBOARDS
        for panel in dashboard["panels"]
        for target in panel.get("targets", ())
        if panel["title"] == "Answered as not right"
    }
    query = query.replace("$rule", ".*").replace("$__range", "10m")

    def said_of(rule: str) -> float:
        return sum(float(one["value"][1]) for one in world.prometheus.query(query) if one["metric"]["rule"] == rule)

    before = said_of("bulk-push")
    about = {"fingerprint": "bulk-push:005SM0000001:2026-Q3", "answer": "not_right", "by": "005SM0000001"}
    reply = Reply("of-a-team", "", ANSWERED, "2026-09-28T10:00:00Z", **about)
    live.produce(world.settings, [(b"bulk-push", msgspec.json.encode(reply))], topics.REPLIES)
    live.until(lambda: said_of("bulk-push") > before, "the answer to be counted", 30)


def test_the_end_of_the_period_is_the_calendars(world: Watched) -> None:
    (mark,) = DASHBOARDS[0]["annotations"]["list"]
    (series,) = world.prometheus.query(mark["expr"])
    clock = max(float(one["value"][1]) for one in world.prometheus.query("wellwon_clock_timestamp_seconds"))
    assert 0 < float(series["value"][1]) / 1000 - clock < 93 * 86_400


def test_each_recording_rule_has_an_answer_and_no_rule_fails(world: Watched) -> None:
    groups = world.prometheus.ask("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert any(rule["type"] == "recording" for rule in rules)
    for rule in rules:
        if rule["type"] == "recording":
            live.until(lambda: bool(world.prometheus.query(rule["name"])), f"an answer to {rule['name']}", 30)  # noqa: B023
    assert not [rule["name"] for rule in rules if rule["health"] == "err"]


def test_open_findings_outlast_a_restart(world: Watched) -> None:
    worker = world.detect
    before = worker.metrics()["wellwon_open_findings"]
    assert before > 0
    assert worker.stop() == 0
    worker.start().wait_ready()
    assert worker.metrics()["wellwon_open_findings"] == before
