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
    documented = (ROOT / "docs" / "operations.md").read_text()
    assert f"--requirement {NAME}/requirements.lock" in documented, "what is done here is what the page says"
    assert f"--no-deps {NAME}-py3-none-any.whl" in documented
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
        "requirements-pubsub.lock",
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


def components(bill: Path) -> dict[str, str]:
    """What a bill of materials names, with versions."""
    found = json.loads(bill.read_text())
    assert found["metadata"]["component"]["name"] == "wellwon"
    assert all(part["purl"].startswith("pkg:pypi/") for part in found["components"])
    return {part["name"]: part["version"] for part in found["components"]}


def test_the_bills_of_materials_name_what_the_locks_install(tmp_path: Path) -> None:
    (line,) = re.findall(r"bin\)/python (deploy/bill_of_materials.py) dist", (ROOT / "Makefile").read_text(), re.I)
    run(sys.executable, line, tmp_path, wellwon.__version__, cwd=ROOT)
    text = (ROOT / "requirements.lock").read_text()
    wheel = components(tmp_path / f"{NAME}.cdx.json")
    assert wheel.items() == set(re.findall(r"^([\w.-]+)==([^ ;\\]+)", text, re.M))
    # Whether it is what the image has is asked of the image: test_image.py.
    image = components(tmp_path / f"{NAME}-image.cdx.json")
    assert {"grpcio", "fastavro", "protobuf"} <= image.keys()
    assert not {"hatchling", "mypy", "setuptools", "colorama"} & image.keys()
    assert {name: version for name, version in image.items() if name in wheel}.items() <= wheel.items()
