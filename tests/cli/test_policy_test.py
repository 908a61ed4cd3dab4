"""`wellwon policy test`: assertions of a policy, and what is said when one does not hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.test_commands import wellwon

ROOT = Path(__file__).parents[2]
TESTS = """\
given: |
  2026-08-17 10:00  created stage="Negotiation/Review" close_date=2026-09-28 discount=12 list=100000 by=anna

tests:
  - why: A raise in the last days is told.
    timeline: |
      # said on the phone
      2026-09-25 10:00  discount=24 by=anna    ! late-discount warning
  - why: A small one is not.
    timeline: |
      2026-09-25 10:00  discount=14 by=anna    .
"""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    policy, tests = tmp_path / "policy.yaml", tmp_path / "tests.yaml"
    policy.write_text("")
    tests.write_text(TESTS)
    return policy, tests


def test_the_shipped_policy_passes_the_shipped_tests() -> None:
    result = wellwon("policy", "test", str(ROOT / "deploy/policy.yaml"), str(ROOT / "deploy/policy_test.yaml"))
    assert result.exit_code == 0, result.output
    assert "none failed" in result.output


def test_a_failure_names_its_line_and_why_the_rule_is_silent(files: tuple[Path, Path]) -> None:
    policy, tests = files
    assert wellwon("policy", "test", str(policy), str(tests)).exit_code == 0
    policy.write_text("rules: {late-discount: {points: 13}}\n")
    result = wellwon("policy", "test", str(policy), str(tests))
    assert result.exit_code == 1
    assert result.output.startswith(
        f"FAIL  {tests}:5: A raise in the last days is told.\n      {tests}:8: 2026-09-25 10:00"
    )
    assert "expected ! late-discount warning, got silence" in result.output
    assert "points is 13 percentage points, and it would take 12" in result.output
    assert f"ok    {tests}:9: A small one is not." in result.output
    assert "2 tests, 1 failed" in result.output


def test_results_for_machines(files: tuple[Path, Path]) -> None:
    policy, tests = files
    policy.write_text("rules: {late-discount: {points: 1}}\n")
    result = wellwon("policy", "test", str(policy), str(tests), "--json")
    assert result.exit_code == 1
    first, second = json.loads(result.output)
    assert (first["passed"], first["line"], first["mismatches"]) == (True, 5, [])
    (wrong,) = second["mismatches"]
    assert (wrong["line"], wrong["expected"], wrong["got"]) == (11, "silence", "! late-discount info")


def test_what_runs_in_shadow_is_compared_where_it_is_named(files: tuple[Path, Path]) -> None:
    policy, tests = files
    policy.write_text("rules: {late-discount: {mode: shadow, points: 1}}\n")
    result = wellwon("policy", "test", str(policy), str(tests))
    assert result.exit_code == 0, "the first test names it, to the second nobody is told anything"
    tests.write_text(
        TESTS.replace("  - why: A small one is not.", "  - why: A small one is not.\n    rules: [late-discount]")
    )
    assert wellwon("policy", "test", str(policy), str(tests)).exit_code == 1


@pytest.mark.parametrize(
    ("written", "line", "said"),
    [
        (TESTS.replace("why: A raise", "wy: A raise"), 5, "'wy' is not a key of a test: did you mean 'why'?"),
        (TESTS.replace("discount=24", "discont"), 8, "'discont' is neither field=value nor a known word"),
        (TESTS.replace("discount=24", "discount=much"), 8, "is not a decimal number"),
        (TESTS.replace("! late-discount warning", "! late-discount"), 8, "is none of: ! RULE SEVERITY"),
        (TESTS.replace("! late-discount", "! late-discont"), 8, "did you mean 'late-discount'?"),
        (TESTS.replace("      # said", "      policy: {}\n      # said"), 7, "remove this line"),
        (TESTS.replace("2026-09-25 10:00  discount=14", "2026-19-25 10:00  discount=14"), 11, "is not a date"),
        (TESTS.replace("    timeline: |\n      # said", "    rules: [late-discont]\n    timeline: |\n      # said"), 6,
         "did you mean 'late-discount'?"),
        ("tests: []\n", 1, "at least one item is needed"),
        ("- why: x\n", 1, "has the keys given and tests"),
        ("tests: [\n", 2, "this is not YAML"),
    ],
)  # fmt: skip
def test_mistakes_have_their_place(files: tuple[Path, Path], written: str, line: int, said: str) -> None:
    policy, tests = files
    tests.write_text(written)
    result = wellwon("policy", "test", str(policy), str(tests))
    said_of = str(result.exception) if result.exception and not isinstance(result.exception, SystemExit) else ""
    assert f"{tests}:{line}:" in said_of + result.output
    assert said in said_of + result.output
    assert result.exit_code != 0
