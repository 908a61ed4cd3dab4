"""``wellwon policy test``: what RevOps asserts of a policy, played."""

from __future__ import annotations

import sys
from typing import Any

import click

from wellwon.cli.failure import FAILED
from wellwon.cli.output import counted, json_lines, read_text, shown_name
from wellwon.cli.reading import load
from wellwon.core.units import format_instant
from wellwon.policy.assertions import Mismatch, mismatches, read_assertions

EXAMPLES = """\b
Examples:
  wellwon policy test deploy/policy.yaml deploy/policy_test.yaml
  wellwon policy test policy.yaml tests/*.yaml --json
"""


@click.command("test", epilog=EXAMPLES)
@click.argument("policy_file", metavar="POLICY")
@click.argument("tests", nargs=-1, required=True, metavar="TESTS...")
@click.option("--json", "as_json", is_flag=True, help="Each test with its result, as JSON.")
def command(policy_file: str, tests: tuple[str, ...], as_json: bool) -> None:
    """Play the timelines of TESTS under POLICY and compare what is told with what they expect.

    Timelines are written as on the rules' pages (`wellwon explain RULE`). What is told in shadow, or under another
    alert's headline, counts only where a test names the rule. Exit code 1 if a test fails.
    """
    _, policy = load(policy_file)
    files = [(shown_name(file), read_assertions(read_text(file), shown_name(file), policy)) for file in tests]
    results = [(file, test, mismatches(test, policy, file)) for file, found in files for test in found]
    failed = sum(bool(wrong) for _, _, wrong in results)
    if as_json:
        json_lines([_plain(file, test.line, test.why, wrong) for file, test, wrong in results])
    else:
        for file, test, wrong in results:
            verdict = click.style("FAIL", fg="red") if wrong else click.style("ok  ", fg="green")
            click.echo(f"{verdict}  {file}:{test.line}: {test.why}")
            for mismatch in wrong:
                _show(file, mismatch)
        click.echo(f"{counted(len(results), 'test')}, {failed or 'none'} failed", err=True)
    if failed:
        sys.exit(FAILED)


def _show(file: str, mismatch: Mismatch) -> None:
    click.echo(f"      {file}:{mismatch.line}: {mismatch.text}")
    click.echo(f"        at {format_instant(mismatch.at)} expected {mismatch.expected}, got {mismatch.got}")
    for reason in mismatch.reasons:
        click.echo(f"        {reason}")


def _plain(file: str, line: int, why: str, wrong: list[Mismatch]) -> dict[str, Any]:
    return {
        "file": file,
        "line": line,
        "why": why,
        "passed": not wrong,
        "mismatches": [
            {
                "line": one.line,
                "text": one.text,
                "at": format_instant(one.at),
                "expected": one.expected,
                "got": one.got,
                "reasons": list(one.reasons),
            }
            for one in wrong
        ],
    }
