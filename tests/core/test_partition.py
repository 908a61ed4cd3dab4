"""One partition's log: what leaves it is a function of the log, however it is cut, settled or interrupted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histories import DEAL, POLICIES, START, History, Record, change, clock, histories
from wellwon.core.partition import CONTROL_KEY, Output, Partition
from wellwon.core.state import PREFIX, NewerState, State, decode_state
from wellwon.core.units import DAY, HOUR
from wellwon.core.wire import encode_policy
from wellwon.policy import compile_text

Told = dict[tuple[str, bytes], list[bytes]]
"""Alerts by deal, and wins by deal, in order."""

seeds = st.integers(0, 2**32).map(Random)


def settle(partition: Partition, deals: int = 50) -> list[Output]:
    """Until nothing is due."""
    found = []
    while (out := partition.settle(deals)) is not None:
        found.append(out)
    return found


def deals(store: dict[bytes, bytes]) -> dict[bytes, bytes]:
    """The stored deals, without what the partition keeps beside them."""
    return {key: value for key, value in store.items() if key != CONTROL_KEY}


def told(outputs: Iterable[Output]) -> Told:
    """What people would be told, deal by deal."""
    by_deal: Told = {}
    for out in outputs:
        for key, value in out.alerts:
            by_deal.setdefault(("alert", key), []).append(value)
        for key, value in out.wins:
            by_deal.setdefault(("win", key), []).append(value)
    return by_deal


def plainly(history: History, store: dict[bytes, bytes] | None = None) -> list[Output]:
    """One record at a time, everything settled after each."""
    partition = Partition(0, history.policy, {} if store is None else store, compile_text)
    outputs = []
    for record in history.records:
        outputs += [partition.apply([record]), *settle(partition)]
    return outputs


def with_policy(history: History, rng: Random) -> History:
    """The history with a policy record somewhere in it, sometimes."""
    if rng.random() < 0.5:
        return history
    place = rng.randrange(3, len(history.records))
    before = [json.loads(record.value) for record in history.records[:place]]
    at = max(START, *(_at(wire) for wire in before))
    value = encode_policy(rng.choice(POLICIES), at)
    later = [record._replace(offset=record.offset + 1) for record in history.records[place:]]
    return History(history.seed, history.policy, (*history.records[:place], Record(None, value, place), *later))


def _at(wire: dict[str, Any]) -> int:
    from wellwon.core.units import parse_instant

    return parse_instant(wire.get("at") or wire["occurred_at"])


# --- however it is cut ----------------------------------------------------------------------------------------


@settings(max_examples=80)
@given(histories(deals=3), seeds)
def test_slices_and_chunks_change_nothing(history: History, rng: Random) -> None:
    history = with_policy(history, rng)
    partition = Partition(0, history.policy, {}, compile_text)
    partition.room = rng.choice((0, 1, 100))
    records, outputs = list(history.records), []
    while records:
        size = rng.randint(1, 12)
        outputs.append(partition.apply(records[:size]))
        del records[:size]
        for _ in range(rng.randrange(3)):
            out = partition.settle(rng.randint(1, 2))
            if out is not None:
                outputs.append(out)
    outputs += settle(partition)
    assert told(outputs) == told(plainly(history))


@settings(max_examples=80)
@given(histories(deals=3), seeds)
def test_a_deal_that_is_held_in_memory_is_the_one_that_is_stored(history: History, rng: Random) -> None:
    history = with_policy(history, rng)
    stores: list[dict[bytes, bytes]] = [{}, {}]
    held, decoded = (Partition(0, history.policy, store, compile_text) for store in stores)
    decoded.room = 0
    for record in history.records:
        for partition in (held, decoded):
            partition.apply([record])
            settle(partition)
        # A repeat moves the guard in memory only; it is written with the next change.
        first, second = ({key: decode_state(value) for key, value in store.items()} for store in map(deals, stores))
        assert first == second


@settings(max_examples=80)
@given(histories(deals=3), seeds)
def test_a_restart_with_any_part_persisted_gives_the_same_alerts(history: History, rng: Random) -> None:
    """Alerts go out first, then states in order; only where all of a slice's states are durable the offset advances."""
    history = with_policy(history, rng)
    whole = told(plainly(history))

    durable: dict[bytes, bytes] = {}
    watermark, sent, left = -1, [], list(history.records)
    for _ in range(3):
        store = dict(durable)
        partition = Partition(0, history.policy, store, compile_text)
        outputs: list[Output] = []
        for _ in range(rng.randint(1, 1 + len(left) // 4)):
            size = rng.randint(1, 6)
            outputs.append(partition.apply(left[:size]))
            left = left[size:]
            if (out := partition.settle(rng.randint(1, 3))) is not None:
                outputs.append(out)
        sent += outputs
        # The crash: a part of what was written is durable.
        writes = [(out, item) for out in outputs for item in [*out.states.items(), None]]
        for out, item in writes[: rng.randint(0, len(writes))]:
            if item is None:
                watermark = max(watermark, out.end_offset)
            elif item[1] is None:
                durable.pop(item[0], None)
            else:
                durable[item[0]] = item[1]
        left = [record for record in history.records if record.offset > watermark]
    partition = Partition(0, history.policy, dict(durable), compile_text)
    sent += [partition.apply(left), *settle(partition)]

    again = {key: _by_id(values) for key, values in told(sent).items()}
    assert again == {key: _by_id(values) for key, values in whole.items()}


def _by_id(values: list[bytes]) -> dict[str, bytes]:
    """Records by id; a repeat says the same."""
    found: dict[str, bytes] = {}
    for value in values:
        mark = json.loads(value)["id"]
        assert found.setdefault(mark, value) == value, "the same id says two things"
    return found


@settings(max_examples=30)
@given(histories(deals=2))
def test_what_was_applied_is_skipped(history: History) -> None:
    store: dict[bytes, bytes] = {}
    plainly(history, store)
    before = dict(store)
    partition = Partition(0, history.policy, store, compile_text)
    changes = [record for record in history.records if record.key is not None]
    out = partition.apply(changes)
    assert not out.alerts
    assert not out.wins
    # A deal that was deleted long ago has left; all others know what they have applied.
    known = [record for record in changes if record.key in before]
    assert out.counts.skipped + out.counts.duplicates == len(known)
    assert store == before


@settings(max_examples=30)
@given(histories(deals=3))
def test_open_findings_are_counted(history: History) -> None:
    """What a restart finds open is what the deltas add up to."""
    store: dict[bytes, bytes] = {}
    partition = Partition(0, history.policy, store, compile_text)
    counts = dict(partition.open_findings)
    for record in history.records:
        for out in [partition.apply([record]), *settle(partition)]:
            for kind, delta in out.counts.open_findings.items():
                counts[kind] = counts.get(kind, 0) + delta
    found = Partition(0, history.policy, store, compile_text).open_findings
    assert {kind: number for kind, number in counts.items() if number} == found


# --- guards, epochs, versions ---------------------------------------------------------------------------------


def saved(**values: Any) -> dict[str, Any]:
    """A save of anna's."""
    return {"kind": "changed", "writer": {"id": "anna", "kind": "user"}, "values": values}


def run(*records: Record, policy: str = "", store: dict[bytes, bytes] | None = None) -> tuple[Partition, list[Output]]:
    """A partition that applied these records one by one."""
    partition = Partition(0, policy, {} if store is None else store, compile_text)
    outputs = []
    for record in records:
        outputs += [partition.apply([record]), *settle(partition)]
    return partition, outputs


def state_of(store: dict[bytes, bytes]) -> State:
    """The deal's stored state."""
    return decode_state(store[DEAL.encode()])


def alerts_of(outputs: list[Output]) -> list[dict[str, Any]]:
    """The alerts, decoded."""
    return [json.loads(value) for out in outputs for _, value in out.alerts]


def test_a_new_epoch_forgets_the_old_offsets() -> None:
    store: dict[bytes, bytes] = {}
    run(change(saved(stage="Prospecting"), START, 1, 500), store=store)
    out = Partition(0, "", store, compile_text, epoch=1).apply([change(saved(amount="1"), START + HOUR, 2, 3)])
    assert out.counts.skipped == 0
    assert PREFIX.unpack_from(store[DEAL.encode()])[1:4] == (1, 0, 3)


def test_a_newer_state_is_refused() -> None:
    store: dict[bytes, bytes] = {}
    run(change(saved(stage="Prospecting"), START, 1, 0), clock(START, 1), store=store)
    store[CONTROL_KEY] = b"\x09" + store[CONTROL_KEY][1:]
    with pytest.raises(NewerState, match="run the newer version"):
        Partition(0, "", store, compile_text)


def test_a_duplicate_at_a_new_offset_is_counted_and_moves_the_guard() -> None:
    store: dict[bytes, bytes] = {}
    record = change(saved(stage="Prospecting"), START, 1, 0)
    _, outputs = run(record, record._replace(offset=1), store=store)
    assert sum(out.counts.duplicates for out in outputs) == 1


def test_a_gap_asks_for_a_reread() -> None:
    _, outputs = run(change({"kind": "gap"}, START, 1, 0))
    ((key, value),) = [reread for out in outputs for reread in out.rereads]
    assert key == DEAL.encode()
    assert json.loads(value) == {
        "schema": "reread.v1",
        "opportunity_id": DEAL,
        "source": "test",
        "reason": "gap",
        "at": "2026-09-10T09:00:00Z",
    }


# --- time -----------------------------------------------------------------------------------------------------


def test_time_never_runs_back() -> None:
    partition, _ = run(clock(START, 0), clock(START - DAY, 1))
    assert partition.clock == START


def test_a_transition_carries_the_time_of_the_clock_that_found_it() -> None:
    dated = change(saved(stage="Negotiation/Review", close_date="2026-09-10"), START, 1, 0)
    _, outputs = run(dated, clock(START + HOUR, 1), clock(START + 3 * DAY, 2))
    (alert,) = alerts_of(outputs)
    assert (alert["rule"], alert["at"], alert["opened_at"]) == (
        "past-due-close-date", "2026-09-13T09:00:00Z", "2026-09-13T09:00:00Z",
    )  # fmt: skip


def test_what_fell_due_before_a_change_happens_before_it() -> None:
    """The clock passed the deal's time, but nobody settled it yet when the next change of the deal came."""
    partition = Partition(0, "", {}, compile_text)
    out = partition.apply(
        [
            change(saved(stage="Prospecting", close_date="2026-09-10"), START, 1, 0),
            clock(START + 3 * DAY, 1),
            change(saved(close_date="2026-12-01"), START + 3 * DAY + HOUR, 2, 2),
        ]
    )
    late = [alert["transition"] for alert in alerts_of([out]) if alert["rule"] == "past-due-close-date"]
    assert late == ["opened", "resolved"]


def test_a_deal_that_moved_on_is_not_woken_for_what_it_left_behind() -> None:
    """It would have stood too long in its stage by day 45; it left the stage on day 30."""
    first = change(saved(stage="Prospecting", close_date="2027-06-30"), START, 1, 0)
    moved = change(saved(stage="Qualification"), START + 30 * DAY, 2, 1)
    partition, _ = run(first, moved)
    quiet = [partition.apply([clock(START + 50 * DAY, 2)]), *settle(partition)]
    assert not any(DEAL.encode() in out.states for out in quiet)
    stalled = [partition.apply([clock(START + 76 * DAY, 3)]), *settle(partition)]
    assert {alert["rule"] for alert in alerts_of(stalled)} == {"stage-stall"}


def test_closed_deals_leave_after_their_days() -> None:
    store: dict[bytes, bytes] = {}
    won = change(saved(stage="Closed Won", discount_percent="10"), START, 1, 0)
    partition, _ = run(won, clock(START, 1), clock(START + 100 * DAY - 1, 2), store=store)
    assert DEAL.encode() in store
    out = partition.apply([clock(START + 100 * DAY, 3)])
    states = [o.states for o in [out, *settle(partition)]]
    assert {DEAL.encode(): None}.items() <= {k: v for found in states for k, v in found.items()}.items()
    assert DEAL.encode() not in store


def test_a_deal_that_leaves_takes_its_alerts_with_it() -> None:
    values = {"discount_percent": "10", "stage": "Negotiation/Review", "close_date": "2026-09-28"}
    created = change({**saved(**values), "kind": "created"}, START, 1, 0)
    raised = change(saved(discount_percent="30"), START + 15 * DAY, 2, 1)
    won = change(saved(stage="Closed Won"), START + 16 * DAY, 3, 2)
    partition, outputs = run(created, raised, won, clock(START + 16 * DAY, 3), clock(START + 116 * DAY, 4))
    assert [(alert["rule"], alert["transition"]) for alert in alerts_of(outputs)] == [
        ("late-discount", "opened"), ("late-discount", "resolved"),
    ]  # fmt: skip
    assert not any(Partition(0, "", partition._store, compile_text).open_findings.values())


# --- policy ---------------------------------------------------------------------------------------------------


def test_a_policy_takes_effect_with_its_record() -> None:
    store: dict[bytes, bytes] = {}
    late = change(saved(stage="Negotiation/Review", close_date="2026-09-10"), START, 1, 0)
    off = Record(None, encode_policy("rules: {past-due-close-date: off}", START + 5 * DAY), 3)
    back = Record(None, encode_policy("", START + 6 * DAY), 5)
    _, outputs = run(late, clock(START + 3 * DAY, 1), clock(START + 5 * DAY, 2), off, clock(START + 6 * DAY, 4), back,
                     store=store)  # fmt: skip
    assert [(a["transition"], a["reason"], a["revision"], a["at"]) for a in alerts_of(outputs)] == [
        ("opened", "clock", 1, "2026-09-13T09:00:00Z"),
        ("resolved", "policy", 2, "2026-09-15T09:00:00Z"),
        ("opened", "policy", 3, "2026-09-16T09:00:00Z"),
    ]
    assert Partition(0, "rules: {past-due-close-date: off}", store, compile_text).policy == ""


def test_a_wrong_policy_is_a_dead_letter_and_the_old_one_stays() -> None:
    partition, outputs = run(Record(None, encode_policy("rules: {late-discuont: off}", START), 0))
    (dead,) = [letter for out in outputs for letter in out.dead_letters]
    assert dead.reason == "bad_policy"
    assert "late-discount" in dead.detail
    assert partition.policy == ""


def test_answers_are_counted_by_rule_once() -> None:
    said = [
        ("late-discount", "traded", 1),
        ("late-discount", "traded", 1),
        ("late-discount", "traded", 2),
        ("x", "legal", 3),
    ]
    records = [change(saved(stage="Qualification"), START, 0, 0)]
    for offset, (rule, answer, number) in enumerate(said, start=1):
        event = {"kind": "answer", "answer": answer, "by": "anna", "rule": rule}
        records.append(change(event, START + number * HOUR, number, offset))
    _, outputs = run(*records)
    counts: Counter[tuple[str, str]] = Counter()
    for out in outputs:
        counts.update(out.counts.answers)
    assert counts == {("late-discount", "traded"): 2, ("other", "legal"): 1}
