"""The rollup: what holds for owners and teams, from the facts of their deals.

Facts come from all partitions of the log, and Kafka orders nothing across partitions. So nothing is judged when it
arrives: at each full hour that every partition has passed (its marks say so), owners and teams are judged by the facts
from before that hour. What is told is therefore a function of the facts and not of the order in which they came, and
the same live, in a replay, and after a crash.

An owner or team keeps its alerts, and the hour of the last judgement that changed one, so that judging an hour again
after a crash changes nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, Final, Protocol

import msgspec

from wellwon.core import lifecycle, records
from wellwon.core.calendar import Period
from wellwon.core.counting import count_transitions
from wellwon.core.facts import FACTS_SCHEMA, Batch, Fact, Mark, read
from wellwon.core.holdings import Holdings
from wellwon.core.items import PolicyRecord
from wellwon.core.model import Ruleset
from wellwon.core.output import Output, bump
from wellwon.core.rule import Finding
from wellwon.core.state import CONTROL_KEY, PREFIX, VERSION, read_prefix
from wellwon.core.stored import AlertState
from wellwon.core.tallies import Tallies, Tally
from wellwon.core.units import HOUR

FACTS: Final = "facts"
"""Reason of what opens or changes: the deals did."""
POLICY: Final = "policy"

SUBJECT: Final = b"\0subject:"
"""What the key of an owner's or a team's alerts begins with, in the store; a deal's is its id."""


class Record(Protocol):
    """What a record of the facts must offer."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def offset(self) -> int: ...


class _Subject(msgspec.Struct, array_like=True):
    """An owner or a team: its alerts, and the hour of the last judgement that changed one."""

    judged_at: int
    alerts: tuple[AlertState, ...]


class _Control(msgspec.Struct, array_like=True):
    """What a rollup knows beside facts and alerts."""

    judged_at: int
    marks: dict[int, int]
    """By partition of the log, how far it has come."""
    policy: str
    policy_at: int
    """When that policy took effect for the deals; 0 for the one that the rollup began with."""
    policy_spreads: bool
    """The next judgement is the first under a new policy."""


_encode = msgspec.msgpack.Encoder().encode
_decode_facts = msgspec.msgpack.Decoder(tuple[Fact, ...]).decode
_decode_subject = msgspec.msgpack.Decoder(_Subject).decode
_decode_control = msgspec.msgpack.Decoder(_Control).decode


class Rollup:
    """Applies the facts to what is in ``store``, which it writes as well."""

    def __init__(
        self,
        policy: str,
        store: MutableMapping[bytes, bytes],
        compile_policy: Callable[[str], Ruleset],
        *,
        epoch: int = 0,
        generation: int = 0,
    ) -> None:
        self.epoch = epoch
        self.generation = generation
        self._store = store
        self._compile = compile_policy
        self._offset = -1
        self._swept = -1
        """The period in which the deals of older ones were let go."""
        written = store.get(CONTROL_KEY)
        self._control = _Control(0, {}, policy, 0, False) if written is None else _decode_control(_body(written))
        self._floor = self._control.judged_at
        """The hour up to which no judgement is repeated after a crash."""
        self._ruleset = compile_policy(self._control.policy)
        self._holdings = Holdings(self._ruleset)
        self._subjects: dict[str, _Subject] = {}
        self.open_findings: dict[tuple[str, str, str], int] = {}
        self._restore()

    def _restore(self) -> None:
        for key, value in self._store.items():
            if key.startswith(SUBJECT):
                subject = _decode_subject(_body(value))
                self._subjects[key[len(SUBJECT) :].decode()] = subject
                for alert in subject.alerts:
                    if not alert.closed_at:
                        bump(self.open_findings, (alert.rule, alert.severity, alert.segment))
            elif not key.startswith(b"\0"):
                self._holdings.restore(key, _decode_facts(_body(value)), self._floor)
        self._gather()

    def _gather(self) -> None:
        """Who has which deals, anew; everyone is judged at the next hour."""
        judged_at = self._control.judged_at
        self._holdings.gather(self._ruleset, judged_at)
        self._tallies = Tallies(self._ruleset)
        self._modes = {active.spec.name: active.mode for active in self._ruleset.group_rules}
        self._wakes: list[tuple[int, str]] = []
        self._wake: dict[str, int] = {}
        for subject in dict.fromkeys((*self._holdings.subjects, *self._subjects)):
            self._wakes_at(subject, judged_at + HOUR)

    @property
    def policy(self) -> str:
        """The text of the policy in force."""
        return self._control.policy

    @property
    def clock(self) -> int:
        """The hour of the last judgement."""
        return self._control.judged_at

    @property
    def period_end(self) -> int:
        """When the clock's period ends, ms; 0 before the first judgement."""
        return self._ruleset.calendar.period_of(self.clock).end_at if self.clock else 0

    # --- applying -------------------------------------------------------------------------------------------------

    def apply(self, slice_: Iterable[Record]) -> Output:
        """Apply a slice of the facts, in order."""
        out = Output()
        self._floor = self._control.judged_at
        before = _encode(self._control)
        for record in slice_:
            out.end_offset = self._offset = record.offset
            key: bytes | None = record.key
            value: bytes | None = record.value
            if value is None:
                out.reject(key, value, record.offset, "null_value", "the record has no value")
                continue
            try:
                item = read(value)
            except ValueError as error:
                detail = f"this is no {FACTS_SCHEMA}: {type(error).__name__}: {error}"
                out.reject(key, value, record.offset, "not_a_fact", detail)
                continue
            if isinstance(item, Batch):
                for fact in item.facts:
                    if self._holdings.take(fact, self._floor, self._control.judged_at):
                        deal = fact.deal.encode()
                        self._put(out, deal, self._holdings.facts[deal])
            elif isinstance(item, Mark):
                self._pass(out, item)
            else:
                self._new_policy(out, item, key, value)
        if _encode(self._control) != before or CONTROL_KEY not in self._store:
            # Last: where this is durable, so is everything that it presupposes.
            self._put(out, CONTROL_KEY, self._control)
        return out

    def settle(self) -> Output | None:
        """Nothing falls due between marks."""
        return None

    def _pass(self, out: Output, mark: Mark) -> None:
        control = self._control
        control.marks[mark.partition] = max(mark.at, control.marks.get(mark.partition, -1))
        until = min(control.marks.get(number, -1) for number in range(mark.partitions)) // HOUR * HOUR
        while (hour := self._next_hour()) is not None and hour <= until:
            self._judge(out, hour)
        control.judged_at = max(until, control.judged_at)

    def _next_hour(self) -> int | None:
        """The next hour at which anything can change."""
        while self._wakes and self._wake.get(self._wakes[0][1]) != self._wakes[0][0]:
            heapq.heappop(self._wakes)
        hours = [hour for hour, _ in self._wakes[:1]]
        if (next_hour := self._holdings.next_hour) is not None:
            hours.append(next_hour)
        return min(hours, default=None)

    def _wakes_at(self, subject: str, hour: int) -> None:
        self._wake[subject] = hour
        heapq.heappush(self._wakes, (hour, subject))

    def _new_policy(self, out: Output, item: PolicyRecord, key: bytes | None, value: bytes) -> None:
        """Take up the policy that the deals have. Each partition says so; one that is behind says an older one."""
        control = self._control
        if item.at <= control.policy_at:
            return
        try:
            ruleset = self._compile(item.policy)
        except Exception as error:
            out.reject(key, value, self._offset, "bad_policy", str(error))
            return
        control.policy_at = item.at
        if item.policy != control.policy:
            self._ruleset = ruleset
            control.policy, control.policy_spreads = item.policy, True
            self._gather()

    # --- judging --------------------------------------------------------------------------------------------------

    def _judge(self, out: Output, hour: int) -> None:
        """Judge whoever has new facts or is due, by the facts from before this hour."""
        control = self._control
        control.judged_at = hour
        concerned = self._holdings.come_to(hour)
        while self._wakes and self._wakes[0][0] <= hour:
            at, subject = heapq.heappop(self._wakes)
            if self._wake.get(subject) == at:
                concerned.setdefault(subject, records.EXPIRED)
        now = self._ruleset.calendar.period_of(hour)
        periods = self._ruleset.calendar.period_of_day(now.start_day - 1), now
        for subject in sorted(concerned):
            self._judge_subject(out, subject, hour, periods, POLICY if control.policy_spreads else concerned[subject])
        control.policy_spreads = False
        self._sweep(out)

    def _judge_subject(self, out: Output, subject: str, hour: int, periods: tuple[Period, Period], ended: str) -> None:
        """Ask about the current period and the one before it; what is open of older ones ends."""
        known = self._subjects.get(subject, _Subject(-1, ()))
        findings: dict[str, dict[str, Finding | None]] = {period.label: {} for period in periods}
        for alert in known.alerts:
            if not alert.closed_at:
                findings.setdefault(alert.period, {})[alert.rule] = None
        deals, touched = self._holdings.of(subject), self._holdings.touched(subject)
        wakes = [one.ends_at for one in self._ruleset.exemptions if one.ends_at > hour] if deals else []
        for period, tally in self._tallies.of(subject, periods, touched, deals, hour):
            self._ask(out, tally, hour, findings[period.label])
            if tally.wake_at > hour:
                wakes.append(tally.wake_at)
        alerts, transitions = known.alerts, list[lifecycle.Transition]()
        by_label = {period.label: period for period in periods}
        for label, found in findings.items():
            if not found:
                continue
            changed, told = lifecycle.reconcile(
                tuple(alert for alert in known.alerts if alert.period == label),
                found,
                self._modes,
                deal=subject,
                period=by_label.get(label, periods[-1]),
                at=hour,
                reason=POLICY if ended == POLICY else FACTS,
                resolved_reason=ended,
            )
            if told:
                alerts = (*(alert for alert in alerts if alert.period != label), *changed)
                transitions += told
        self._wake.pop(subject, None)
        if wakes:
            self._wakes_at(subject, -(-min(wakes) // HOUR) * HOUR)
        if transitions and hour > known.judged_at:
            self._tell(out, subject, known.alerts, transitions, hour)
            self._subjects[subject] = _Subject(hour, alerts)
            self._put(out, SUBJECT + subject.encode(), self._subjects[subject])

    def _ask(self, out: Output, tally: Tally, hour: int, findings: dict[str, Finding | None]) -> None:
        """Put into ``findings`` what a rule finds, and what it no longer does; nothing if its last answer stands."""
        spec = tally.rule.spec
        if not tally.is_due(hour):
            findings.pop(spec.name, None)
            return
        view = tally.view(hour)
        try:
            finding: Finding | None = spec.check(view, tally.rule.params)
        except Exception as error:
            findings.pop(spec.name, None)
            out.reject(None, None, self._offset, "rule_failed", f"{type(error).__name__}: {error}", spec.name)
        else:
            if finding is not None or spec.name in findings:
                findings[spec.name] = finding
        tally.changed, tally.wake_at = False, view.wake_at

    def _tell(
        self,
        out: Output,
        subject: str,
        before: tuple[AlertState, ...],
        transitions: list[lifecycle.Transition],
        hour: int,
    ) -> None:
        count_transitions(out.counts, before, transitions, hour)
        for transition in transitions:
            out.alerts.append((subject.encode(), records.group_alert_record(subject, transition, hour)))

    # --- the store ------------------------------------------------------------------------------------------------

    def _sweep(self, out: Output) -> None:
        """A period has begun: what was closed before the last one is counted by no rule any more."""
        if not self._floor:
            return
        calendar = self._ruleset.calendar
        period = calendar.period_of(self._floor)
        if period.index == self._swept:
            return
        self._swept = period.index
        last = calendar.period_of_day(period.start_day - 1)
        gone = self._holdings.forget_closed(last.start_at)
        self._tallies.forget(but=self._holdings.subjects)
        for subject, known in list(self._subjects.items()):
            if all(alert.closed_at and alert.forget_at <= last.end_at for alert in known.alerts):
                del self._subjects[subject]
                gone.append(SUBJECT + subject.encode())
        for key in gone:
            self._store.pop(key, None)
            out.states[key] = None

    def _put(self, out: Output, key: bytes, body: Any) -> None:
        head = PREFIX.pack(VERSION, self.epoch, self.generation, self._offset, -1)
        self._store[key] = out.states[key] = head + _encode(body)


def _body(value: bytes) -> memoryview:
    read_prefix(value)
    return memoryview(value)[PREFIX.size :]
