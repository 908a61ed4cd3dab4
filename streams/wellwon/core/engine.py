"""One step of one deal: take the item in, then ask the rules that it can concern."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from wellwon.core.deal import Deal
from wellwon.core.hindsight import REFOLDED, TOO_LATE, absorb, reclassify, refold, remember_id, seen_before
from wellwon.core.items import Clock, DealItem, Reclassified
from wellwon.core.model import DELETED, OPEN, Ruleset, Segment
from wellwon.core.rule import AMOUNT, EVERYTHING, TIME, Check, Finding, View
from wellwon.core.state import State, new_state
from wellwon.core.units import DAY

APPLIED: Final = "applied"
DUPLICATE: Final = "duplicate"
ALL_SO: Final = -1
LATE: Final = "late"
"""Beyond the tail: kept in the history, seen by no rule."""
UNKNOWN: Final = "unknown"
"""A reclassification of changes that are not in the tail any more."""


@dataclass(slots=True)
class RuleFailure:
    """A rule raised: the others went on, its last answer stands."""

    rule: str
    error: str


class Step:
    """The outcome: the new state, and what the rules that were asked found (None: what held does not hold any more)."""

    __slots__ = ("changed", "commit", "failures", "findings", "outcome", "refolded", "state")

    def __init__(
        self,
        state: State,
        findings: dict[str, Finding | None],
        outcome: str = APPLIED,
        refolded: bool = False,
        commit: int = 0,
    ) -> None:
        self.state = state
        self.findings = findings
        self.outcome = outcome
        self.refolded = refolded
        self.commit = commit
        """The save that the item was part of, 0 for none."""
        self.failures: tuple[RuleFailure, ...] = ()
        self.changed = 0
        """Mask of the parts of the deal (see `rule`) that the item changed."""

    @property
    def wake_at(self) -> int:
        """When time alone may next change an answer; -1 never."""
        return self.state.wake_at


class Meter:
    """Adds up the time that each rule takes. The core has no clock: whoever measures brings one."""

    __slots__ = ("clock", "seconds")

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.seconds: dict[str, float] = {}

    def ask(self, name: str, check: Check, view: View, params: Any) -> Finding | None:
        """Run a check and note how long it took."""
        began = self.clock()
        try:
            return check(view, params)
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + self.clock() - began


def restore(state: State, ruleset: Ruleset) -> State:
    """A decoded state, ready for `step`: its tail folded on top of its base."""
    if state.tail:
        state.now = refold(state.base, state.tail, ruleset)
    return state


def step(
    state: State | None, item: DealItem | Clock, ruleset: Ruleset, clock: int = 0, meter: Meter | None = None
) -> Step:
    """Apply an item to a deal. The state is taken over: it is the new one afterwards.

    ``clock`` is the partition's clock: a deal is never judged at an earlier instant.
    Until its ``wake_at`` the answers of rules that read none of what changed still stand, so they are not asked.
    """
    if state is None:
        state = new_state()
    elif state.timers is None:
        state.timers = _timers(state, ruleset)
    commit = 0
    if isinstance(item, Clock):
        mask = TIME
    elif isinstance(item, Reclassified):
        mask = reclassify(state, item, ruleset)
        if not mask:
            return Step(state, {}, UNKNOWN)
    else:
        seen, source_id = state.seen, item.source_id
        if seen and seen_before(seen, source_id):
            return Step(state, {}, DUPLICATE)
        state.seen = remember_id(seen, source_id, item.at)
        mask = absorb(state, item, ruleset)
        commit = item.commit
    at = max(item.at, clock, state.at)
    state.at = at
    if mask == TOO_LATE:
        return Step(state, {}, LATE)
    if 0 <= state.wake_at <= at:
        mask |= TIME
    done = Step(state, {}, LATE if mask & TOO_LATE else APPLIED, mask & REFOLDED != 0, commit)
    done.changed = mask & EVERYTHING
    _evaluate(done, done.changed, ruleset, meter)
    return done


def ask_all(state: State, ruleset: Ruleset) -> Step:
    """What every rule says now, whatever has changed, and whatever it presupposes."""
    done = Step(state, {})
    _evaluate(done, EVERYTHING, ruleset, None, gated=False)
    return done


def _evaluate(done: Step, mask: int, ruleset: Ruleset, meter: Meter | None, *, gated: bool = True) -> None:
    """Ask the rules that read what changed, and note what they found."""
    state, findings = done.state, done.findings
    deal, at = state.now, state.at
    known = state.policy == ruleset.mark
    segment = ruleset.segment_by_name[state.segment] if known and not mask & AMOUNT else segment_of(deal, ruleset)
    if not known or segment.name != state.segment:
        mask = EVERYTHING
        state.segment, state.policy = segment.name, ruleset.mark

    timers = state.timers
    if timers is None or mask == EVERYTHING:
        timers = {}
    waiting = mask == TIME and len(timers) > 0
    """Nothing happened but time: whoever waits for a later instant stands by what it said."""
    holding = [alert.rule for alert in state.alerts if not alert.closed_at] if state.alerts else ()
    if holding and mask == EVERYTHING:
        # What holds by a rule that no longer runs for this deal stops to hold.
        findings.update(dict.fromkeys(holding))
    view = View(deal, at, ruleset, segment)
    if deal.status == DELETED:
        timers.clear()
    else:
        premise = view.premise() if gated else ALL_SO
        questions = segment.questions(deal_type_of(deal, ruleset), mask, premise)
        for name in holding:
            if name in questions.silent:
                findings[name] = None
        for name in list(timers):
            if name in questions.silent:
                del timers[name]
        for name, check, params in questions.asked:
            if waiting and timers.get(name, at + 1) > at:
                continue
            view.wake_at = -1
            try:
                finding = check(view, params) if meter is None else meter.ask(name, check, view, params)
            except Exception as error:
                findings.pop(name, None)
                timers.pop(name, None)
                done.failures += (RuleFailure(name, f"{type(error).__name__}: {error}"),)
                continue
            if view.wake_at >= 0:
                timers[name] = view.wake_at
            elif name in timers:
                del timers[name]
            if finding is not None or name in holding:
                findings[name] = finding
    view.wake_at = -1
    if deal.status != OPEN or not deal.stage:
        view.wakes_at(max(leaves_at(deal, ruleset), at + 1))
    for wake_at in timers.values():
        view.wakes_at(wake_at)
    state.timers, state.wake_at = timers, view.wake_at


def _timers(state: State, ruleset: Ruleset) -> dict[str, int]:
    """Which rule waits for when: what each of them would say of a deal to which nothing has happened since."""
    timers: dict[str, int] = {}
    deal = state.now
    if state.policy != ruleset.mark or deal.status == DELETED:
        return timers
    segment = ruleset.segment_by_name[state.segment]
    view = View(deal, state.at, ruleset, segment)
    for name, check, params in segment.questions(deal_type_of(deal, ruleset), TIME, view.premise()).asked:
        view.wake_at = -1
        with suppress(Exception):  # it failed then as well
            check(view, params)
        if view.wake_at >= 0:
            timers[name] = view.wake_at
    return timers


def leaves_at(deal: Deal, ruleset: Ruleset) -> int:
    """When a deal leaves the state, -1 while it is open.

    A deal whose stage was never seen may have been closed long ago: it leaves when nothing is heard of it for as long.
    """
    if deal.status != OPEN:
        return deal.closed_at + ruleset.closed_days * DAY
    return -1 if deal.stage else deal.last_at + ruleset.closed_days * DAY


def deal_type_of(deal: Deal, ruleset: Ruleset) -> str:
    """The deal's own type where the policy knows the word, else its pipeline's."""
    known = ruleset.deal_types.get(deal.deal_type.lower()) if deal.deal_type else None
    if known:
        return known
    return (ruleset.pipelines.get(deal.pipeline) or ruleset.pipelines[ruleset.default_pipeline]).deal_type


def segment_of(deal: Deal, ruleset: Ruleset) -> Segment:
    """The first segment that matches; the last one matches every deal."""
    for segment in ruleset.segments[:-1]:
        if _matches(segment, deal, ruleset):
            return segment
    return ruleset.segments[-1]


def _matches(segment: Segment, deal: Deal, ruleset: Ruleset) -> bool:
    if segment.currency is not None and deal.currency != segment.currency:
        return False
    if segment.amount_min is not None or segment.amount_max is not None:
        amount = deal.annual_amount
        if amount is None:
            return False
        if segment.amount_min is not None and amount < segment.amount_min:
            return False
        if segment.amount_max is not None and amount >= segment.amount_max:
            return False
    pipeline = deal.pipeline if deal.pipeline in ruleset.pipelines else ruleset.default_pipeline
    if segment.pipelines and pipeline not in segment.pipelines:
        return False
    if segment.deal_types and deal_type_of(deal, ruleset) not in segment.deal_types:
        return False
    return all(deal.labels.get(name) in wanted for name, wanted in segment.fields.items())
