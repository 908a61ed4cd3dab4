"""What a release is made of: it installs without the checkout, and runs there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import wellwon

ROOT = Path(__file__).parent.parent.parent
BIN = Path(sys.executable).parent
NAME = f"wellwon-{wellwon.__version__}"


def run(*command: object, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=os.environ | environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(BIN / "hatchling", "build", "--directory", folder, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def source(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source archive, unpacked where nothing else is."""
    folder = tmp_path_factory.mktemp("source")
    with tarfile.open(dist / f"{NAME}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / NAME


def files_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_an_empty_environment_runs_the_demo(dist: Path, source: Path, tmp_path: Path) -> None:
    """As a person does it who has the two archives: the lock comes with the source."""
    place = tmp_path / "environment"
    venv.create(place, with_pip=True)
    pip = [place / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--require-hashes", "--requirement", source / "requirements.lock", cwd=tmp_path)
    run(*pip, "--no-deps", next(dist.glob("*.whl")), cwd=tmp_path)
    run(place / "bin/python", "-m", "pip", "check", cwd=tmp_path)
    ours = place / "bin/wellwon"
    assert run(ours, "--version", cwd=tmp_path, PYTHONPATH="") == f"wellwon {wellwon.__version__}\n"
    where = run(place / "bin/python", "-c", "import wellwon; print(wellwon.__file__)", cwd=tmp_path, PYTHONPATH="")
    assert where.startswith(str(place))
    demo = json.loads(run(ours, "demo", "--json", cwd=tmp_path, PYTHONPATH=""))
    assert demo["pressured_found"] == demo["pressured"] > 0


def test_the_source_archive_makes_the_same_wheel(dist: Path, source: Path, tmp_path: Path) -> None:
    run(BIN / "hatchling", "build", "--target", "wheel", "--directory", tmp_path, cwd=source)
    (again,), (first,) = tmp_path.glob("*.whl"), dist.glob("*.whl")
    assert files_in(again) == files_in(first)
    for needed in (
        "LICENSE",
        "README.md",
        "CHANGELOG.md",
        "requirements.lock",
        "docs/decisions.md",
        "schemas/README.md",
    ):
        assert (source / needed).is_file(), needed


def test_the_wheel_has_the_package_alone(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    assert {name.split("/")[0] for name in files_in(wheel)} == {"wellwon"}
    package = ROOT / "streams"
    wanted = {
        path.relative_to(package).as_posix()
        for path in (package / "wellwon").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files_in(wheel) == wanted


def test_versions_agree() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert declared == wellwon.__version__
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] == "Unreleased" or headings[0] == declared


def test_the_bill_of_materials_names_what_the_lock_installs(tmp_path: Path) -> None:
    out = tmp_path / "sbom.json"
    (line,) = re.findall(r"cyclonedx-py (.+?) \\\n", (ROOT / "Makefile").read_text())
    run(BIN / "cyclonedx-py", *line.split(), "--validate", "--output-file", out, cwd=ROOT)
    bill = json.loads(out.read_text())
    locked = set(re.findall(r"^([\w.-]+)==([^ ;\\]+)", (ROOT / "requirements.lock").read_text(), re.M))
    assert {(part["name"], part["version"]) for part in bill["components"]} == locked
    assert all(part["purl"].startswith("pkg:pypi/") for part in bill["components"])
    assert bill["metadata"]["component"]["name"] == "wellwon"
