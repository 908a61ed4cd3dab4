"""What docker-compose.yml runs, run as it is written, without containers: each service's command and its health check.

The services are processes on this machine; what compose gives them (the broker's name, ports, folders) is put in.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka.admin import AdminClient, NewTopic

import live
from kafka_broker import CACHE, VERSION, Broker, free_port, running
from wellwon.runtime.settings import Settings

ROOT = Path(__file__).parent.parent.parent
GIVEN = {
    "HUBSPOT_SECRET": "secret",
    "HUBSPOT_URL": "https://wellwon.example.com/hubspot",
    "HUBSPOT_TOKEN": "token",
    "SALESFORCE_URL": "https://example.my.salesforce.com",
    "SALESFORCE_CLIENT_ID": "id",
    "SALESFORCE_CLIENT_SECRET": "secret",
}
"""What the file says that its profiles need."""


def _filled(match: re.Match[str]) -> str:
    return GIVEN.get(match[1], match[2])


TEXT = re.sub(r"\$\{(\w+):-([^}]*)\}", _filled, (ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(TEXT)["services"]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
IN_IMAGE = dict(re.findall(r"\b(WELLWON_\w+)=(\S+)", DOCKERFILE))
HEALTH: list[str] = json.loads(re.search(r"HEALTHCHECK .*\n +CMD (.*)", DOCKERFILE)[1])  # type: ignore[index]
STAYING = [name for name, one in SERVICES.items() if "build" in one and "restart" in one]
"""Ours that run until they are stopped."""


class Place:
    """This machine in the place of a container: free ports for the ports, a folder for the folders."""

    def __init__(self, folder: Path, kafka: str) -> None:
        self.folder = folder
        self.kafka = kafka
        self.ports: dict[str, int] = {}

    def here(self, text: str) -> str:
        """An argument or a value as it is on this machine."""
        text = text.replace("kafka:9092", self.kafka).replace(
            "/etc/wellwon/policy.yaml", str(ROOT / "deploy/policy.yaml")
        )
        text = re.sub(r"^/var/lib/\w+|^/prometheus|^/alertmanager", str(self.folder), text)
        return re.sub(r"(0\.0\.0\.0|127\.0\.0\.1|localhost):(\d{4})\b", lambda m: f"127.0.0.1:{self.port(m[2])}", text)

    def port(self, of: str) -> int:
        """The free port that stands for one."""
        return self.ports.setdefault(of, free_port())

    def environment(self, name: str) -> dict[str, str]:
        """What a service of ours finds in its environment; the repository's code instead of the image's."""
        declared = IN_IMAGE | SERVICES[name]["environment"]
        given = {key: self.here(value) for key, value in declared.items()} | {"WELLWON_KAFKA": self.kafka}
        ours = {key: value for key, value in os.environ.items() if not key.startswith("WELLWON_")}
        bin_ = self.folder / "bin"
        bin_.mkdir(exist_ok=True)
        (bin_ / "wellwon").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m wellwon "$@"\n')
        (bin_ / "wellwon").chmod(0o755)
        path = os.pathsep.join([str(bin_), str(Path(sys.executable).parent), ours["PATH"]])
        return {**ours, **given, "PATH": path, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}

    def command(self, name: str) -> list[str]:
        """What a service of ours runs."""
        return [
            *SERVICES[name].get("entrypoint", ["wellwon"]),
            *(self.here(word) for word in SERVICES[name]["command"]),
        ]

    def healthy(self, check: list[str]) -> bool:
        """What a health check says."""
        words = [sys.executable if word == "python" else self.here(word) for word in check]
        return subprocess.run(words, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Kafka, with the topics that the service `topics` makes, and the one that HubSpot's receiver does."""
    with running(tmp_path_factory.mktemp("kafka")) as node:
        place = Place(tmp_path_factory.mktemp("topics"), node.bootstrap)
        done = subprocess.run(place.command("topics"), env=place.environment("topics"), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        raw = [NewTopic(Settings(kafka="k:1").topic("raw.hubspot"), 1, 1)]  # receive-hubspot makes it where both run
        admin = AdminClient({"bootstrap.servers": node.bootstrap})
        for made in admin.create_topics(raw).values():
            made.result()
        yield node


@pytest.mark.parametrize("name", STAYING)
def test_a_service_starts_is_healthy_and_stops(broker: Broker, tmp_path: Path, name: str) -> None:
    place = Place(tmp_path, broker.bootstrap)
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            place.command(name), env=place.environment(name), stdout=out, stderr=out, cwd=tmp_path
        )
    try:
        live.until(lambda: process.poll() is not None or place.healthy(HEALTH), f"{name}, see {log}")
        assert process.poll() is None, log.read_text()
        process.send_signal(signal.SIGTERM)
        seconds = float(SERVICES[name].get("stop_grace_period", "10s").rstrip("s"))
        assert process.wait(seconds) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def test_the_demos_quarter_is_played(broker: Broker, tmp_path: Path) -> None:
    place = Place(tmp_path, broker.bootstrap)
    *shell, pipe = place.command("demo")
    assert "--speed 36000x" in pipe
    at_once = pipe.replace("--speed 36000x ", "").replace("simulate", "simulate --deals 20", 1)
    done = subprocess.run(
        [*shell, at_once], env=place.environment("demo"), capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d changes of 20 deals sent", done.stderr), done.stderr
    assert "clock records" in done.stderr


def test_the_brokers_health_check_finds_it_well(broker: Broker, tmp_path: Path) -> None:
    script, *arguments = SERVICES["kafka"]["healthcheck"]["test"][1:]
    assert Path(script).name == "kafka-broker-api-versions.sh"
    listeners = SERVICES["kafka"]["environment"]["KAFKA_LISTENERS"]
    assert f"://:{arguments[-1].rpartition(':')[2]}," in listeners
    arguments = [broker.bootstrap if "localhost" in word else word for word in arguments]
    jars = CACHE / VERSION / "jars"
    if jars.is_dir():  # what the script starts
        command = ["java", "-cp", f"{jars}/*", "org.apache.kafka.tools.BrokerApiVersionsCommand", *arguments]
    else:
        command = ["docker", "run", "--rm", "--network", "host", SERVICES["kafka"]["image"], script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Produce(0)" in done.stdout


@pytest.mark.parametrize(
    ("name", "program"), [("prometheus", "prometheus"), ("alertmanager", "prometheus-alertmanager")]
)
def test_who_watches_starts_and_is_healthy(tmp_path: Path, name: str, program: str) -> None:
    service, place = SERVICES[name], Place(tmp_path, "")
    of_image = ["--config.file=/etc/alertmanager/alertmanager.yml", "--storage.path=/alertmanager"]
    mounted = {volume.split(":")[1]: ROOT / volume.split(":")[0] for volume in service["volumes"] if volume[0] == "."}
    words = []
    for word in service.get("command", of_image):
        option, _, value = word.partition("=")
        for there, here in mounted.items():
            value = value.replace(there, str(here))
        words.append(f"{option}={place.here(value)}")
    (port,) = [port.split(":")[1] for port in service["ports"]]
    words.append(f"--web.listen-address=127.0.0.1:{place.port(port)}")
    words += ["--cluster.listen-address="] if name == "alertmanager" else []
    with (tmp_path / "log").open("wb") as out:
        process = subprocess.Popen([program, *words], stdout=out, stderr=out, cwd=tmp_path)
    try:
        check = service["healthcheck"]["test"]
        assert check[0] == "CMD"
        live.until(lambda: process.poll() is not None or place.healthy(check[1:]), f"{name}, see {tmp_path}/log")
        assert process.poll() is None, (tmp_path / "log").read_text()
    finally:
        process.terminate()
        process.wait(60)
