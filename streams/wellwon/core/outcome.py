"""What comes of a step: alerts that open, change or resolve, and the record of a win."""

from __future__ import annotations

from typing import Final

from wellwon.core import lifecycle, records
from wellwon.core.counting import count_concession, count_push, count_transitions
from wellwon.core.engine import APPLIED, Step, ask_all, deal_type_of
from wellwon.core.exemption import exempted
from wellwon.core.facts import COUNTED_CLOSED, COUNTED_OPEN
from wellwon.core.items import LINE_ITEM
from wellwon.core.model import DELETED, OPEN, WON, Ruleset
from wellwon.core.output import Output, bump
from wellwon.core.rule import DATE, Finding
from wellwon.core.stance import fact_of
from wellwon.core.state import State
from wellwon.core.stored import AlertState, WinState
from wellwon.core.units import HOUR
from wellwon.core.win import SETTLES_MS, is_won, read_win

CHANGE: Final = "change"
CLOCK: Final = "clock"
POLICY: Final = "policy"
PRICE_FAMILY: Final = "price"

Origin = tuple[bytes | None, bytes, int]
"""Key, value and offset of the record that caused a step."""


class Outcomes:
    """Turns steps into records, under one policy."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset
        self._families: dict[str, str] = {}
        self._modes: dict[tuple[str, str], dict[str, str]] = {}
        for segment in ruleset.segments:
            for deal_type, rules in segment.rules.items():
                self._modes[segment.name, deal_type] = {rule.spec.name: rule.mode for rule in rules}
                self._families.update({rule.spec.name: rule.spec.family for rule in rules})

    def family(self, rule: str) -> str:
        """The family of a rule, empty for one that runs no more."""
        return self._families.get(rule, "")

    def conclude(self, out: Output, key: bytes, done: Step, reason: str, origin: Origin | None = None) -> State:
        """Put what a step gave into ``out``; return the state to keep. ``reason``: what caused the step."""
        state = done.state
        for failure in done.failures:
            at_key, value, offset = origin if origin is not None else (key, None, -1)
            out.reject(at_key, value, offset, "rule_failed", failure.error, failure.rule)
        if done.findings or (state.alerts and self._ruleset.exemptions):
            state = self._tell(out, key, done, reason)
        deal = state.now
        if deal.status == WON or state.win is not None:
            self._win(out, key, state)
        if origin is None:
            return state
        changed = done.changed
        if changed & DATE and done.outcome == APPLIED and not done.refolded and state.tail:
            count_push(out.counts, self._ruleset.calendar, state)
        if changed & (COUNTED_OPEN if deal.status == OPEN else COUNTED_CLOSED) and self._ruleset.group_rules:
            self._note_fact(out, key, state, origin[2], done.refolded)
        return state

    def _tell(self, out: Output, key: bytes, done: Step, reason: str) -> State:
        """Open, change and resolve alerts by what was found, and say so."""
        state, findings = done.state, done.findings
        modes, exempt_until = self._modes_of(key, state)
        if self._ruleset.exemptions and any(
            not alert.closed_at and alert.rule not in findings and alert.mode != modes.get(alert.rule)
            for alert in state.alerts
        ):
            # An exemption begins or ends for this deal: what stands changes its mode.
            again = ask_all(state, self._ruleset)
            state, findings = again.state, {**findings, **again.findings}
        if findings:
            ended = _end(state, done.refolded, reason)
            alerts, transitions = self._reconcile(key, state, findings, modes, reason, ended, done.commit)
            if lifecycle.shares_a_save(state.alerts, transitions):
                # A headline covers what its save brought about before, and tells it: ask the other rules, too.
                again = ask_all(state, self._ruleset)
                state = again.state
                alerts, transitions = self._reconcile(
                    key, state, {**findings, **again.findings}, modes, reason, ended, done.commit
                )
            if transitions:
                self.publish(out, key, state, transitions)
                state.alerts = alerts
        if exempt_until >= 0 and not 0 <= state.wake_at <= exempt_until and any(not a.closed_at for a in state.alerts):
            state.wake_at = exempt_until
        return state

    def _note_fact(self, out: Output, key: bytes, state: State, offset: int, refolded: bool) -> None:
        """Put how the deal stands now into ``out``, in place of what it said for the same hour."""
        if not state.now.stage:
            return  # nobody knows that it is open
        if not refolded and state.tail and state.tail[-1].kind == LINE_ITEM and state.now.status == OPEN:
            return  # what an open deal is made of is no amount
        out.facts[key, state.at // HOUR] = fact_of(key, state, self._ruleset, offset, refolded=refolded)

    def _modes_of(self, key: bytes, state: State) -> tuple[dict[str, str], int]:
        """The modes of the rules for this deal now, and when an exemption of it ends (-1: it has none)."""
        modes = self._modes.get((state.segment, deal_type_of(state.now, self._ruleset)), {})
        return exempted(modes, key.decode(), state.now, state.segment, state.at, self._ruleset)

    def _reconcile(
        self,
        key: bytes,
        state: State,
        findings: dict[str, Finding | None],
        modes: dict[str, str],
        reason: str,
        ended: str,
        commit: int,
    ) -> tuple[tuple[AlertState, ...], list[lifecycle.Transition]]:
        return lifecycle.reconcile(
            state.alerts,
            findings,
            modes,
            deal=key.decode(),
            period=self._ruleset.calendar.period_of(state.at),
            at=state.at,
            reason=reason,
            resolved_reason=ended,
            commit=commit,
            since=state.now.last_at if reason == CHANGE else 0,
            not_right=lifecycle.refuted(state.now, findings),
            segment=state.segment,
        )

    def publish(self, out: Output, key: bytes, state: State, transitions: list[lifecycle.Transition]) -> None:
        """Put the records of what opened, changed and resolved into ``out``."""
        deal_id = key.decode()
        count_transitions(out.counts, state.alerts, transitions, state.at)
        for transition in transitions:
            family = self.family(transition.alert.rule)
            value = records.alert_record(deal_id, state.now, transition, family, state.segment, state.at)
            out.alerts.append((key, value))
            if family == PRICE_FAMILY:
                count_concession(out.counts, self._ruleset.calendar, transition, state.at)

    def _win(self, out: Output, key: bytes, state: State) -> None:
        """Publish how a deal was won, again while what belongs to the win still arrives, and withdraw a win undone."""
        deal, told = state.now, state.win
        won = is_won(deal)
        if won:
            if told is not None and not told.withdrawn and state.at > deal.won_at + SETTLES_MS:
                return
        elif told is None or told.withdrawn:
            return
        self.publish_win(out, key, state, won=won)

    def publish_win(self, out: Output, key: bytes, state: State, *, won: bool) -> None:
        """Put the record of a win (not ``won``: of one undone) into ``out``, unless it was told just so."""
        deal, told = state.now, state.win
        win = read_win(deal, state.alerts, self._ruleset)
        body = records.win_body(key.decode(), deal, win, self._ruleset, state.segment)
        digest = records.digest(body)
        if told is not None and told.digest == digest and told.withdrawn != won:
            return
        revision = 1 if told is None else told.revision + 1
        state.win = WinState(revision, digest, win.reading, not won)
        out.wins.append((key, records.win_record(body, revision, state.at, not won)))
        bump(out.counts.wins, win.reading if won else "withdrawn")


def _end(state: State, refolded: bool, reason: str) -> str:
    """Why what held does not hold any more."""
    if reason == POLICY:
        return POLICY
    if state.now.status == DELETED:
        return records.DELETED
    if refolded:
        return lifecycle.RETRACTED
    if state.now.status != OPEN:
        return records.CLOSED
    return records.EXPIRED if reason == CLOCK else records.CLEARED
