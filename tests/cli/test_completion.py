"""What shells complete."""

from __future__ import annotations

import pytest

from cli.test_commands import real


def test_completion_is_clicks_own() -> None:
    script = real(_WELLWON_COMPLETE="bash_source")
    assert script.returncode == 0
    assert b"complete" in script.stdout


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("wellwon backt", ["backtest"]),
        ("wellwon backtest --kind salesforce-h", ["salesforce-history"]),
        ("wellwon explain late-d", ["late-discount"]),
        ("wellwon policy explain 006 --rule too", ["too-early-to-close"]),
    ],
)
def test_shells_complete_commands_kinds_and_rules(words: str, completed: list[str]) -> None:
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" ")), "_WELLWON_COMPLETE": "bash_complete"}
    said = real(**asked).stdout.decode().split()
    assert [line.partition(",")[2] for line in said] == completed
