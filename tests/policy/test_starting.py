"""A first policy: it can always be read, it finds what an export shows, and what it guesses it marks."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from wellwon.core.units import day_of
from wellwon.policy import Policy, load_policy
from wellwon.policy.guess import category_of, field_of, is_monthly, start_month, terciles
from wellwon.policy.sample import Sample
from wellwon.policy.starting import Export, scalar, starting_policy
from wellwon.simulate.organisation import policy_text
from wellwon.simulate.stream import Simulation

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip)


def policy_of(changes: list[dict[str, Any]], **export: Any) -> tuple[Policy, str]:
    sample = Sample()
    for change in changes:
        sample.note(change)
    text = starting_policy(sample, Export(("export.csv",), **export))
    return load_policy(text), text


def change(deal: str, kind: str = "changed", **values: Any) -> dict[str, Any]:
    return {"opportunity_id": deal, "kind": kind, "writer": {"id": "ann", "kind": "user"}, "values": values}


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 60), st.integers(1, 4))
def test_any_simulated_organisation_gives_a_policy_that_can_be_read(seed: int, deals: int, quarters: int) -> None:
    policy, text = policy_of([orjson.loads(one.value) for one in Simulation(seed, deals, quarters)])
    assert policy.pipelines
    assert "GUESS" in text


VALUES = st.fixed_dictionaries(
    {},
    optional={
        "stage": NAMES,
        "pipeline": NAMES,
        "forecast_category": NAMES,
        "amount": st.integers(0, 10**12).map(str),
        "currency": st.sampled_from(("USD", "EUR")),
        "close_date": st.dates(date(2020, 1, 1), date(2030, 12, 31)).map(str),
        "is_won": st.booleans(),
        "is_closed": st.booleans(),
    },
)
CHANGES = st.lists(st.tuples(st.sampled_from("abc"), VALUES), max_size=40)


@settings(max_examples=80, deadline=None)
@given(CHANGES, st.lists(NAMES, max_size=4), st.dictionaries(NAMES, st.floats(0, 100), max_size=4))
def test_any_export_gives_a_policy_that_can_be_read(
    written: list[tuple[str, dict[str, Any]]], columns: list[str], probabilities: dict[str, float]
) -> None:
    policy_of([change(deal, **values) for deal, values in written], columns=columns, probabilities=probabilities)


@given(NAMES)
def test_a_text_is_written_so_that_it_is_read_again(text: str) -> None:
    assert yaml.safe_load(f"key: [{scalar(text)}]") == {"key": [text]}


def test_a_few_commits_written_with_an_early_stage_do_not_make_it_late() -> None:
    """Most deals come to Discovery as they are, in Pipeline: that their row has no category says just that."""
    early = [change(f"d{n}", "created", stage="Qualification", forecast_category="Pipeline") for n in range(40)]
    on = [change(f"d{n}", stage="Discovery", **({"forecast_category": "Commit"} if n < 5 else {})) for n in range(40)]
    late = [change(f"d{n}", stage="Negotiation", forecast_category="Commit") for n in range(40)]
    policy, _ = policy_of([*early, *on, *late])
    assert policy.pipelines[0].late_stage == "Negotiation"


def test_the_simulated_organisation_is_found_again() -> None:
    policy, _ = policy_of([orjson.loads(one.value) for one in Simulation(11, 400, 4)])
    real = load_policy(policy_text())
    assert policy.pipelines[0].open == real.pipelines[0].open
    assert policy.pipelines[0].won == real.pipelines[0].won
    assert policy.pipelines[0].lost == real.pipelines[0].lost
    assert policy.pipelines[0].late_stage == real.pipelines[0].late_stage
    assert policy.calendar.start_month == real.calendar.start_month
    assert [segment.name for segment in policy.segments] == ["small", "mid", "large", "default"]


def test_stages_are_in_the_order_in_which_deals_go_through_them() -> None:
    paths = [
        ("Meet", "Offer", "Sign"),
        ("Meet", "Sign"),
        ("Meet", "Offer"),
        ("Offer", "Meet", "Sign"),
        ("Sign", "Lost it"),
    ]
    policy, text = policy_of([change(str(n), stage=stage) for n, path in enumerate(paths) for stage in path])
    assert policy.pipelines[0].open == ("Meet", "Offer", "Sign")
    assert policy.pipelines[0].lost == ("Lost it",)
    assert "moves along it 7, against it 1" in text
    assert "GUESS: no won deal is in the export" in text


def test_where_deals_do_not_move_the_probability_says_the_order() -> None:
    stages = {"Sign": 90.0, "Meet": 10.0, "Offer": 50.0}
    policy, text = policy_of([change(stage, stage=stage) for stage in stages], probabilities=stages)
    assert policy.pipelines[0].open == ("Meet", "Offer", "Sign")
    assert "by their probability" in text


def test_pipelines_with_the_same_stages_are_one() -> None:
    written = [("a", "012A", "Meet"), ("b", "012B", "Meet"), ("c", "012C", "Renew"), ("d", "012A", "Meet")]
    policy, _ = policy_of([change(deal, pipeline=name, stage=stage) for deal, name, stage in written])
    assert [(one.name, one.match) for one in policy.pipelines] == [("012A", ("012B",)), ("012C", ())]


def ends(counts: dict[int, int], spread: int = 0) -> list[int]:
    """Close dates: so many on the last day of each month, and some in the middle of every month."""
    last = {1: 31, 2: 28, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}
    piled = [day_of(date(2026, month, last[month])) for month, count in counts.items() for _ in range(count)]
    return piled + [day_of(date(2026, month, 12)) for month in range(1, 13) for _ in range(spread)]


@pytest.mark.parametrize(
    ("dates", "month"),
    [
        (ends({1: 30, 4: 12, 7: 14, 10: 13}, 3), "2"),
        (ends({3: 20, 6: 20, 9: 20, 12: 22}, 3), "1"),
        (ends({3: 20, 6: 40, 9: 20, 12: 20}, 3), "7"),
        (ends({9: 60}, 2), "1"),
        (ends({}, 10), None),
        (ends(dict.fromkeys(range(1, 13), 10), 2), None),
        (ends({1: 5, 4: 5}), None),
    ],
)
def test_the_fiscal_year_shows_where_close_dates_pile_up(dates: list[int], month: str | None) -> None:
    guess = start_month(dates)
    assert (guess.value if guess else None) == month


def test_months_rather_than_quarters() -> None:
    assert is_monthly(ends(dict.fromkeys(range(1, 13), 10), 2)) is not None
    assert is_monthly(ends({3: 20, 6: 20, 9: 20, 12: 22}, 3)) is None
    assert is_monthly(ends({}, 10)) is None


def test_terciles_are_round_and_part_the_deals() -> None:
    assert terciles([n * 100_00 for n in range(1, 301)]) == (10_000_00, 20_000_00)
    assert terciles([100_00] * 300) is None
    assert terciles([1, 2, 3]) is None


def test_words_and_columns() -> None:
    assert category_of("Firm Commit") == "commit"
    assert category_of("Upside") == "best_case"
    assert category_of("???") == "pipeline"
    assert field_of("Discount_Percent__c") == "discount_percent"
    assert field_of("Customer_Go_Live_Date__c") == "buyer_confirmed_date"
    assert field_of("LeadSource") is None
    _, text = policy_of([change("a", stage="Meet", forecast_category="Firm Commit")], columns=["Discount__c", "Total"])
    assert "Firm Commit: commit" in text
    assert "#   Discount__c: discount_percent" in text
    assert "Total" not in text
