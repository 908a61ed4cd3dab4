"""The stored form of a deal: it comes back as it was, and it is small."""

from __future__ import annotations

import statistics
from dataclasses import MISSING, fields
from inspect import signature

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from histories import DEAL, History, Record, histories
from wellwon.core.deal import MOVES_KEPT, TOUCHES_KEPT, Deal, annual, remember, standing
from wellwon.core.engine import restore
from wellwon.core.moves import COUNTS, NOT_A_PERSON, WHY, DateMove
from wellwon.core.partition import Partition
from wellwon.core.state import PREFIX, NewerState, State, count_open, decode_state, encode_state, new_state, read_prefix
from wellwon.core.stored import decode_deal, encode_deal
from wellwon.policy import compile_text
from wellwon.simulate.organisation import policy_text
from wellwon.simulate.stream import Simulation


def stored(history: History) -> bytes:
    """The deal's value in the store after its history."""
    store: dict[bytes, bytes] = {}
    partition = Partition(3, history.policy, store, compile_text, epoch=2, generation=9)
    partition.apply(history.records)
    while partition.settle() is not None:
        pass
    return store[DEAL.encode()]


@settings(max_examples=100)
@given(histories())
def test_a_state_comes_back_as_it_was(history: History) -> None:
    value = stored(history)
    ruleset = compile_text(history.policy)
    state = restore(decode_state(value), ruleset)
    prefix = read_prefix(value)
    assert (prefix.epoch, prefix.generation, prefix.wake_at) == (2, 9, state.wake_at)
    again = encode_state(state, epoch=2, generation=9, offset=prefix.offset)
    assert again == value
    assert msgspec.to_builtins(restore(decode_state(again), ruleset)) == msgspec.to_builtins(state)


@settings(max_examples=50)
@given(histories())
def test_open_alerts_are_counted_without_decoding_the_rest(history: History) -> None:
    value, expected = stored(history), {}
    for alert in decode_state(value).alerts:
        if not alert.closed_at:
            kind = (alert.rule, alert.severity, alert.segment)
            expected[kind] = expected.get(kind, 0) + 2
    assert count_open([value, value]) == expected


def test_a_deal_takes_a_kilobyte() -> None:
    log = [Record(item.key, item.value, offset) for offset, item in enumerate(Simulation(3, 150, changes_per_deal=8.0))]
    store: dict[bytes, bytes] = {}
    partition = Partition(0, policy_text(), store, compile_text)
    for start in range(0, len(log), 50):
        partition.apply(log[start : start + 50])
    sizes = sorted(map(len, store.values()))
    assert statistics.median(sizes) <= 1024
    assert sizes[len(sizes) * 99 // 100] <= 1536


@settings(max_examples=50)
@given(histories(most=120))
def test_histories_are_bounded(history: History) -> None:
    state = restore(decode_state(stored(history)), compile_text(history.policy))
    deal = state.now
    assert max(map(len, (deal.dates, deal.prices, deal.amounts, deal.categories))) <= MOVES_KEPT
    assert len(deal.touches) <= TOUCHES_KEPT
    for moves in (deal.dates, deal.prices, deal.amounts, deal.stages, deal.categories):
        assert [move.at for move in moves] == sorted(move.at for move in moves)
        assert all(move.why in WHY for move in moves)


def test_a_newer_version_is_refused_with_what_to_do() -> None:
    value = encode_state(new_state(), epoch=0, generation=0, offset=1)
    with pytest.raises(NewerState, match="run the newer version"):
        decode_state(b"\x02" + value[1:])


def test_a_deal_of_an_older_code_lacks_its_last_fields() -> None:
    """Fields are appended with defaults: what an older wellwon stored can be read."""
    deal = Deal(name="Acme", stage="Prospecting")
    shorter = msgspec.msgpack.encode(msgspec.msgpack.decode(encode_deal(deal))[:-3])
    assert decode_deal(shorter) == deal


def test_the_prefix_is_readable_without_the_rest() -> None:
    value = encode_state(State(new_state().base, (), Deal(), wake_at=77), epoch=1, generation=2, offset=3)
    assert PREFIX.unpack_from(value) == (1, 1, 2, 3, 77)


# --- histories ------------------------------------------------------------------------------------------------


def move(at: int, why: int = COUNTS) -> DateMove:
    return DateMove(at, at, at - 1, at, why)


@given(st.lists(st.sampled_from((COUNTS, NOT_A_PERSON)), max_size=60))
def test_one_chatty_field_pushes_no_behaviour_out(whys: list[int]) -> None:
    kept: tuple[DateMove, ...] = ()
    for at, why in enumerate(whys, start=1):
        kept = remember(kept, move(at, why), 12)
        assert len(kept) <= 12
    behaviour = [at for at, why in enumerate(whys, start=1) if why == COUNTS]
    # The newest is always kept, whatever it is; of the others, what counts.
    room = 12 if not whys or whys[-1] == COUNTS else 11
    assert [one.at for one in kept if one.why == COUNTS] == behaviour[-room:]


def test_what_stood_just_before_an_instant() -> None:
    moves = (DateMove(10, 1, None, 1, COUNTS), DateMove(20, 2, 1, 2, COUNTS), DateMove(30, 3, 2, 3, COUNTS))
    assert [standing(moves, at, 3) for at in (5, 10, 11, 20, 21, 30, 31)] == [None, None, 1, 1, 2, 2, 3]


def test_amounts_are_a_years() -> None:
    assert [annual(3600, term) for term in (None, 0, 6, 12, 24, 36)] == [3600, 3600, 3600, 3600, 1800, 1200]
    assert annual(None, 36) is None


def test_a_new_deal_is_what_its_fields_say() -> None:
    """Its constructor is written out: it has the fields in their order, and their defaults."""
    assert list(signature(Deal).parameters) == [one.name for one in fields(Deal)]
    new = Deal()
    for one in fields(Deal):
        value = one.default_factory() if one.default_factory is not MISSING else one.default
        assert getattr(new, one.name) == value, one.name
    assert Deal().labels is not new.labels
    numbered = Deal(*range(len(fields(Deal))))  # type: ignore[arg-type]
    assert [getattr(numbered, one.name) for one in fields(Deal)] == list(range(len(fields(Deal))))
