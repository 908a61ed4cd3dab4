"""What records can support: no means that the rule never speaks of them, and each reason is one to act on."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from wellwon.history.replay import Replay
from wellwon.policy import compile_policy, load_policy
from wellwon.policy.coverage import NO, PARTLY, YES, Coverage, Verdict
from wellwon.rules import PATTERNS
from wellwon.simulate.organisation import policy_text
from wellwon.simulate.stream import Simulation

PRICES = {"discount_percent", "list_amount", "list_price", "unit_price"}
WITHOUT = {
    "prices": PRICES,
    "categories": {"forecast_category"},
    "dates": {"close_date"},
    "owners": {"owner_id"},
    "amounts": {"amount", *PRICES},
}


def changes(deals: int = 400) -> list[dict[str, Any]]:
    return [orjson.loads(change.value) for change in Simulation(5, deals)]


def without(change: dict[str, Any], fields: set[str]) -> dict[str, Any]:
    values = {name: value for name, value in change.get("values", {}).items() if name not in fields}
    return {**change, "values": values}


def covered(records: list[dict[str, Any]], policy: str = "") -> tuple[Coverage, dict[str, Verdict]]:
    coverage = Coverage(load_policy(policy or policy_text()))
    for record in records:
        coverage.note(record)
    return coverage, {verdict.rule: verdict for verdict in coverage.verdicts()}


def test_a_simulated_organisation_supports_every_rule_that_runs() -> None:
    coverage, verdicts = covered(changes())
    assert coverage.deals == 400
    assert list(verdicts) == [spec.name for spec in PATTERNS]
    poor = {rule: verdict.why for rule, verdict in verdicts.items() if verdict.supported == NO}
    assert not poor
    assert verdicts["late-discount"].supported == YES


@pytest.mark.parametrize("what", WITHOUT)
def test_a_rule_that_is_not_supported_never_speaks(what: str) -> None:
    bare = [without(change, WITHOUT[what]) for change in changes()]
    _, verdicts = covered(bare)
    unsupported = {rule for rule, verdict in verdicts.items() if verdict.supported == NO}
    assert unsupported
    policy = load_policy(policy_text())
    replay = Replay(
        policy_text(),
        lambda _: compile_policy(policy),
        alert=lambda _: None,
        win=lambda _: None,
        dead_letter=lambda letter: pytest.fail(letter.detail),
    )
    summary = replay.run([Timed(change) for change in bare])
    assert not unsupported & summary.opened.keys()


class Timed:
    """A change as a record of the log."""

    def __init__(self, change: dict[str, Any]) -> None:
        from wellwon.core.units import parse_instant

        self.key = change["opportunity_id"].encode()
        self.value = orjson.dumps(change)
        self.at = parse_instant(change["occurred_at"])


def deal(number: int, kind: str = "created", **values: Any) -> dict[str, Any]:
    return {
        "opportunity_id": f"d{number}",
        "kind": kind,
        "occurred_at": f"2026-07-{number % 28 + 1:02}T10:00:00Z",
        "writer": {"id": "ann", "kind": "user"},
        "values": values,
    }


def test_a_field_that_few_deals_have_supports_partly() -> None:
    records = [deal(n, stage="Prospecting", close_date="2026-09-30", amount="5") for n in range(10)]
    records += [deal(n, "changed", discount_percent="10") for n in range(4)]
    records += [deal(n, "changed", discount_percent="15", close_date="2026-09-29") for n in range(4)]
    _, verdicts = covered(records, "rules: {}")
    assert verdicts["late-discount"].supported == PARTLY
    assert verdicts["late-discount"].why == ("the discount is known of 40 % of the deals",)
    assert any("traded" in note for note in verdicts["late-discount"].notes)
    assert verdicts["commit-slip"].supported == NO
    assert verdicts["past-due-close-date"].supported == YES


def test_a_field_that_never_changes_has_no_history() -> None:
    records = [deal(n, stage="Prospecting", close_date="2026-09-30") for n in range(30)]
    _, verdicts = covered(records, "rules: {}")
    assert "no change of the close date is in these records: is its history kept?" in verdicts["close-date-push"].why
    assert any("buyers' dates are not mapped" in note for note in verdicts["close-date-push"].notes)


def test_a_history_that_starts_late_says_so() -> None:
    records = [deal(n, "snapshot", stage="Prospecting", close_date="2026-09-30") for n in range(10)]
    coverage, verdicts = covered(records, "rules: {}")
    assert coverage.snapshots == 10
    assert (
        "of 100 % of the deals the beginning is not known: the history starts later" in verdicts["close-date-push"].why
    )


def test_words_that_the_policy_does_not_know_are_named() -> None:
    records = [deal(n, stage="Somewhere", close_date="2026-09-30", forecast_category="Maybe") for n in range(10)]
    coverage, verdicts = covered(records, "rules: {}")
    assert dict(coverage.unknown_stages) == {"Somewhere": 10}
    assert verdicts["close-date-push"].why[0] == "no stage is one of a pipeline of the policy"
    assert dict(coverage.unknown_categories) == {"Maybe": 10}


def test_what_people_did_not_write_is_no_behaviour() -> None:
    records = [deal(1, stage="Prospecting", close_date="2026-09-30"), deal(1, "changed", close_date="2026-10-30")]
    for record in records:
        record["writer"] = {"id": "sync", "kind": "integration"}
    _, verdicts = covered(records, "rules: {}")
    assert "no change is known to be written by a person: see writers in the policy" in verdicts["close-date-push"].why


def test_nothing_supports_nothing() -> None:
    _, verdicts = covered([])
    assert {verdict.supported for verdict in verdicts.values()} == {NO}
