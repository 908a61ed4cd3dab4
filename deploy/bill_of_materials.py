"""Writes the bills of materials (SBOM, CycloneDX) of a release into a folder: of the wheel, and of the image.

The wheel's has what requirements.lock installs; the image's what requirements-compile.lock does, without what the
Dockerfile takes out again when the wheel is built. What is below Python in the image is its base image's.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
IMAGE = {"sys_platform": "linux", "platform_system": "Linux", "platform_python_implementation": "CPython"}


def of_wheel() -> list[str]:
    """The requirements that an installation of the wheel has, one a line, with their hashes."""
    return _entries("requirements.lock")


def of_image() -> list[str]:
    """Those that the image has."""
    text = DOCKERFILE.read_text()
    (lock,) = re.findall(r"--requirement (\S+)", text)
    gone = set(" ".join(re.findall(r"^RUN pip uninstall --yes (.+)$", text, re.M)).split())
    (python,) = set(re.findall(r"^FROM python:(\d+\.\d+)", text, re.M))
    here = {**IMAGE, "python_version": python, "python_full_version": f"{python}.0"}
    kept = []
    for entry in _entries(lock):
        wanted = Requirement(entry.partition("--hash")[0].strip(" \\\n"))
        if wanted.name not in gone and (wanted.marker is None or wanted.marker.evaluate(here)):
            kept.append(entry)
    return kept


def write(entries: list[str], path: Path) -> None:
    """Write the bill of these requirements."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "cyclonedx_py",
        "requirements",
        "-",
        "--pyproject",
        "pyproject.toml",
    ]
    options = ["--short-PURLs", "--output-reproducible", "--validate", "--output-file", path.absolute()]
    subprocess.run([*command, *map(str, options)], cwd=ROOT, input="".join(entries), text=True, check=True)


def _entries(lock: str) -> list[str]:
    """Each requirement of a lock, with the lines that go on with a backslash."""
    return re.findall(r"^\S(?:.*\\\n)*.*\n", (ROOT / lock).read_text(), re.M)


if __name__ == "__main__":
    name = Path(sys.argv[1]) / f"wellwon-{sys.argv[2]}"
    write(of_wheel(), name.with_name(f"{name.name}.cdx.json"))
    write(of_image(), name.with_name(f"{name.name}-image.cdx.json"))
