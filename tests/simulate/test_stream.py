"""The stream of a simulated organisation: the same by seed, in order, bounded, and readable by the core."""

from __future__ import annotations

import tracemalloc
from collections import Counter
from itertools import islice, pairwise

import orjson
import pytest

from wellwon.core import wire
from wellwon.core.items import Change, Reclassified
from wellwon.core.units import MINUTE, parse_instant
from wellwon.simulate import Delivery, Simulation, simulate
from wellwon.simulate.label import HEALTHY, LOOKALIKE, NEAR_MISS, PRESSURED, RULES
from wellwon.simulate.lookalikes import LOOKALIKES
from wellwon.simulate.pressure import PRESSURES

BESIDE = {"stage-stall", "stage-skip", "too-early-to-close"}
"""What a life may show whatever its story is."""


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert list(simulate(7, 300)) == list(simulate(7, 300))
    assert list(Simulation(7, 300).labels()) == list(Simulation(7, 300).labels())


def test_another_seed_gives_another_organisation() -> None:
    assert list(simulate(7, 50)) != list(simulate(8, 50))


@pytest.mark.parametrize("deals", [60, 2_500])
def test_deliveries_are_in_order_and_never_before_they_occurred(deals: int) -> None:
    deliveries = list(simulate(1, deals))
    assert all(a.at <= b.at for a, b in pairwise(deliveries))
    for delivery in deliveries[:3_000]:
        late_by = delivery.at - parse_instant(orjson.loads(delivery.value)["occurred_at"])
        assert 0 <= late_by < 10 * MINUTE, "later than the default lateness"


def test_the_core_reads_every_record_and_its_key() -> None:
    for delivery in Simulation(2, 1_000, quarters=2, pressured=0.3, lookalikes=0.3):
        decoded = wire.decode(delivery.value)
        assert decoded.opportunity_id.encode() == delivery.key
        assert isinstance(decoded.item, Change | Reclassified)


def test_every_deal_has_one_label_and_every_change_belongs_to_a_labelled_deal() -> None:
    simulation = Simulation(3, 4_100)
    labels = [label.opportunity_id for label in simulation.labels()]
    assert len(labels) == len(set(labels)) == 4_100
    assert {delivery.key.decode() for delivery in simulation} == set(labels)


def test_labels_say_what_is_expected_and_what_is_not() -> None:
    labels = list(Simulation(4, 1_000, pressured=0.2, lookalikes=0.2, near_misses=0.1).labels())
    groups = Counter(label.group for label in labels)
    assert groups == {PRESSURED: 200, LOOKALIKE: 200, NEAR_MISS: 100, HEALTHY: 500}
    assert {label.kind for label in labels if label.group == PRESSURED} == set(PRESSURES) == set(RULES)
    assert {label.kind for label in labels if label.group == LOOKALIKE} == set(LOOKALIKES)
    for label in labels:
        assert label.reason
        assert not set(label.expected) & set(label.must_not_fire)
        assert (label.kind in label.expected) == (label.group == PRESSURED), label
        assert label.group == PRESSURED or set(label.expected) <= BESIDE


def test_a_calm_organisation_has_no_pressured_deal() -> None:
    calm = Simulation(5, 400, pressured=0)
    assert not any(label.group == PRESSURED for label in calm.labels())
    assert list(simulate(5, 400, calm=True)) == list(calm)


def test_divisions_tell_the_same_lives_with_their_own_ids() -> None:
    lives: dict[bytes, list[tuple[str, str]]] = {}
    for delivery in simulate(6, 4_000):
        event = orjson.loads(delivery.value)
        lives.setdefault(delivery.key, []).append((event["kind"], event["occurred_at"][:19]))
        assert event["writer"]["id"][-3:] in ("000", "001", "")
    assert lives[b"006S00000011000AAA"] == lives[b"006S00000011001AAA"]


def test_a_part_of_a_division_is_told_when_the_deals_do_not_fill_it() -> None:
    keys = {delivery.key for delivery in simulate(1, 2_003)}
    assert len(keys) == 2_003


@pytest.mark.parametrize(("deals", "mean"), [(2_000, 5.0), (300, 8.0), (4_000, 6.5)])
def test_changes_per_deal_are_met_to_the_record(deals: int, mean: float) -> None:
    assert sum(1 for _ in simulate(1, deals, changes_per_deal=mean)) == round(deals * mean)


def test_until_ends_the_stream() -> None:
    whole = list(simulate(1, 200))
    until = whole[700].at
    assert list(simulate(1, 200, until=until)) == [d for d in whole if d.at < until]


def test_memory_does_not_grow_with_the_deals() -> None:
    tracemalloc.start()
    try:
        for _ in islice(Simulation(1, 1_000_000).deliveries(), 50_000):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 60_000_000


def test_a_million_deals_are_told_without_repeating_a_record() -> None:
    first = list(islice(simulate(1, 1_000_000), 20_000))
    assert len({delivery.value for delivery in first}) == 20_000
    assert isinstance(first[0], Delivery)


def test_what_cannot_be_simulated_is_refused() -> None:
    with pytest.raises(ValueError, match="between 1 and 2,000,000"):
        Simulation(1, 0)
    with pytest.raises(ValueError, match="100 lives: at least 2,000"):
        Simulation(1, 10, lives=100)
    with pytest.raises(ValueError, match="between 1 and 40"):
        Simulation(1, 10, quarters=0)
    with pytest.raises(ValueError, match="by itself"):
        Simulation(1, 100, changes_per_deal=1)
    with pytest.raises(ValueError, match="at most 1"):
        Simulation(1, 100, pressured=0.7, lookalikes=0.7)
