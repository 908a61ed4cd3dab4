"""The queue before a sink, under any order of answers: nothing lost, order per deal, pace, patience."""

from __future__ import annotations

import itertools
from collections import defaultdict

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from wellwon.runtime.lanes import LAST_RETRY_S, TRIPS_AT, Lane, Place

PACE, PARALLEL = 1.0, 3


class AnyAnswers(RuleBasedStateMachine):
    """Messages come in; the sink takes some, is late, refuses; time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.lane = Lane(PACE, PARALLEL, lambda: 1.0)
        self.now = 0.0
        self.offered: dict[bytes, list[str]] = defaultdict(list)
        self.taken: dict[bytes, list[str]] = defaultdict(list)
        self.under_way: list[Place] = []
        self.began: dict[str, list[float]] = defaultdict(list)
        self.number = 0

    @rule(deal=st.sampled_from((b"a", b"b", b"c", b"d")), address=st.sampled_from(("x", "y")))
    def offer(self, deal: bytes, address: str) -> None:
        self.number += 1
        assert self.lane.offer((deal, str(self.number), address))
        self.offered[deal].append(str(self.number))

    @rule()
    def begin(self) -> None:
        while (place := self.lane.next(self.now)) is not None:
            self.under_way.append(place)
            self.began[place[2]].append(self.now)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def take(self, data: st.DataObject) -> None:
        place = data.draw(st.sampled_from(self.under_way))
        self.under_way.remove(place)
        self.taken[place[0]].append(place[1])
        self.lane.done(place[0])

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), seconds=st.sampled_from((0.0, 0.0, 30.0)))
    def fail(self, data: st.DataObject, seconds: float) -> None:
        place = data.draw(st.sampled_from(self.under_way))
        self.under_way.remove(place)
        self.lane.failed(place[0], self.now, seconds)

    @rule(seconds=st.sampled_from((0.1, 1.0, 10.0, 100.0)))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def a_deal_has_one_message_under_way(self) -> None:
        assert len({place[0] for place in self.under_way}) == len(self.under_way) <= PARALLEL

    @invariant()
    def deals_keep_their_order(self) -> None:
        for deal, taken in self.taken.items():
            assert taken == self.offered[deal][: len(taken)]

    @invariant()
    def an_address_gets_one_message_a_second(self) -> None:
        for times in self.began.values():
            assert all(later - before >= PACE for before, later in itertools.pairwise(times))

    def teardown(self) -> None:
        """A sink that is well again gets everything within a bounded time."""
        for place in self.under_way:
            self.lane.done(place[0])
            self.taken[place[0]].append(place[1])
        for _ in range(10 + 2 * self.number):
            self.now += LAST_RETRY_S
            while (place := self.lane.next(self.now)) is not None:
                self.taken[place[0]].append(place[1])
                self.lane.done(place[0])
        assert self.taken == self.offered
        assert self.lane.length == 0


AnyAnswers.TestCase.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
test_any_answers = AnyAnswers.TestCase


def test_a_channel_gets_one_message_a_second() -> None:
    lane, now, sent = Lane(1.0, 8, lambda: 0.0), 0.0, []
    for number in range(100):
        lane.offer((b"%d" % number, str(number), "C01"))
    while lane.length:
        while (place := lane.next(now)) is not None:
            sent.append((now, place[1]))
            lane.done(place[0])
        now += 0.25
    assert [number for _, number in sent] == [str(number) for number in range(100)]
    assert all(later[0] - before[0] >= 1.0 for before, later in itertools.pairwise(sent))


def test_a_sink_that_fails_again_and_again_is_only_probed() -> None:
    lane, now, attempts = Lane(0.0, 10, lambda: 1.0), 0.0, 0
    for number in range(1_000):
        lane.offer((b"%d" % number, str(number), ""))
    while now < 600:
        while (place := lane.next(now)) is not None:
            attempts += 1
            lane.failed(place[0], now)
        now += 0.1
    assert lane.open_circuit
    assert TRIPS_AT < attempts < 40
    lane.next(now + 60)
    assert lane.length == 1_000


def test_retry_after_is_honoured_by_all_that_wait() -> None:
    lane = Lane(0.0, 10, lambda: 0.0)
    for number in range(3):
        lane.offer((b"%d" % number, str(number), ""))
    first = lane.next(0.0)
    assert first is not None
    lane.failed(first[0], 0.0, 30.0)
    assert lane.next(29.9) is None
    assert lane.next(30.0) is not None
