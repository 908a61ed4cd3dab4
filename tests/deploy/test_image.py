"""The Dockerfile's own commands, run in a folder of their own instead of in a container."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import wellwon
from wellwon.simulate.organisation import policy_text
from wellwon.simulate.stream import Simulation

ROOT = Path(__file__).parent.parent.parent


def instructions() -> list[list[tuple[str, str]]]:
    """The stages of the Dockerfile, each a list of (instruction, arguments)."""
    text = re.sub(r"^#.*\n", "", (ROOT / "deploy" / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    stages: list[list[tuple[str, str]]] = []
    for line in text.splitlines():
        if line.strip():
            name, _, rest = line.partition(" ")
            if name == "FROM":
                stages.append([])
            stages[-1].append((name, rest.strip()))
    return stages


def in_context(path: Path) -> bool:
    """Whether .dockerignore lets a file (relative to the repository) into the build."""
    kept = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.strip().lstrip("!")
        if not pattern or pattern.startswith("#"):
            continue
        names = [path, *path.parents][:-1]
        pattern = pattern.removeprefix("**/")
        if any(fnmatch.fnmatch(str(name), pattern) or fnmatch.fnmatch(name.name, pattern) for name in names):
            kept = line.startswith("!")
    return kept


def copied(source: str) -> list[tuple[Path, Path]]:
    """The files that COPY takes for one source, and where each goes below the target."""
    whole = ROOT / source
    if whole.is_file():
        return [(whole, Path(whole.name))]
    paths = [path for path in sorted(whole.rglob("*")) if path.is_file() and in_context(path.relative_to(ROOT))]
    return [(path, path.relative_to(whole)) for path in paths]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image has under its root, built by the RUN and COPY lines of the first stage."""
    root = tmp_path_factory.mktemp("image")
    environment = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": str(root)}
    environment |= {name: value for name, value in os.environ.items() if re.match(r"PIP_|SSL_|\w+_PROXY$", name, re.I)}

    def inside(text: str) -> str:
        return re.sub(r"(?<![\w.])/(?=opt/|build)", f"{root}/", text)

    folder = root
    for name, rest in instructions()[0]:
        if name == "WORKDIR":
            folder = Path(inside(rest))
            folder.mkdir(parents=True)
        elif name == "ENV":
            for item in rest.split():
                key, _, value = item.partition("=")
                environment[key] = inside(value).replace("$PATH", environment["PATH"])
        elif name == "COPY":
            *sources, target = rest.split()
            for source in sources:
                for path, below in copied(source):
                    there = folder / target / below
                    there.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, there)
        elif name == "RUN":
            command = ["sh", "-c", inside(rest)]
            done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
            assert done.returncode == 0, f"{rest}\n{done.stdout}{done.stderr}"
        else:
            assert name == "FROM", name
    return root


def wellwon_in(image: Path, *arguments: str) -> str:
    """Run the image's entry point, away from the repository."""
    (entry,) = [json.loads(rest) for name, rest in instructions()[1] if name == "ENTRYPOINT"]
    environment = {"PATH": f"{image}/opt/wellwon/bin", "HOME": str(image), "LANG": "C.UTF-8"}
    command = [shutil.which(entry[0], path=environment["PATH"]), *entry[1:], *arguments]
    return subprocess.run(command, cwd=image, env=environment, check=True, capture_output=True, text=True).stdout


def test_the_image_has_wellwon_and_no_build_tools(image: Path) -> None:
    freeze = subprocess.run(
        [image / "opt/wellwon/bin/pip", "list", "--format=json"], check=True, capture_output=True, text=True
    )
    installed = {package["name"].lower(): package["version"] for package in json.loads(freeze.stdout)}
    assert installed["wellwon"] == wellwon.__version__
    assert not installed.keys() & {"hatchling", "editables", "pytest", "ruff", "mypy", "setuptools", "hypothesis"}


def test_its_bill_of_materials_is_what_it_has(image: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "deploy/bill_of_materials.py", tmp_path, "0"], check=True)
    bill = json.loads((tmp_path / "wellwon-0-image.cdx.json").read_text())
    listed = subprocess.check_output([image / "opt/wellwon/bin/pip", "list", "--format=json"])
    installed = {_name(package["name"]): package["version"] for package in json.loads(listed)}
    mine = {_name(part["name"]): part["version"] for part in bill["components"]}
    assert mine == {name: version for name, version in installed.items() if name not in ("pip", "wellwon")}


def _name(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def test_the_entry_point_runs(image: Path) -> None:
    assert "late-discount" in wellwon_in(image, "rules")


def test_the_policy_of_the_image_is_valid(image: Path) -> None:
    (source, _) = next(rest.split() for name, rest in instructions()[1] if name == "COPY" and "policy" in rest)
    wellwon_in(image, "policy", "check", str(ROOT / source))
    assert in_context(Path(source))


def test_every_file_of_the_package_is_in_the_wheel(image: Path) -> None:
    (package,) = (image / "opt/wellwon/lib").glob("python3*/site-packages/wellwon")

    def files(folder: Path) -> set[Path]:
        found = (path for path in folder.rglob("*") if path.suffix != ".pyc" and ".mypy_cache" not in path.parts)
        return {path.relative_to(folder) for path in found if path.is_file() and path.suffix != ".so"}

    assert files(package) == files(ROOT / "streams" / "wellwon")


def test_what_is_compiled_says_what_the_source_says(image: Path, tmp_path: Path) -> None:
    """The image's core is compiled, the one of the tests is not; both read a quarter alike, to the byte."""
    python = image / "opt/wellwon/bin/python"
    where = "import wellwon.core.engine as core; print(core.__file__)"
    assert subprocess.check_output([python, "-Ic", where], cwd=image, text=True).strip().endswith(".so")

    policy, changes = tmp_path / "policy.yaml", tmp_path / "changes.jsonl"
    policy.write_text(policy_text())
    with changes.open("wb") as file:
        file.writelines(item.value + b"\n" for item in Simulation(11, 600, changes_per_deal=8.0))
    told = {}
    for name in ("compiled", "source"):
        out = [tmp_path / f"{name}-alerts.jsonl", tmp_path / f"{name}-wins.jsonl"]
        command = ["replay", "changes", changes, "--policy", policy, "--alerts", out[0], "--wins", out[1]]
        if name == "compiled":
            wellwon_in(image, *map(str, command))
        else:
            subprocess.run([sys.executable, "-m", "wellwon", *map(str, command)], check=True, capture_output=True)
        told[name] = [path.read_bytes() for path in out]
    assert told["compiled"] == told["source"]
    assert all(records.count(b"\n") > 20 for records in told["source"])


COLUMNS = {"StageName": "stage", "Amount": "amount", "CloseDate": "close_date", "ForecastCategory": "forecast_category"}


def opportunity_history(simulation: Simulation) -> str:
    """The saves of a simulation as Salesforce exports them."""
    held: dict[str, dict[str, str]] = {}
    lines = [",".join(("Id", "OpportunityId", "CreatedDate", "CreatedById", *COLUMNS))]
    for number, delivery in enumerate(simulation):
        event = json.loads(delivery.value)
        if event["kind"] in ("created", "changed"):
            now = held.setdefault(event["opportunity_id"], dict.fromkeys(COLUMNS.values(), ""))
            now |= {name: value or "" for name, value in event["values"].items() if name in now}
            row = (f"h{number}", event["opportunity_id"], event["occurred_at"], event["writer"]["id"], *now.values())
            lines.append(",".join(row))
    return "\n".join(lines) + "\n"


def test_a_backtest_says_compiled_what_it_says_of_the_source(image: Path, tmp_path: Path) -> None:
    """Of the files of two regions, so that what is compiled travels between processes."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(policy_text())
    files = [tmp_path / "east.csv", tmp_path / "west.csv"]
    for number, file in enumerate(files):
        file.write_text(opportunity_history(Simulation(12 + number, 300)))
    command = ["backtest", *map(str, files), "--policy", str(policy), "--json", "--workers", "2"]
    source = [sys.executable, "-m", "wellwon", *command]
    assert wellwon_in(image, *command) == subprocess.check_output(source, text=True)


def test_a_page_of_a_rule_is_in_what_is_compiled(image: Path) -> None:
    command = [sys.executable, "-m", "wellwon", "explain", "late-discount"]
    assert wellwon_in(image, "explain", "late-discount") == subprocess.check_output(command, text=True)


def test_only_what_is_needed_is_sent_to_the_build() -> None:
    assert all(in_context(Path(source)) for source in ("pyproject.toml", "streams/wellwon/core/items.py"))
    assert not any(in_context(Path(path)) for path in (".git/config", "streams/wellwon/core/__pycache__/items.pyc"))


def test_it_does_not_run_as_root() -> None:
    names = [name for name, _ in instructions()[-1]]
    assert names.index("USER") < names.index("ENTRYPOINT")
    assert "HEALTHCHECK" in names
