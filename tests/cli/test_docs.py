"""The generated pages and regions."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from wellwon.cli import cli
from wellwon.cli.docs import REGIONS, differences
from wellwon.core.rule import param_fields
from wellwon.rules import PATTERNS

ROOT = Path(__file__).parents[2]


def test_generated_pages_are_fresh() -> None:
    assert differences(ROOT) == [], "run `wellwon docs`"


@pytest.mark.parametrize("spec", PATTERNS, ids=lambda spec: spec.name)
def test_a_page_has_the_docstring_and_every_threshold(spec: object) -> None:
    page = (ROOT / "docs" / "rules" / f"{spec.name}.md").read_text()  # type: ignore[attr-defined]
    assert all(f"`{name}`" in page for name in param_fields(spec.params))  # type: ignore[attr-defined]
    assert page.count("```") % 2 == 0


def test_the_command_writes_what_it_checks(tmp_path: Path) -> None:
    runner = CliRunner()
    for page in REGIONS:
        (tmp_path / page).parent.mkdir(exist_ok=True)
        (tmp_path / page).write_text((ROOT / page).read_text().replace("late-discount", "early-discount"))
    stale = runner.invoke(cli, ["docs", "--check", "--root", str(tmp_path)])
    assert stale.exit_code == 1
    assert "README.md is stale" in stale.output
    assert "docs/rules/late-discount.md is missing" in stale.output
    assert runner.invoke(cli, ["docs", "--root", str(tmp_path)]).exit_code == 0
    assert runner.invoke(cli, ["docs", "--check", "--root", str(tmp_path)]).exit_code == 0
    (tmp_path / "docs" / "rules" / "gone.md").write_text("")
    assert "of no rule" in runner.invoke(cli, ["docs", "--check", "--root", str(tmp_path)]).output


def test_a_page_without_its_region_is_told(tmp_path: Path) -> None:
    for page in REGIONS:
        (tmp_path / page).parent.mkdir(exist_ok=True)
        (tmp_path / page).write_text("# nothing here\n")
    result = CliRunner().invoke(cli, ["docs", "--root", str(tmp_path)])
    assert result.exit_code == 2
    assert "has no region" in result.output
