"""The order in which results become durable, under any order of acknowledgements."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from wellwon.runtime.pipeline import MAX_BYTES, MAX_SLICES, Entry, Pipeline


def entry(end: int, urgent: int, states: int) -> Entry:
    return Entry(end, urgent, {b"%d" % number: b"value" for number in range(states)})


class AnyOrder(RuleBasedStateMachine):
    """Slices come in, acknowledgements of any of them come back, deliveries fail, partitions are taken away."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[Entry] = []
        self.lots: list[list[Entry]] = []
        self.durably: list[Entry] = []
        self.acknowledge: Callable[[], None] | None = None
        self.pipeline = Pipeline(self.write)
        self.all: list[Entry] = []
        self.end = -1
        self.durable_when_let_go: int | None = None

    def write(self, lot: list[Entry], written: Callable[[], None]) -> None:
        assert self.acknowledge is None, "one lot at a time"
        assert lot
        self.lots.append(lot)
        self.written += lot
        self.acknowledge = written

    @rule(urgent=st.integers(0, 3), states=st.integers(0, 3), records=st.integers(0, 5))
    def push(self, urgent: int, states: int, records: int) -> None:
        if records:
            self.end += records
        new = entry(self.end if records else -1, urgent, states)
        if self.durable_when_let_go is None:
            self.all.append(new)
            self.pipeline.push(new)

    @precondition(lambda self: any(e.urgent for e in self.all))
    @rule(data=st.data())
    def acknowledge_an_alert(self, data: st.DataObject) -> None:
        data.draw(st.sampled_from([e for e in self.all if e.urgent])).urgent_done()

    @precondition(lambda self: self.acknowledge is not None)
    @rule()
    def acknowledge_the_states(self) -> None:
        acknowledge, self.acknowledge = self.acknowledge, None
        assert acknowledge is not None
        self.durably += self.lots[-1]
        acknowledge()

    @precondition(lambda self: self.durable_when_let_go is None)
    @rule()
    def let_go(self) -> None:
        self.durable_when_let_go = self.pipeline.durable
        self.pipeline.abandon()

    @invariant()
    def states_go_out_in_order_and_after_the_alerts_before_them(self) -> None:
        order = [self.all.index(e) for e in self.written]
        assert order == sorted(order)
        if self.written and self.durable_when_let_go is None:
            assert not any(e.urgent for e in self.all[: order[-1] + 1])

    @invariant()
    def watermark_never_passes_what_is_not_acknowledged(self) -> None:
        if self.durable_when_let_go is not None:
            assert self.pipeline.durable == self.durable_when_let_go
            return
        expected = -1
        for e in self.all:
            if e.urgent or (e.states and e not in self.durably):
                break
            expected = max(expected, e.end)
        assert self.pipeline.durable == expected

    @invariant()
    def books_balance(self) -> None:
        if self.durable_when_let_go is None:
            pending = self.all[self.pipeline.finished :]
            assert self.pipeline.pushed == len(self.all)
            assert self.pipeline.empty == (not pending)
            assert self.pipeline.bytes == sum(e.bytes for e in pending)
            assert self.pipeline.full == (len(pending) >= MAX_SLICES)


AnyOrder.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestAnyOrder = AnyOrder.TestCase


@given(st.integers(1, MAX_SLICES - 1))
def test_size_bounds_it_before_the_number_of_slices_does(slices: int) -> None:
    pipeline = Pipeline(lambda _lot, _written: None)
    for number in range(slices):
        pipeline.push(Entry(number, 1, {b"key": bytes(MAX_BYTES // slices + 1)}))
    assert pipeline.full


def test_oldest_is_the_first_that_is_not_durable() -> None:
    lots: list[Callable[[], None]] = []
    pipeline = Pipeline(lambda _lot, written: lots.append(written))
    assert pipeline.oldest is None
    times: Iterator[float] = iter([1.0, 2.0])
    first, second = (Entry(end, 0, {b"k": b"v"}, entered=next(times)) for end in (0, 1))
    pipeline.push(first)
    pipeline.push(second)
    assert pipeline.oldest == 1.0
    lots[0]()
    assert pipeline.oldest == 2.0


def test_what_becomes_ready_meanwhile_goes_with_the_next_lot() -> None:
    lots: list[list[Entry]] = []
    acknowledge: list[Callable[[], None]] = []

    def write(lot: list[Entry], written: Callable[[], None]) -> None:
        lots.append(lot)
        acknowledge.append(written)

    pipeline = Pipeline(write)
    finished: list[int] = []
    entries = [Entry(end, 0, {b"k": b"v"}, done=lambda end=end: finished.append(end)) for end in range(4)]  # type: ignore[misc]
    for one in entries:
        pipeline.push(one)
    assert lots == [entries[:1]]
    acknowledge[0]()
    assert (finished, lots[1:]) == ([0], [entries[1:]])
    acknowledge[1]()
    assert (finished, pipeline.durable, pipeline.empty) == ([0, 1, 2, 3], 3, True)


def test_what_is_pushed_when_a_lot_is_durable_goes_out_too() -> None:
    acknowledge: list[Callable[[], None]] = []
    pipeline = Pipeline(lambda _lot, written: acknowledge.append(written))
    pipeline.push(Entry(0, 0, {b"k": b"v"}, done=lambda: pipeline.push(Entry(1, 0, {b"k": b"w"}))))
    acknowledge.pop()()
    assert pipeline.durable == 0
    acknowledge.pop()()
    assert (pipeline.durable, pipeline.empty) == (1, True)
