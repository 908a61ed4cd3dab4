"""The manifests: as Kubernetes' own schemas want them, and true to the rest of the repository."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import kubernetes_validate
import pytest
import yaml

import wellwon
from wellwon.cli import cli
from wellwon.policy import load_policy
from wellwon.policy.people import People
from wellwon.runtime.settings import Settings, SettingsError
from wellwon.web.access import Access

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "deploy" / "kubernetes"
VERSIONS = ("1.31", "1.34", "1.37")
"""Of Kubernetes: the oldest that is supported, and the newest that the schemas know."""

Manifest = dict[str, Any]


def read(path: Path) -> list[Manifest]:
    return list(yaml.safe_load_all(path.read_text()))


BASE = {(one["kind"], one["metadata"]["name"]): one for path in sorted((FOLDER / "base").glob("*.yaml"))
        if path.name not in ("kustomization.yaml", "policy.yaml") for one in read(path)}  # fmt: skip
WORKLOADS = {name: one for (kind, name), one in BASE.items() if kind in ("StatefulSet", "Deployment", "Job")}
NAMES = [f"{kind} {name}" for kind, name in BASE]
STAYING = [name for name, one in WORKLOADS.items() if one["kind"] != "Job" and name != "tools"]


def pod(workload: Manifest) -> Manifest:
    found: Manifest = workload["spec"]["template"]
    return found


def container(workload: Manifest) -> Manifest:
    (only,) = pod(workload)["spec"]["containers"]
    found: Manifest = only
    return found


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", BASE.values(), ids=NAMES)
def test_kubernetes_takes_it(manifest: Manifest, version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schemas_would_say_what_is_wrong() -> None:
    wrong = {**BASE["StatefulSet", "detect"], "spec": {**BASE["StatefulSet", "detect"]["spec"], "replica": 3}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("folder", ["base", "monitoring"])
def test_kustomize_has_every_file(folder: str) -> None:
    listed = read(FOLDER / folder / "kustomization.yaml")[0]["resources"]
    there = {path.name for path in (FOLDER / folder).glob("*.yaml")} - {"kustomization.yaml", "policy.yaml"}
    assert {name for name in listed if name.endswith(".yaml")} == there


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_a_pod_may_do_nothing_more_than_it_needs(workload: Manifest) -> None:
    spec, ours = pod(workload)["spec"], container(workload)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert ours["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert f"--uid {spec['securityContext']['runAsUser']} " in (ROOT / "deploy" / "Dockerfile").read_text()
    assert ours["resources"]["requests"].keys() == {"cpu", "memory"}
    assert ours["resources"]["limits"].keys() == {"memory"}


@pytest.mark.parametrize("workload", WORKLOADS.values(), ids=WORKLOADS)
def test_its_command_settings_and_volumes_exist(workload: Manifest) -> None:
    ours = container(workload)
    assert ours["image"] == f"wellwon:{wellwon.__version__}"
    command: click.Command = cli
    for word in ours.get("args", ()):
        if isinstance(command, click.Group):
            found = command.get_command(click.Context(command), word)
            assert found is not None, word
            command = found
    assert {entry["name"] for entry in ours.get("env", ())} <= {name for name, _, _ in Settings.describe()}
    spec = workload["spec"]
    volumes = {volume["name"] for volume in pod(workload)["spec"]["volumes"]}
    volumes |= {claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", ())}
    assert {mount["name"] for mount in ours["volumeMounts"]} == volumes
    if "selector" in spec:
        assert spec["selector"]["matchLabels"].items() <= pod(workload)["metadata"]["labels"].items()


def test_the_settings_hold() -> None:
    data = BASE["ConfigMap", "wellwon"]["data"]
    assert data.keys() <= {name for name, _, _ in Settings.describe()}
    settings = Settings.from_environment(data | {"WELLWON_POLICY": str(FOLDER / "base" / "policy.yaml")})
    assert settings.replication == 3
    mounts = {mount["name"]: mount["mountPath"] for mount in container(WORKLOADS["detect"])["volumeMounts"]}
    assert str(settings.data) == mounts["data"]
    assert data["WELLWON_POLICY"].startswith(mounts["policy"])


def test_nothing_here_is_a_secret() -> None:
    assert not [name for kind, name in BASE if kind == "Secret"]
    secret = {item.upper() for item, field in Settings.__dataclass_fields__.items() if field.metadata.get("secret")}
    plain = BASE["ConfigMap", "wellwon"]["data"].keys() | {
        entry["name"]
        for workload in WORKLOADS.values()
        for entry in container(workload).get("env", ())
        if "value" in entry
    }
    assert not {f"WELLWON_{name}" for name in secret} & plain


def test_the_live_page_does_not_start_without_knowing_who_looks() -> None:
    variables = {entry["name"]: entry for entry in container(WORKLOADS["web"])["env"]}
    token = variables["WELLWON_WEB_TOKEN"]["valueFrom"]["secretKeyRef"]
    assert token == {"name": "wellwon", "key": "WELLWON_WEB_TOKEN"}, "and not optional"
    web = variables["WELLWON_WEB"]["value"]
    data = BASE["ConfigMap", "wellwon"]["data"]
    settings = Settings.from_environment(
        data | {"WELLWON_POLICY": str(FOLDER / "base" / "policy.yaml"), "WELLWON_WEB": web}
    )
    with pytest.raises(SettingsError, match="nothing says who looks"):
        Access(settings, People(), load_policy(""))
    ports = {port["name"]: port["containerPort"] for port in container(WORKLOADS["web"])["ports"]}
    assert web == f"0.0.0.0:{ports['page']}"
    assert {"name": "page", "port": 80, "targetPort": "page"} in BASE["Service", "web"]["spec"]["ports"]
    (way_in,) = BASE["NetworkPolicy", "web"]["spec"]["ingress"]
    assert way_in["ports"] == [{"protocol": "TCP", "port": "page"}]


@pytest.mark.parametrize("name", STAYING)
def test_what_stays_is_probed_and_found(name: str) -> None:
    worker = WORKLOADS[name]
    ours, settings = container(worker), BASE["ConfigMap", "wellwon"]["data"]
    ports = {port["name"]: port["containerPort"] for port in ours["ports"]}
    assert settings["WELLWON_HTTP"].endswith(f":{ports['metrics']}")
    paths = {kind: ours[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")}
    assert paths == {
        "startup": {"path": "/live", "port": "metrics"},
        "liveness": {"path": "/live", "port": "metrics"},
        "readiness": {"path": "/ready", "port": "metrics"},
    }
    service = BASE["Service", name]
    assert service["spec"]["selector"].items() <= pod(worker)["metadata"]["labels"].items()
    assert worker["spec"].get("serviceName", name) == name
    # It finishes what it took in within half a session, and writes its checkpoint.
    assert pod(worker)["spec"]["terminationGracePeriodSeconds"] >= 2 * Settings(kafka="k:1").session_seconds


@pytest.mark.parametrize("name", ["detect", "rollup", "deliver", "web"])
def test_a_worker_is_not_drained_all_at_once(name: str) -> None:
    worker = WORKLOADS[name]
    budget = BASE["PodDisruptionBudget", name]["spec"]
    assert budget["selector"] == worker["spec"]["selector"]
    assert budget["maxUnavailable"] == 1 < worker["spec"]["replicas"]


def test_commands_that_somebody_runs_have_a_place_with_the_settings_of_the_workers() -> None:
    tools, worker = container(WORKLOADS["tools"]), container(WORKLOADS["detect"])
    assert WORKLOADS["tools"]["spec"]["replicas"] == 0
    assert tools["command"] == ["sleep", "infinity"]
    assert (tools["envFrom"], tools["volumeMounts"]) == (worker["envFrom"], worker["volumeMounts"])


def rules() -> Iterator[Manifest]:
    for (kind, _), one in BASE.items():
        if kind == "NetworkPolicy":
            yield one


def test_every_pod_is_behind_a_network_policy() -> None:
    everyone, *_ = [one for one in rules() if one["metadata"]["name"] == "wellwon"]
    chosen = everyone["spec"]["podSelector"]["matchLabels"].items()
    assert all(chosen <= pod(workload)["metadata"]["labels"].items() for workload in WORKLOADS.values())
    assert all(set(one["spec"]["policyTypes"]) == {"Ingress", "Egress"} for one in rules())


NAMES_AND_KAFKA = {53, 9092}
CRM = {443, 7443}  # their HTTPS; Salesforce's Pub/Sub API


WAYS: dict[str, tuple[set[str], set[int]]] = {
    "topics": (set(), NAMES_AND_KAFKA),
    "detect": ({"metrics"}, NAMES_AND_KAFKA),
    "rollup": ({"metrics"}, NAMES_AND_KAFKA),
    "ingest": ({"metrics"}, NAMES_AND_KAFKA),
    "web": ({"metrics", "page"}, NAMES_AND_KAFKA),
    "deliver": ({"metrics", "answers"}, NAMES_AND_KAFKA | {443, 465, 587}),  # sinks and CRMs; mail
    "receive": ({"metrics"}, NAMES_AND_KAFKA | CRM),
    "reread": ({"metrics"}, NAMES_AND_KAFKA | CRM),
    "tools": (set(), NAMES_AND_KAFKA),
}
"""By workload, the ports by which others may come in, and those of others to which it may go."""


@pytest.mark.parametrize("name", WORKLOADS)
def test_the_network_lets_through_what_each_needs_and_no_more(name: str) -> None:
    labels = pod(WORKLOADS[name])["metadata"]["labels"].items()
    mine = [one["spec"] for one in rules() if one["spec"]["podSelector"]["matchLabels"].items() <= labels]
    ports = {port["name"] for port in container(WORKLOADS[name]).get("ports", ())}
    found = {port["port"] for one in mine for way in one.get("ingress", ()) for port in way["ports"]}
    out = {port["port"] for one in mine for way in one["egress"] for port in way["ports"]}
    assert (found & ports, out) == WAYS[name]
    assert found & ports == ports, "what it serves can be reached"


def test_the_policy_is_the_repositorys() -> None:
    assert (FOLDER / "base" / "policy.yaml").read_text() == (ROOT / "deploy" / "policy.yaml").read_text()


def test_prometheus_finds_the_workers_and_has_the_rules() -> None:
    (monitor,) = read(FOLDER / "monitoring" / "service-monitor.yaml")
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    found = {
        name for (kind, name), one in BASE.items() if kind == "Service" and wanted <= one["metadata"]["labels"].items()
    }
    assert found == set(STAYING)
    (relabeling,) = monitor["spec"]["endpoints"][0]["relabelings"]
    jobs = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())["scrape_configs"]
    assert {job["job_name"] for job in jobs} == {relabeling["replacement"].replace("$1", name) for name in found}
    (endpoint,) = monitor["spec"]["endpoints"]
    assert all(endpoint["port"] in {port["name"] for port in BASE["Service", name]["spec"]["ports"]} for name in found)
    script = importlib.util.spec_from_file_location("prometheus_rule", FOLDER / "prometheus_rule.py")
    assert script is not None
    assert script.loader is not None
    module = importlib.util.module_from_spec(script)
    script.loader.exec_module(module)
    (written,) = read(module.RULE)
    assert written == module.prometheus_rule(), "run deploy/kubernetes/prometheus_rule.py"
    assert written["spec"]["groups"]
