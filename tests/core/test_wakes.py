"""The index of wake-up times against the plainest one: ask every deal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wellwon.core.units import MINUTE
from wellwon.core.wakes import Wakes

KEYS = [b"a", b"b", b"c", b"d"]
times = st.integers(0, 4 * MINUTE)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("wake"), st.sampled_from(KEYS), times),
        st.tuples(st.just("sleep"), st.sampled_from(KEYS), st.just(-1)),
        st.tuples(st.just("clock"), st.just(b""), times),
    ),
    max_size=40,
)


@given(steps)
def test_a_clock_wakes_just_those_that_are_due_earliest_first(taken: list[tuple[str, bytes, int]]) -> None:
    wakes, due = Wakes(), dict.fromkeys(KEYS, -1)
    for step, key, at in taken:
        if step != "clock":
            if due[key] != at and at >= 0:
                wakes.note(key, at)
            due[key] = at
            continue
        expected = sorted((wake_at, key) for key, wake_at in due.items() if 0 <= wake_at <= at)
        woken = []
        while (found := wakes.next_due(at, due.__getitem__)) is not None:
            woken.append((due[found], found))
            due[found] = -1
        assert woken == expected


def test_a_restored_index_knows_what_it_was_given() -> None:
    due = {b"late": 90_000, b"soon": 1_000}
    wakes = Wakes((wake_at, key) for key, wake_at in due.items())
    assert wakes.next_due(60_000, due.__getitem__) == b"soon"
    due[b"soon"] = -1
    assert wakes.next_due(60_000, due.__getitem__) is None
    assert wakes.next_due(120_000, due.__getitem__) == b"late"
