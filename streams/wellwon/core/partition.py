"""One partition's log, applied in order. The live worker, replay and the oracle of the tests are this same code.

The log holds changes, clock records and policy records. Everything that leaves here is a function of the log and the
policy it started with: replaying it gives the same alerts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, MutableMapping
from dataclasses import replace
from itertools import islice
from typing import Final, Protocol

from wellwon.core import items, records, wire
from wellwon.core.engine import DUPLICATE, LATE, Meter, Step, leaves_at, restore, step
from wellwon.core.items import Change, Clock, DealItem, PolicyRecord
from wellwon.core.model import Ruleset
from wellwon.core.outcome import CHANGE, CLOCK, POLICY, Outcomes
from wellwon.core.output import Output, bump
from wellwon.core.rule import Finding
from wellwon.core.state import (
    CONTROL_KEY,
    PREFIX,
    Held,
    State,
    count_open,
    decode_control,
    encode_control,
    kept_state,
    wake_times,
)
from wellwon.core.stored import Control
from wellwon.core.units import DAY, format_instant
from wellwon.core.wakes import Wakes

FUTURE_MS: Final = DAY
"""A change this far ahead of the partition's clock and of its own record's time has a wrong date; it would push its
deal's time ahead."""


class Record(Protocol):
    """What a log record must offer; aiokafka's ConsumerRecord does."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def offset(self) -> int: ...


Store = MutableMapping[bytes, bytes]
Compile = Callable[[str], Ruleset]
"""Policy text to ruleset; raises for a policy that is wrong."""


ROOM: Final = 25_000

METERED: Final = 16
"""The time that rules take is measured on one slice in this many: measuring costs as much as a cheap rule."""


class Partition:
    """Applies the log of one partition to the deals in ``store``, which it writes as well."""

    def __init__(
        self,
        number: int,
        policy: str,
        store: Store,
        compile_policy: Compile,
        *,
        epoch: int = 0,
        generation: int = 0,
        seconds: Callable[[], float] | None = None,
    ) -> None:
        self.number = number
        self.epoch = epoch
        self.generation = generation
        self.clock = 0
        self._store = store
        self._compile = compile_policy
        self._clocks: list[int] = []
        self._policy_queue: list[bytes] = []
        self._wakes = Wakes()
        self._held: dict[bytes, Held] = {}
        """Deals in memory, the longest there first; what is not here is decoded when it is held."""
        self._changed: dict[bytes, Held] = {}
        """Deals that changed and are not written yet."""
        self._control_changed = False
        self._policy_at = 0
        self._applied = -1
        """The last offset applied."""
        self._seconds = seconds
        self._meter: Meter | None = None
        self._slices = 0
        self.room = ROOM
        """How many deals are held in memory decoded."""
        self._use(policy)
        self.restored()

    # --- policy and restoring ---------------------------------------------------------------------------------

    def _use(self, policy: str) -> None:
        self.policy = policy
        self.ruleset = self._compile(policy)
        self._held.clear()  # what a change means may be different now
        self._outcomes = Outcomes(self.ruleset)

    def restored(self) -> None:
        """Take up what the store holds: call it after the store was filled."""
        self._held.clear()
        control = self._store.get(CONTROL_KEY)
        self._clocks, self._policy_queue = [], []
        if control is not None:
            saved = decode_control(control)
            _, epoch, _, offset, _ = PREFIX.unpack_from(control)
            self._applied = offset if epoch == self.epoch else -1
            self._clocks = saved.clocks
            self.clock = max(saved.clocks, default=0)
            self._policy_at = saved.policy_at
            if saved.policy != self.policy:
                self._use(saved.policy)
            if saved.policy_spreads:
                self._policy_queue = self._deals()
            del self._store[CONTROL_KEY]
        self.open_findings = count_open(self._store.values())
        self._wakes = Wakes(zip(wake_times(self._store.values()), self._store, strict=True))
        if control is not None:
            self._store[CONTROL_KEY] = control

    def _deals(self) -> list[bytes]:
        return [key for key in self._store if key[:1] != b"\0"]

    @property
    def period_end(self) -> int:
        """When the clock's period ends, ms; 0 before the first clock record."""
        return self.ruleset.calendar.period_of(self.clock).end_at if self.clock else 0

    # --- applying ---------------------------------------------------------------------------------------------

    def apply(self, slice_: Iterable[Record]) -> Output:
        """Apply a slice of the log, in order."""
        out = Output()
        self._slices += 1
        if self._seconds is not None and self._slices % METERED == 1:
            self._meter = Meter(self._seconds)
        for record in slice_:
            out.end_offset = record.offset
            if record.offset <= self._applied:
                out.counts.skipped += 1  # before a restart; its whole effect is in the states
                continue
            self._applied = record.offset
            key: bytes | None = record.key
            value: bytes | None = record.value
            offset = record.offset
            if value is None:
                out.reject(key, value, offset, "null_value", "the record has no value")
                continue
            try:
                decoded = wire.decode(value)
            except wire.DecodeError as error:
                out.reject(key, value, offset, error.reason, error.detail)
                continue
            item = decoded.item
            if isinstance(item, Clock):
                self._tick(out, item.at)
            elif isinstance(item, PolicyRecord):
                self._new_policy(out, item, key, value, offset)
            else:
                self._change(out, key, value, offset, decoded, item, getattr(record, "timestamp", 0))
        self._finish(out)
        if self._meter is not None:
            out.counts.rule_seconds = {rule: spent * METERED for rule, spent in self._meter.seconds.items()}
            self._meter = None
        return out

    def _change(
        self,
        out: Output,
        key: bytes | None,
        value: bytes,
        offset: int,
        decoded: wire.Decoded,
        item: DealItem,
        written_at: int,
    ) -> None:
        deal_key = decoded.opportunity_id.encode()
        if key != deal_key:
            reason, detail = (
                ("empty_key", "the record has no key")
                if not key
                else ("key_mismatch", f"key {key!r} is not the opportunity_id {decoded.opportunity_id!r}")
            )
            out.reject(key, value, offset, reason, f"{detail}: changes are keyed by opportunity id")
            return
        if self.clock and item.at > max(self.clock, written_at) + FUTURE_MS:
            ahead = f"occurred_at {format_instant(item.at)} is ahead of the clock {format_instant(self.clock)}"
            out.reject(key, value, offset, "in_the_future", ahead)
            return
        held = self._touch(deal_key)
        if offset <= held.offset:
            out.counts.skipped += 1
            return
        bump(out.counts.changes, (decoded.source, decoded.kind))
        state, before = held.state, None
        if state is not None:
            if state.policy != self.ruleset.mark or 0 <= state.wake_at <= self.clock:
                self._settle_or_skip(out, deal_key, held)
                state = held.state
            before = None if state is None else state.kept()
        try:
            done = step(state, item, self.ruleset, self.clock, self._meter)
            held.offset = offset
            if done.outcome == DUPLICATE:
                out.counts.duplicates += 1
                return
            self._keep(deal_key, held, self._outcomes.conclude(out, deal_key, done, CHANGE, (key, value, offset)))
        except Exception as error:
            # A value that the core cannot digest must not stop the others; the state is as before.
            held.state = None if before is None else restore(kept_state(before), self.ruleset)
            out.reject(key, value, offset, "not_applied", f"{type(error).__name__}: {error}")
            return
        if done.outcome == LATE:
            out.counts.late += 1
        if decoded.kind == items.ANSWER:
            self._count_answer(out, item)
        elif decoded.kind == items.GAP:
            out.rereads.append((deal_key, records.reread_record(decoded.opportunity_id, decoded.source, item.at)))

    def _count_answer(self, out: Output, item: DealItem) -> None:
        assert isinstance(item, Change)
        rule = str(item.values["rule"])
        bump(out.counts.answers, (rule if self._outcomes.family(rule) else "other", str(item.values["answer"])))

    def _touch(self, key: bytes) -> Held:
        held = self._held.get(key)
        if held is None:
            stored = self._store.get(key)
            if stored is None:
                held = Held(None, -1)
            else:
                held = Held.decode(stored, self.epoch)
                assert held.state is not None
                restore(held.state, self.ruleset)
            self._held[key] = held
        return held

    def _keep(self, key: bytes, held: Held, state: State | None) -> None:
        """Take over a new state; None when the deal leaves."""
        held.state = state
        self._changed[key] = held

    # --- time -------------------------------------------------------------------------------------------------

    def _tick(self, out: Output, at: int) -> None:
        out.counts.clocks += 1
        if at > self.clock:
            self._clocks.append(at)
            self.clock = at
            self._control_changed = True

    def _new_policy(self, out: Output, item: PolicyRecord, key: bytes | None, value: bytes, offset: int) -> None:
        try:
            self._compile(item.policy)
        except Exception as error:
            out.reject(key, value, offset, "bad_policy", str(error))
            return
        self._control_changed = True
        if item.policy == self.policy:
            return  # every worker announces its policy; only a new one changes anything
        self._flush(out)  # the wakes of this slice's deals must be known
        while self._settle_some(out):
            pass  # what fell due before belongs to the old policy
        self._use(item.policy)
        self._policy_at = self.clock or item.at
        self._flush(out)
        self._policy_queue = self._deals()

    def settle(self, deals: int = 50) -> Output | None:
        """Settle a chunk of the deals that are due by the clocks read; None when none is.

        The caller decides how many chunks it has time for.
        """
        out = Output()
        if not self._settle_some(out, deals):
            if self._control_changed:
                self._finish(out)
                return out
            return None
        self._finish(out)
        return out

    def _settle_some(self, out: Output, deals: int = 1_000) -> bool:
        left = deals
        while left and self._policy_queue:
            key = self._policy_queue.pop()
            left -= 1
            if key in self._store or key in self._changed:
                self._settle_or_skip(out, key, self._touch(key))
            if not self._policy_queue:
                self._control_changed = True
        while left and self._clocks:
            due = self._wakes.next_due(self._clocks[0], self._wake_of)
            if due is None:
                if len(self._clocks) == 1:
                    break
                self._clocks.pop(0)
                self._control_changed = True
                continue
            left -= 1
            held = self._touch(due)
            held.noted = -1
            self._settle_or_skip(out, due, held)
        return left < deals

    def _settle_or_skip(self, out: Output, key: bytes, held: Held) -> None:
        try:
            self._settle_deal(out, key, held)
        except Exception as error:
            # The deal sleeps until it changes; the others go on.
            out.reject(key, None, -1, "not_settled", f"{type(error).__name__}: {error}")
            if held.state is not None:
                self._keep(key, held, replace(held.state, wake_at=-1, policy=self.ruleset.mark))

    def _wake_of(self, key: bytes) -> int:
        """When a deal wakes, for the index, which notes it there."""
        held = self._held.get(key)
        if held is not None:
            held.noted = held.state.wake_at if held.state is not None else -1
            return held.noted
        stored = self._store.get(key)
        return -1 if stored is None else int(PREFIX.unpack_from(stored)[4])

    def _settle_deal(self, out: Output, key: bytes, held: Held) -> None:
        """Before anything else happens to a deal, what fell due before happens, at the clock by which it fell due."""
        state = held.state
        if state is None:
            return
        if state.policy != self.ruleset.mark and self._policy_at:
            done = step(state, Clock(self._policy_at), self.ruleset)
            self._keep(key, held, self._outcomes.conclude(out, key, done, POLICY))
            state = held.state
        if state is None or not 0 <= state.wake_at <= self.clock:
            return
        for clock in tuple(self._clocks):
            state = held.state
            if state is None or not 0 <= state.wake_at <= clock:
                continue
            if 0 <= leaves_at(state.now, self.ruleset) <= clock:
                self._leave(out, key, held, clock)
                return
            done = step(state, Clock(clock), self.ruleset)
            self._keep(key, held, self._outcomes.conclude(out, key, done, CLOCK))

    def _leave(self, out: Output, key: bytes, held: Held, at: int) -> None:
        state = held.state
        assert state is not None
        findings: dict[str, Finding | None] = dict.fromkeys(a.rule for a in state.alerts if not a.closed_at)
        state.at = at
        self._outcomes.conclude(out, key, Step(state, findings), CLOCK)
        self._keep(key, held, None)

    # --- the store --------------------------------------------------------------------------------------------

    def _finish(self, out: Output) -> None:
        self._flush(out)
        if self._control_changed:
            # Last: where this is durable, so is every state that it presupposes.
            control = Control(self._clocks, self.policy, self._policy_at, bool(self._policy_queue))
            value = encode_control(control, epoch=self.epoch, generation=self.generation, offset=self._applied)
            self._store[CONTROL_KEY] = out.states[CONTROL_KEY] = value
            self._control_changed = False

    def _flush(self, out: Output) -> None:
        """Encode the deals that changed, once each however often a slice touched them."""
        store, states, epoch, generation = self._store, out.states, self.epoch, self.generation
        for key, held in self._changed.items():
            state = held.state
            if state is None:
                store.pop(key, None)
                states[key] = None
                held.noted = -1
                continue
            try:
                store[key] = states[key] = held.encode(epoch, generation)
            except Exception as error:
                del self._held[key]  # as it was before
                out.reject(key, None, held.offset, "not_stored", f"{type(error).__name__}: {error}")
                continue
            if state.wake_at < 0:
                held.noted = -1
            elif not 0 <= held.noted <= state.wake_at:
                held.noted = state.wake_at
                self._wakes.note(key, state.wake_at)
        self._changed.clear()
        if len(self._held) > self.room:
            for key in list(islice(self._held, len(self._held) - self.room * 3 // 4)):
                del self._held[key]
