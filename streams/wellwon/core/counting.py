"""What transitions and pushes come to, for metrics: the same for a deal's alerts and for an owner's or a team's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wellwon.core.calendar import FiscalCalendar
from wellwon.core.lifecycle import OPENED, RESOLVED, Transition
from wellwon.core.model import SHADOW
from wellwon.core.moves import COUNTS
from wellwon.core.output import Counts, bump
from wellwon.core.state import State
from wellwon.core.stored import AlertState

DAYS_LEFT_MAX: Final = 15
"""Days to the end of a period are told apart below this, and are one beyond it."""
WEEKS_MAX: Final = 18
"""Weeks of the longest period that a calendar may have: 126 days."""


def count_transitions(counts: Counts, before: Iterable[AlertState], transitions: Iterable[Transition], at: int) -> None:
    """Count what opened, changed and resolved at an instant (ms); ``before``: the alerts as they were."""
    known = {(alert.rule, alert.period): alert for alert in before if not alert.closed_at}
    for transition in transitions:
        alert = transition.alert
        rule = alert.rule
        bump(counts.transitions, (rule, alert.severity, transition.kind))
        if transition.kind == OPENED:
            if alert.mode == SHADOW:
                bump(counts.shadow, rule)
        else:
            was = known[rule, alert.period]
            bump(counts.open_findings, (rule, was.severity, was.segment), -1)
        if transition.kind != RESOLVED:
            bump(counts.open_findings, (rule, alert.severity, alert.segment))
        else:
            bump(counts.resolutions, (rule, transition.reason))
            counts.open_for.append((rule, (at - alert.opened_at) // 1_000))


def count_concession(counts: Counts, calendar: FiscalCalendar, transition: Transition, at: int) -> None:
    """Count an alert of the price family that opened, by the days left to the end of its period."""
    if transition.kind == OPENED:
        day, period = calendar.today(at)
        bump(counts.concessions, min(period.end_day - day, DAYS_LEFT_MAX))


def count_push(counts: Counts, calendar: FiscalCalendar, state: State) -> None:
    """Count the change that was folded last if it is a push: somebody's own, of the close date, to a later day."""
    change, dates = state.tail[-1], state.now.dates
    if "close_date" in change.values and dates:
        move = dates[-1]
        if move.at == change.at and move.commit == change.commit and move.why == COUNTS and move.days > 0:
            day, period = calendar.today(change.at)
            bump(counts.pushes, min((day - period.start_day) // 7 + 1, WEEKS_MAX))
