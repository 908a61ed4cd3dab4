"""The pictures of the README are of panels that there are, drawn by what is in bench/."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parent.parent.parent
sys.path.append(str(ROOT / "bench"))

from svg import Plot, picture  # noqa: E402  # of bench

PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


def texts(picture: str, css: str) -> list[str]:
    return [
        found.text or "" for found in ElementTree.fromstring(picture).iter(f"{SVG}text") if found.get("class") == css
    ]


def test_each_dashboard_has_a_picture_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text()
    boards = {path.stem for path in (ROOT / "deploy" / "grafana" / "dashboards").glob("*.json")}
    assert {path.stem for path in PICTURES} == boards
    assert all(f"docs/pictures/{name}.svg" in readme for name in boards)


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_picture_shows_panels_of_its_dashboard_and_is_small(path: Path) -> None:
    board = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / f"{path.stem}.json").read_text())
    shown = texts(path.read_text(), "title")
    assert shown
    assert set(shown) <= {panel["title"] for panel in board["panels"]}
    assert path.stat().st_size < 100_000


def test_a_bar_is_as_long_as_its_number() -> None:
    drawn = ElementTree.fromstring(picture("p", [Plot("t", "", [("a", [2.0]), ("b", [8.0])], kind="bars")]))
    few, many = [float(bar.get("width", "0")) for bar in drawn.iter(f"{SVG}rect") if bar.get("fill", "")[:4] == "#357"]
    assert many == pytest.approx(4 * few, abs=0.2)


def test_what_is_stacked_reaches_the_sum_and_names_are_escaped() -> None:
    drawn = picture("p", [Plot("a < b", "", [("x", [1.0, 3.0]), ("y", [1.0, 1.0])], kind="stacked")])
    assert texts(drawn, "title") == ["a < b"]
    heights = [polygon.get("points", "") for polygon in ElementTree.fromstring(drawn).iter(f"{SVG}polygon")]
    top = min(float(point.partition(",")[2]) for points in heights for point in points.split())
    axis = ElementTree.fromstring(drawn).findall(f".//{SVG}line[@class='grid']")
    assert top == pytest.approx(min(float(line.get("y1", "0")) for line in axis), abs=0.2)  # 4 of 4
