"""docker-compose.yml: read by compose itself, and true to the rest of the repository."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

import kafka_broker
import wellwon
from wellwon.cli import cli
from wellwon.runtime import crm_systems
from wellwon.runtime.settings import Settings

ROOT = Path(__file__).parent.parent.parent
# As compose reads it where no variable is set: ${NAME:-default} is the default.
COMPOSE = yaml.safe_load(re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (ROOT / "docker-compose.yml").read_text()))
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def compose(*arguments: str) -> str:
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True) if shutil.which("docker") else None
    command = ["docker", "compose"] if plugin and plugin.returncode == 0 else ["docker-compose"]
    done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def mounts(service: dict[str, Any]) -> dict[str, str]:
    """Where each volume of a service comes from, by where it is mounted."""
    return {volume.split(":")[1]: volume.split(":")[0] for volume in service.get("volumes", [])}


def test_compose_reads_it() -> None:
    always = {name for name, service in SERVICES.items() if "profiles" not in service}
    assert set(compose("config", "--services").split()) >= always


@pytest.mark.parametrize("name", OURS)
def test_our_commands_exist(name: str) -> None:
    command = cli
    for word in OURS[name]["command"]:
        if isinstance(command, click.Group):
            found = command.get_command(click.Context(command), word)
            assert found is not None, word
            command = found


def test_images_are_pinned() -> None:
    for service in SERVICES.values():
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), service["image"]
    assert all(service["image"] == f"wellwon:{wellwon.__version__}" for service in OURS.values())
    assert all(
        "@" in image or re.search(r":\d+\.\d+-", image) for image in re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)
    )


def test_the_broker_is_the_one_of_the_tests() -> None:
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{kafka_broker.VERSION}"


def test_what_is_mounted_exists() -> None:
    for service in SERVICES.values():
        for source in mounts(service).values():
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], source


def test_nothing_is_open_to_the_network() -> None:
    assert all(port.startswith("127.0.0.1:") for service in SERVICES.values() for port in service.get("ports", []))


def test_services_wait_for_what_they_need() -> None:
    for name, service in SERVICES.items():
        for needed, how in service.get("depends_on", {}).items():
            assert needed in SERVICES, name
            if how["condition"] == "service_healthy":
                assert "test" in SERVICES[needed]["healthcheck"]


@pytest.mark.parametrize("name", OURS)
def test_our_settings_are_ones_that_exist_and_hold(name: str, tmp_path: Path) -> None:
    in_image = dict(re.findall(r"\b(WELLWON_\w+)=(\S+)", DOCKERFILE))
    environment = in_image | OURS[name]["environment"]
    known = {variable for variable, _, _ in Settings.describe()}
    assert {name for name in environment if not name.startswith(crm_systems.VARIABLE)} <= known
    policy = re.search(r"^COPY (\S+) " + re.escape(environment["WELLWON_POLICY"]), DOCKERFILE, re.M)
    assert policy is not None
    settings = Settings.from_environment(environment | {"WELLWON_POLICY": str(ROOT / policy[1])})
    host, _, port = settings.kafka.rpartition(":")
    listeners = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    assert host in SERVICES
    assert f"://{host}:{port}" in listeners
    assert f"EXPOSE {settings.http.rpartition(':')[2]}" in DOCKERFILE
    assert f"http://127.0.0.1:{settings.http.rpartition(':')[2]}/live" in DOCKERFILE


def test_prometheus_finds_the_workers() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    for job in config["scrape_configs"]:
        (found,) = job["dns_sd_configs"]
        assert set(found["names"]) <= OURS.keys()
        assert f"EXPOSE {found['port']}" in DOCKERFILE
    assert mounts(SERVICES["prometheus"])["/etc/prometheus"] == "./deploy/prometheus"


def test_prometheus_finds_the_alertmanager() -> None:
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    (manager,) = config["alerting"]["alertmanagers"]
    (found,) = manager["dns_sd_configs"]
    (name,) = found["names"]
    assert f"127.0.0.1:{found['port']}:{found['port']}" in SERVICES[name]["ports"]
    assert mounts(SERVICES[name])["/etc/alertmanager"] == "./deploy/alertmanager"


def test_grafana_finds_prometheus_and_the_dashboards() -> None:
    grafana = ROOT / "deploy" / "grafana"
    (source,) = yaml.safe_load((grafana / "provisioning/datasources/prometheus.yml").read_text())["datasources"]
    host, port = re.fullmatch(r"http://(\w+):(\d+)", source["url"]).groups()  # type: ignore[union-attr]
    assert f"127.0.0.1:{port}:{port}" in SERVICES[host]["ports"]
    (provider,) = yaml.safe_load((grafana / "provisioning/dashboards/wellwon.yml").read_text())["providers"]
    places = mounts(SERVICES["grafana"])
    assert places[provider["options"]["path"]] == "./deploy/grafana/dashboards"
    assert places["/etc/grafana/provisioning"] == "./deploy/grafana/provisioning"
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (ROOT / places[str(home.parent)] / home.name).is_file()
