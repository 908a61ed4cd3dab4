"""Records that could stop a partition, or fill it: each ends in the dead letters or stays within bounds."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from wellwon.core.partition import Partition
from wellwon.core.units import DAY, HOUR, MINUTE, format_instant
from wellwon.core.wire import encode_clock, encode_policy
from wellwon.policy import compile_text

START = 1_772_359_200_000  # 2026-03-01T10:00:00Z
DEAL = "006"


class Record(NamedTuple):
    """One record of the log."""

    key: bytes | None
    value: bytes
    offset: int


def change(offset: int, at: int = START, deal: str = DEAL, **more: Any) -> Record:
    body = {
        "id": f"i{offset}",
        "opportunity_id": deal,
        "source": "test",
        "occurred_at": format_instant(at),
        "kind": "changed",
        "writer": {"id": "anna", "kind": "user"},
        **more,
    }
    return Record(deal.encode(), json.dumps(body).encode(), offset)


def clock(offset: int, at: int) -> Record:
    return Record(None, encode_clock(at), offset)


def partition(store: dict[bytes, bytes], policy: str = "") -> Partition:
    return Partition(0, policy, store, compile_text)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"values": {"amount": 10**400}}, id="a number beyond every float"),
        pytest.param({"values": {"amount": "0." + "0" * 900_000 + "1"}}, id="a number of a megabyte"),
        pytest.param({"values": {"term_months": 10**30}}, id="absurd months"),
        pytest.param({"bulk": 2**63}, id="bulk beyond 64 bits"),
        pytest.param({"bulk": -1}, id="bulk below none"),
        pytest.param({"values": {f"labels.l{i}": "x" for i in range(40)}}, id="forty labels"),
        pytest.param({"kind": "line_item", "line_item_id": "x" * 300}, id="an endless line item id"),
    ],
)
def test_rubbish_is_refused_with_its_reason(more: dict[str, Any]) -> None:
    store: dict[bytes, bytes] = {}
    out = partition(store).apply([change(0, **more), change(1, values={"stage": "Prospecting"})])
    assert [letter.offset for letter in out.dead_letters] == [0]
    assert out.dead_letters[0].reason in ("bad_value", "wrong_type")
    assert DEAL.encode() in store


@pytest.mark.parametrize("deal", ["\0control", "a\nb", "x" * 300])
def test_an_id_that_is_none_is_refused(deal: str) -> None:
    store: dict[bytes, bytes] = {}
    out = partition(store).apply([clock(0, START), change(1, deal=deal)])
    assert [letter.reason for letter in out.dead_letters] == ["bad_value"]
    assert partition(store).clock == START, "the control record is still what it was"


def test_sums_that_no_deal_has_are_unknown_and_can_be_stored() -> None:
    store: dict[bytes, bytes] = {}
    line = {"quantity": "999999999999", "list_price": "9999999999999", "unit_price": "1"}
    records = [
        change(0, kind="line_item", line_item_id="l", values=line),
        change(1, START + 2 * HOUR, values={"amount": "9999999999999", "list_amount": "0.01"}),
        change(2, START + 4 * HOUR, values={"stage": "Prospecting"}),
        change(3, START + 6 * HOUR, values={"stage": "Qualification"}),
    ]
    target = partition(store)
    assert [letter for record in records for letter in target.apply([record]).dead_letters] == []


def test_a_deal_that_a_machine_rewrites_every_second_stays_small() -> None:
    store: dict[bytes, bytes] = {}
    sync = {"id": "sync" * 1_000, "kind": "integration"}
    partition(store).apply(
        [change(i, START + i * 100, writer=sync, values={"next_step": f"step {i}"}) for i in range(3_000)]
    )
    assert len(store[DEAL.encode()]) < 128 * 1_024


def test_a_policy_that_is_read_again_changes_nothing() -> None:
    store: dict[bytes, bytes] = {}
    off = "rules:\n  past-due-close-date: off\n"
    log = [
        Record(None, encode_policy("", START), 0),
        clock(1, START),
        change(2, values={"stage": "Negotiation/Review", "close_date": "2026-02-01"}),
        Record(None, encode_policy(off, START), 3),
    ]
    first = partition(store)
    assert [json.loads(value)["transition"] for _, value in first.apply(log).alerts] == ["opened"]
    settled = first.settle()
    assert settled is not None
    assert [json.loads(value)["reason"] for _, value in settled.alerts] == ["policy"]
    again = partition(store)
    out = again.apply(log)
    assert (out.alerts, out.counts.skipped) == ([], 4)
    assert again.settle() is None


def test_what_was_refused_as_too_early_is_not_taken_when_it_is_read_again() -> None:
    store: dict[bytes, bytes] = {}
    log = [clock(0, START), change(1, START + 2 * DAY, values={"stage": "Prospecting"}), clock(2, START + 2 * DAY)]
    assert [letter.reason for letter in partition(store).apply(log).dead_letters] == ["in_the_future"]
    partition(store).apply(log)
    assert DEAL.encode() not in store


def test_a_change_written_after_an_outage_is_not_too_early() -> None:
    """Nobody wrote clocks while the worker was down; the record's own time says that the change is no slip."""

    class Timed(NamedTuple):
        key: bytes | None
        value: bytes
        offset: int
        timestamp: int

    weekend = START + 3 * DAY
    late = change(1, weekend, values={"stage": "Prospecting"})
    out = partition({}).apply([Timed(*clock(0, START), START), Timed(*late, weekend + MINUTE)])
    assert out.dead_letters == []


def test_a_policy_takes_effect_at_the_log_s_time() -> None:
    store: dict[bytes, bytes] = {}
    later = START + 900 * DAY
    target = partition(store)
    target.apply(
        [
            clock(0, START),
            change(1, values={"stage": "Prospecting", "close_date": "2026-12-01"}),
            Record(None, encode_policy("rules:\n  late-discount: off\n", later), 2),
        ]
    )
    settled = target.settle()
    assert settled is not None
    assert settled.alerts == [], "in the log's time the close date has not passed"


def test_a_deal_that_was_closed_long_before_it_is_read_leaves_with_the_next_clock() -> None:
    store: dict[bytes, bytes] = {}
    target = partition(store)
    target.apply([clock(0, START), change(1, START - 400 * DAY, values={"stage": "Closed Lost"})])
    target.apply([clock(2, START + HOUR)])
    target.settle()
    assert DEAL.encode() not in store


def test_a_stray_edit_of_a_deal_that_left_makes_no_open_deal() -> None:
    """Old closed deals are tidied up in every CRM; of such a deal only the edited field is seen."""
    store: dict[bytes, bytes] = {}
    target = partition(store)
    target.apply([clock(0, START), change(1, values={"close_date": "2026-01-06"}), clock(2, START + 10 * DAY)])
    settled = target.settle()
    assert settled is None or settled.alerts == [], "nobody knows that it is open"
    target.apply([clock(3, START + 101 * DAY)])
    target.settle()
    assert DEAL.encode() not in store
