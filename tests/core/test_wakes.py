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


class Noted:
    """What the owner of an index remembers: when each deal wakes, and for which instant it is noted."""

    def __init__(self) -> None:
        self.wakes = Wakes()
        self.due = dict.fromkeys(KEYS, -1)
        self.noted = dict.fromkeys(KEYS, -1)

    def set(self, key: bytes, at: int) -> None:
        self.due[key] = at
        if at < 0:
            self.noted[key] = -1
        elif not 0 <= self.noted[key] <= at:
            self.noted[key] = at
            self.wakes.note(key, at)

    def wake_of(self, key: bytes) -> int:
        self.noted[key] = self.due[key]
        return self.due[key]

    def woken(self, clock: int) -> list[tuple[int, bytes]]:
        woken = []
        while (found := self.wakes.next_due(clock, self.wake_of)) is not None:
            woken.append((self.due[found], found))
            self.noted[found] = -1
            self.set(found, -1)
        return woken


@given(steps)
def test_a_clock_wakes_just_those_that_are_due_earliest_first(taken: list[tuple[str, bytes, int]]) -> None:
    deals = Noted()
    for step, key, at in taken:
        if step != "clock":
            deals.set(key, at)
            continue
        expected = sorted((wake_at, key) for key, wake_at in deals.due.items() if 0 <= wake_at <= at)
        assert deals.woken(at) == expected


def test_an_instant_that_moves_on_with_every_change_is_kept_once() -> None:
    deals = Noted()
    for at in range(MINUTE, 1_000 * MINUTE, MINUTE):
        deals.set(b"a", at)
    asked: list[bytes] = []
    deals.wakes.next_due(1_000 * MINUTE, lambda key: asked.append(key) or -1)  # type: ignore[func-returns-value]
    assert asked == [b"a"]


def test_a_restored_index_knows_what_it_was_given() -> None:
    due = {b"late": 90_000, b"soon": 1_000}
    wakes = Wakes((wake_at, key) for key, wake_at in due.items())
    assert wakes.next_due(60_000, due.__getitem__) == b"soon"
    due[b"soon"] = -1
    assert wakes.next_due(60_000, due.__getitem__) is None
    assert wakes.next_due(120_000, due.__getitem__) == b"late"
