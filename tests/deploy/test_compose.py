"""docker-compose.yml: read by compose itself, and true to the rest of the repository."""

from __future__ import annotations

import json
import re
import shlex
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
from wellwon.runtime.settings import OTHERS, Settings
from wellwon.web.access import TOKEN_LEAST

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
    assert always == {"kafka", "topics", "detect", "rollup", "deliver", "web"}


def test_compose_reads_the_demo() -> None:
    demo = yaml.safe_load(compose("--env-file", "deploy/demo.env", "config"))["services"]
    assert demo.keys() >= {"demo", "web", "prometheus", "alertmanager", "grafana"}
    for name in ("detect", "rollup", "deliver", "web", "demo"):
        assert demo[name]["environment"]["WELLWON_CLOCK"] == "log", name
    policies = {
        str(volume) for service in demo.values() for volume in service.get("volumes", ()) if "policy" in str(volume)
    }
    assert policies
    assert all(str(ROOT / "streams/wellwon/simulate/policy.yaml") in policy for policy in policies)


def test_profiles_are_those_that_the_file_and_the_readme_tell_of() -> None:
    profiles = {profile for service in SERVICES.values() for profile in service.get("profiles", ())}
    assert {"demo", "observability", "salesforce", "hubspot"} <= profiles
    head = (ROOT / "docker-compose.yml").read_text().partition("x-wellwon")[0]
    assert all(f"--profile {profile}" in head for profile in profiles - {"demo"})
    assert all(f"`{name}`" in (ROOT / "README.md").read_text() for name in ("observability", "deploy/demo.env"))


def test_everything_that_stays_says_how_it_is() -> None:
    for name, service in SERVICES.items():
        if "restart" in service and service not in OURS.values():
            assert service["healthcheck"]["test"][0] == "CMD", name
        # What is ours has the image's check, but for what comes to its end.
        assert ("healthcheck" in service) == ("restart" not in service or service not in OURS.values()), name


def test_the_live_page_asks_who_it_is() -> None:
    environment = SERVICES["web"]["environment"]
    token = environment["WELLWON_WEB_TOKEN"]
    assert len(token) >= TOKEN_LEAST
    assert f"`{token}`" in (ROOT / "README.md").read_text()
    assert SERVICES["web"]["ports"] == ["127.0.0.1:8080:8080"]
    assert SERVICES["deliver"]["environment"]["WELLWON_PAGE"] == "http://localhost:8080"


def commands(service: dict[str, Any]) -> list[list[str]]:
    """The commands of ours that a service runs: one, or those of a shell's pipe."""
    if "entrypoint" not in service:
        return [service["command"]]
    (pipe,) = service["command"]
    return [shlex.split(part)[1:] for part in pipe.split("|")]


@pytest.mark.parametrize("name", OURS)
def test_our_commands_exist(name: str) -> None:
    for words in commands(OURS[name]):
        command: click.Command = cli
        for word in words:
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
                ours = needed in OURS and "HEALTHCHECK" in DOCKERFILE
                assert SERVICES[needed].get("healthcheck", {}).get("test") or (ours and "restart" in SERVICES[needed])


@pytest.mark.parametrize("name", OURS)
def test_our_settings_are_ones_that_exist_and_hold(name: str, tmp_path: Path) -> None:
    in_image = dict(re.findall(r"\b(WELLWON_\w+)=(\S+)", DOCKERFILE.rpartition("\nFROM ")[2]))
    environment = in_image | OURS[name]["environment"]
    known = {variable for variable, _, _ in Settings.describe()}
    assert {name for name in environment if not name.startswith(OTHERS)} <= known
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
    names = [name for job in config["scrape_configs"] for name in job["dns_sd_configs"][0]["names"]]
    assert sorted(names) == sorted(name for name, service in OURS.items() if "restart" in service), "whatever stays"
    for job in config["scrape_configs"]:
        (found,) = job["dns_sd_configs"]
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
    for path in (grafana / "dashboards").glob("*.json"):
        variables = {one["name"]: one for one in json.loads(path.read_text())["templating"]["list"]}
        served = f"/usr/share/grafana{variables['runbooks']['query']}"
        assert places[served] == "./deploy/runbooks", "the panels' links lead to what Grafana serves"
    home = Path(SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    assert (ROOT / places[str(home.parent)] / home.name).is_file()
