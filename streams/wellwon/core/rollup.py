"""The rollup: what holds for owners and teams, from the facts of their deals.

Facts come from all partitions of the log, and Kafka orders nothing across partitions. So nothing is judged when it
arrives: at each full hour that every partition has passed (its marks say so), owners and teams are judged by the facts
from before that hour. What is told is therefore a function of the facts and not of the order in which they came, and
the same live, in a replay, and after a crash.

A deal keeps the fact that holds, and newer ones whose hour has not come. An owner or team keeps its alerts, and the
hour of the last judgement that changed one, so that judging an hour again after a crash changes nothing.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any, Final, Protocol

import msgspec

from wellwon.core import facts, items, lifecycle, records
from wellwon.core.calendar import Period
from wellwon.core.facts import Fact, Mark
from wellwon.core.group import GroupView, subjects_of
from wellwon.core.model import OPEN, Ruleset
from wellwon.core.output import Output, bump
from wellwon.core.rule import Finding
from wellwon.core.state import CONTROL_KEY, PREFIX, VERSION, AlertState, read_prefix
from wellwon.core.units import HOUR

FIRST_HOUR: Final = 0


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
    partitions: int
    policy: str
    policy_spreads: bool
    """The next judgement is the first under a new policy."""


SUBJECT: Final = b"\0subject:"
"""What the key of an owner's or a team's alerts begins with, in the store; a deal's is its id."""

_encode = msgspec.msgpack.Encoder().encode
_decode_facts = msgspec.msgpack.Decoder(tuple[Fact, ...]).decode
_decode_subject = msgspec.msgpack.Decoder(_Subject).decode
_decode_control = msgspec.msgpack.Decoder(_Control).decode
_decode_wire = msgspec.json.Decoder(dict[str, Any]).decode


class Rollup:
    """Applies the facts to what is in ``store``, which it writes as well."""

    def __init__(
        self,
        number: int,
        policy: str,
        store: MutableMapping[bytes, bytes],
        compile_policy: Callable[[str], Ruleset],
        *,
        epoch: int = 0,
        generation: int = 0,
    ) -> None:
        self.number = number
        self.epoch = epoch
        self.generation = generation
        self.policy = policy
        self._store = store
        self._compile = compile_policy
        self._offset = -1
        self._swept = -1
        """The period in which the deals of older ones were let go."""
        self._control = _Control(FIRST_HOUR, {}, 0, policy, False)
        self._floor = FIRST_HOUR
        """The hour up to which judgements are certain not to be repeated: facts that held before it may go."""
        self._restore()

    # --- restoring ------------------------------------------------------------------------------------------------

    def _restore(self) -> None:
        written = self._store.get(CONTROL_KEY)
        if written is not None:
            self._control = _decode_control(_body(written))
            self.policy = self._control.policy
            self._floor = self._control.judged_at
        self._ruleset = self._compile(self.policy)
        self._facts: dict[bytes, tuple[Fact, ...]] = {}
        """By deal, oldest first, no two of the same hour."""
        self._subjects: dict[str, _Subject] = {}
        self._waiting: dict[int, dict[bytes, None]] = {}
        """By the hour at which they are first judged: deals with a new fact."""
        for key, value in self._store.items():
            if key.startswith(SUBJECT):
                self._subjects[key[len(SUBJECT) :].decode()] = _decode_subject(_body(value))
            elif not key.startswith(b"\0"):
                self._facts[key] = _decode_facts(_body(value))
                for fact in self._facts[key]:
                    if fact.at >= self._control.judged_at:
                        self._wait(key, fact)
        self.open_findings: dict[tuple[str, str], int] = {}
        for subject in self._subjects.values():
            for alert in subject.alerts:
                if not alert.closed_at:
                    bump(self.open_findings, (alert.rule, alert.severity))
        self._gather()

    def _gather(self) -> None:
        """Who has which deals, anew; everyone is judged at the next hour."""
        self._members: dict[str, dict[bytes, Fact]] = {}
        self._holding: dict[bytes, Fact] = {}
        for key in self._facts:
            self._hold(key, self._control.judged_at)
        self._wakes: list[tuple[int, str]] = []
        self._wake: dict[str, int] = {}
        for subject in dict.fromkeys((*self._members, *self._subjects)):
            self._wakes_at(subject, self._control.judged_at + HOUR)

    # --- applying -------------------------------------------------------------------------------------------------

    @property
    def clock(self) -> int:
        """The hour of the last judgement."""
        return self._control.judged_at

    def settle(self) -> Output | None:
        """Nothing falls due between marks."""
        return None

    def apply(self, slice_: Iterable[Record]) -> Output:
        """Apply a slice of the facts, in order."""
        out = Output()
        self._floor = self._control.judged_at
        before = self._written_control()
        for record in slice_:
            out.end_offset = self._offset = record.offset
            key: bytes | None = record.key
            value: bytes | None = record.value
            if value is None:
                out.reject(key, value, record.offset, "null_value", "the record has no value")
                continue
            try:
                item = _read(value)
            except (msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
                detail = f"this is no {facts.FACT_SCHEMA}: {type(error).__name__}: {error}"
                out.reject(key, value, record.offset, "not_a_fact", detail)
                continue
            if isinstance(item, Fact):
                self._take(out, item)
            elif isinstance(item, Mark):
                self._pass(out, item)
            else:
                self._new_policy(out, item, key, value)
        if self._written_control() != before or CONTROL_KEY not in self._store:
            # Last: where this is durable, so is everything that it presupposes.
            self._put(out, CONTROL_KEY, self._control)
        return out

    def _written_control(self) -> bytes:
        return _encode(self._control)

    def _take(self, out: Output, fact: Fact) -> None:
        key = fact.deal.encode()
        known = self._facts.get(key, ())
        kept = _with(known, fact, self._floor)
        if kept != known:
            self._facts[key] = kept
            self._put(out, key, kept)
            self._wait(key, fact)

    def _wait(self, key: bytes, fact: Fact) -> None:
        """A fact counts from the full hour after it on; one that came late, from the next one on."""
        self._waiting.setdefault(max(_hour_after(fact.at), self._control.judged_at + HOUR), {})[key] = None

    def _pass(self, out: Output, mark: Mark) -> None:
        control = self._control
        if mark.at > control.marks.get(mark.source, -1):
            control.marks[mark.source] = mark.at
        control.partitions = mark.of
        passed = [control.marks.get(number, -1) for number in range(control.partitions)]
        until = min(passed, default=-1) // HOUR * HOUR
        while (hour := self._next_hour()) is not None and hour <= until:
            self._judge(out, hour)
        if until > control.judged_at:
            control.judged_at = until

    def _next_hour(self) -> int | None:
        """The next hour at which anything can change."""
        while self._wakes and self._wake.get(self._wakes[0][1]) != self._wakes[0][0]:
            heapq.heappop(self._wakes)
        hours = [*self._waiting, *(hour for hour, _ in self._wakes[:1])]
        return min(hours, default=None)

    def _new_policy(self, out: Output, policy: str, key: bytes | None, value: bytes) -> None:
        try:
            ruleset = self._compile(policy)
        except Exception as error:
            out.reject(key, value, self._offset, "bad_policy", str(error))
            return
        self._control.policy = policy
        if policy != self.policy:
            self.policy, self._ruleset = policy, ruleset
            self._control.policy_spreads = True
            self._gather()

    # --- judging --------------------------------------------------------------------------------------------------

    def _judge(self, out: Output, hour: int) -> None:
        """Judge whoever has new facts or is due, by the facts from before this hour."""
        control = self._control
        calendar = self._ruleset.calendar
        control.judged_at = hour
        dirty: dict[str, str] = {}
        for key in self._waiting.pop(hour, ()):
            for subject, reason in self._hold(key, hour).items():
                dirty[subject] = lifecycle.RETRACTED if dirty.get(subject) == lifecycle.RETRACTED else reason
        while self._wakes and self._wakes[0][0] <= hour:
            at, subject = heapq.heappop(self._wakes)
            if self._wake.get(subject) == at:
                dirty.setdefault(subject, records.EXPIRED)
        now = calendar.period_of(hour)
        for subject in sorted(dirty):
            ended = "policy" if control.policy_spreads else dirty[subject]
            self._judge_subject(out, subject, hour, now, ended)
        control.policy_spreads = False
        if now.index != self._swept:
            self._swept = now.index
            self._sweep(out, calendar.period_of_day(now.start_day - 1))

    def _judge_subject(self, out: Output, subject: str, hour: int, now: Period, ended: str) -> None:
        known = self._subjects.get(subject, _Subject(-1, ()))
        kind = subject.partition(":")[0]
        held = list(self._members.get(subject, {}).values())
        calendar, wake, alerts = self._ruleset.calendar, -1, known.alerts
        transitions: list[lifecycle.Transition] = []
        periods = (calendar.period_of_day(now.start_day - 1), now)
        labels = dict.fromkeys([*(period.label for period in periods), *(a.period for a in alerts if not a.closed_at)])
        by_label = {period.label: period for period in periods}
        for label in labels:
            mine = tuple(alert for alert in alerts if alert.period == label)
            findings: dict[str, Finding | None] = {alert.rule: None for alert in mine if not alert.closed_at}
            modes: dict[str, str] = {}
            if (period := by_label.get(label)) is not None:
                for active in self._ruleset.group_rules:
                    if active.spec.subject != kind:
                        continue
                    deals = [fact for fact in held if fact.deal_type in active.deal_types]
                    view = GroupView(deals, period, hour, self._ruleset)
                    name = active.spec.name
                    modes[name] = active.mode
                    try:
                        finding: Finding | None = active.spec.check(view, active.params)  # type: ignore[arg-type]
                    except Exception as error:
                        findings.pop(name, None)
                        detail = f"{type(error).__name__}: {error}"
                        out.reject(subject.encode(), None, self._offset, "rule_failed", detail, name)
                        continue
                    if finding is not None or name in findings:
                        findings[name] = finding
                    if view.wake_at >= 0 and not 0 <= wake <= view.wake_at:
                        wake = view.wake_at
            changed, told = lifecycle.reconcile(
                mine,
                findings,
                modes,
                deal=subject,
                period=period or now,
                at=hour,
                reason="policy" if ended == "policy" else "facts",
                resolved_reason=ended,
            )
            if told:
                alerts = (*(alert for alert in alerts if alert.period != label), *changed)
                transitions += told
        self._wake.pop(subject, None)
        if wake >= 0 and (held or transitions or any(not alert.closed_at for alert in alerts)):
            self._wakes_at(subject, -(-wake // HOUR) * HOUR)
        if transitions and hour > known.judged_at:
            self._tell(out, subject, known.alerts, transitions, hour)
            self._subjects[subject] = _Subject(hour, alerts)
            self._put(out, SUBJECT + subject.encode(), self._subjects[subject])

    def _tell(
        self,
        out: Output,
        subject: str,
        before: tuple[AlertState, ...],
        transitions: list[lifecycle.Transition],
        hour: int,
    ) -> None:
        severities = {(alert.rule, alert.period): alert.severity for alert in before if not alert.closed_at}
        for transition in transitions:
            alert = transition.alert
            out.alerts.append((subject.encode(), records.group_alert_record(subject, transition, hour)))
            bump(out.counts.transitions, (alert.rule, alert.severity, transition.kind))
            if transition.kind != lifecycle.OPENED:
                bump(out.counts.open_findings, (alert.rule, severities[alert.rule, alert.period]), -1)
            if transition.kind != lifecycle.RESOLVED:
                bump(out.counts.open_findings, (alert.rule, alert.severity))

    # --- the deals ------------------------------------------------------------------------------------------------

    def _hold(self, key: bytes, hour: int) -> dict[str, str]:
        """Let the deal's fact of this hour hold; whom that concerns, and the reason should anything end by it."""
        fact = _holding(self._facts.get(key, ()), hour)
        old = self._holding.get(key)
        if fact is old or fact == old:
            return {}
        concerned: dict[str, str] = {}
        for one in (old, fact):
            if one is None:
                continue
            for subject in subjects_of(one, self._ruleset):
                concerned[subject] = lifecycle.RETRACTED if fact is not None and fact.refolded else records.CLEARED
                members = self._members.setdefault(subject, {})
                if one is fact:
                    members[key] = fact
                else:
                    members.pop(key, None)
        if fact is None:
            self._holding.pop(key, None)
        else:
            self._holding[key] = fact
        return concerned

    def _wakes_at(self, subject: str, hour: int) -> None:
        self._wake[subject] = hour
        heapq.heappush(self._wakes, (hour, subject))

    def _sweep(self, out: Output, last: Period) -> None:
        """A period has begun: what was closed before the last one is counted by no rule any more."""
        for key, fact in list(self._holding.items()):
            if fact.status != OPEN and fact.closed_at < last.start_at and len(self._facts[key]) == 1:
                for subject in subjects_of(fact, self._ruleset):
                    members = self._members[subject]
                    members.pop(key, None)
                    if not members:
                        del self._members[subject]
                del self._holding[key], self._facts[key]
                self._store.pop(key, None)
                out.states[key] = None
        for subject, known in list(self._subjects.items()):
            kept = tuple(a for a in known.alerts if not a.closed_at or a.forget_at > last.end_at)
            if not kept and not self._members.get(subject):
                del self._subjects[subject]
                self._store.pop(SUBJECT + subject.encode(), None)
                out.states[SUBJECT + subject.encode()] = None

    def _put(self, out: Output, key: bytes, body: Any) -> None:
        head = PREFIX.pack(VERSION, self.epoch, self.generation, self._offset, -1)
        self._store[key] = out.states[key] = head + _encode(body)


def _body(value: bytes) -> memoryview:
    read_prefix(value)
    return memoryview(value)[PREFIX.size :]


def _read(value: bytes) -> Fact | Mark | str:
    """A fact, a mark, or a policy's text."""
    wire = _decode_wire(value)
    if wire["kind"] == facts.DEAL:
        return facts.read_fact(wire)
    if wire["kind"] == facts.MARK:
        return facts.read_mark(wire)
    if wire["kind"] == items.POLICY:
        return str(wire["policy"])
    raise ValueError(f"kind {wire['kind']!r}")


def _hour_after(at: int) -> int:
    """The first full hour after an instant: facts from before it count at it."""
    return (at // HOUR + 1) * HOUR


def _with(known: tuple[Fact, ...], fact: Fact, floor: int) -> tuple[Fact, ...]:
    """A deal's facts with one more: the last of each hour; of those that held before ``floor``, the last."""
    by_hour: dict[int, Fact] = {}
    for one in sorted((*known, fact), key=lambda one: one.revision):
        by_hour[max(_hour_after(one.at), floor)] = one
    return tuple(by_hour.values())


def _holding(known: tuple[Fact, ...], hour: int) -> Fact | None:
    """The fact that holds at an hour: the last from before it."""
    return next((fact for fact in reversed(known) if fact.at < hour), None)
