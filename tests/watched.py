"""A real Prometheus with the shipped configuration, watching real workers: what dashboards and pictures are made of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import yaml

import kafka_broker
import live
from fakes import web as fake
from fakes.salesforce import Organisation, salesforce
from wellwon.deliver.items import ANSWERED, Reply
from wellwon.runtime import topics
from wellwon.runtime.replies import answer_change
from wellwon.runtime.settings import Settings

CONFIG = Path(__file__).parent.parent / "deploy" / "prometheus" / "prometheus.yml"
ROLLUP = (sys.executable, "-m", "wellwon.runtime.rollup")
INGEST = (sys.executable, "-m", "wellwon", "ingest", "salesforce-cdc", "--follow", "feed")
DELIVER = (sys.executable, "-m", "wellwon.runtime.deliver_worker")
SINK = """
deliver:
  settle_minutes: 0
  sinks:
    hook: {kind: webhook, hears: [revops]}
crm:
  salesforce: {write: [alerts, wins]}
"""


def fetch(url: str) -> str | None:
    """The body of an answer; None when there is none."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError):
        return None


@dataclass
class Prometheus:
    """A Prometheus process with the shipped configuration, pointed at workers on this machine."""

    folder: Path
    targets: dict[str, str]
    """By job, where its worker serves metrics."""

    def __post_init__(self) -> None:
        self.url = f"http://127.0.0.1:{kafka_broker.free_port()}"
        config = yaml.safe_load(CONFIG.read_text())
        config["global"] |= {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        config.pop("alerting")
        config["rule_files"] = [str(CONFIG.parent / pattern) for pattern in config["rule_files"]]
        config["scrape_configs"] = [job for job in config["scrape_configs"] if job["job_name"] in self.targets]
        for job in config["scrape_configs"]:
            del job["dns_sd_configs"]
            job["static_configs"] = [{"targets": [self.targets[job["job_name"]]]}]
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

    def ask(self, what: str, **parameters: str) -> Any:
        """The data of an answer of Prometheus's API."""
        answer = fetch(f"{self.url}/api/v1/{what}?{urllib.parse.urlencode(parameters)}")
        assert answer is not None, f"Prometheus refuses {what} {parameters}"
        return json.loads(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        """The series of an instant query."""
        result: list[Any] = self.ask("query", query=expression)["result"]
        return result

    def sum(self, metric: str) -> float:
        """The sum of a metric; 0 before it was seen."""
        return sum(float(series["value"][1]) for series in self.query(metric))


@dataclass
class Watched:
    """Workers and who watches them."""

    prometheus: Prometheus
    detect: live.Worker
    rollup: live.Worker
    deliver: live.Worker
    ingest: live.Worker
    settings: Settings

    def wellwon(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        """Run a command with these workers' settings."""
        return _wellwon(self.settings, *arguments, stdin=stdin)

    def play(self, lines: list[bytes]) -> None:
        """Ingest changes, and wait until they are read and seen by Prometheus."""
        self.wellwon("ingest", "changes", "-", "--clock", stdin=b"".join(lines))
        self.caught_up()

    def caught_up(self) -> None:
        """Wait until the changes are read and seen by Prometheus."""
        live.until(lambda: live.committed(self.settings) == live.log_ends(self.settings), "the log to be read")
        seen = self.detect.metrics()
        for metric in ("wellwon_changes_total", "wellwon_dead_letters_total", "wellwon_answers_total"):
            live.until(lambda: self.prometheus.sum(metric) >= seen.get(metric, 0), f"Prometheus to see {metric}")  # noqa: B023

    def answer(self, rule: str, answer: str, at: str, number: int = 0) -> None:
        """Somebody's answer to an alert, as the buttons of a message write it."""
        deal = f"answered-{number}"
        about = {"fingerprint": f"{rule}:{deal}:2026-Q3", "answer": answer, "by": "005SM0000001"}
        reply = Reply(f"{deal}-{answer}", deal, ANSWERED, at, **about)
        live.produce(self.settings, [(deal.encode(), msgspec.json.encode(reply))], topics.REPLIES)
        live.produce(self.settings, [(deal.encode(), answer_change(reply))])


def _wellwon(settings: Settings, *arguments: str, stdin: bytes | None = None) -> bytes:
    command = [sys.executable, "-m", "wellwon", *arguments]
    done = subprocess.run(command, env=live.environment(settings), input=stdin, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@contextmanager
def watched(folder: Path) -> Iterator[Watched]:
    """A worker of each kind (deliver with a webhook and a CRM), the simulated policy, and Prometheus."""
    with ExitStack() as stack:
        broker = stack.enter_context(kafka_broker.running(folder / "kafka"))
        hook = stack.enter_context(fake.running(fake.receiver()))
        crm = stack.enter_context(fake.running(salesforce(Organisation())))
        settings = live.settings_for(broker.bootstrap, folder, "watched", clock="log", checkpoint_seconds=1.0)
        policy, people = folder / "policy.yaml", folder / "people.csv"
        policy.write_bytes(_wellwon(settings, "simulate", "--policy") + SINK.encode())
        people.write_text("id,email,name,team,manager,zone\n")
        about = {"policy": policy, "people": people, "private_webhooks": True, "deliver_group": "watched-deliver"}
        settings = replace(settings, **about)
        _wellwon(settings, "topics", "create", "--raw", "feed")
        secrets = {"WELLWON_SINK_HOOK": hook.url, "WELLWON_SINK_HOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
        access = {"URL": crm.url, "CLIENT_ID": "wellwon", "CLIENT_SECRET": "secret"}
        secrets |= {f"WELLWON_CRM_SALESFORCE_{name}": value for name, value in access.items()}
        os.environ.update(secrets)
        stack.callback(lambda: [os.environ.pop(name) for name in secrets])
        workers = {}
        for name, command in (("detect", live.REAL), ("rollup", ROLLUP), ("deliver", DELIVER), ("ingest", INGEST)):
            at = f"127.0.0.1:{kafka_broker.free_port()}"
            # Deliver measures how long people wait by its own clock; machines are told whatever the day is.
            clock = "wall" if name == "deliver" else "log"
            workers[name] = live.Worker(replace(settings, http=at, instance=name, clock=clock), command).start()
            stack.callback(workers[name].stop)
        for worker in workers.values():
            worker.wait_ready()
        targets = {f"wellwon-{name}": worker.settings.http for name, worker in workers.items()}
        prometheus = stack.enter_context(Prometheus(folder, targets))
        yield Watched(prometheus, *workers.values(), settings)
