"""From what holds now to what people are told: alerts open, change and resolve."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

import msgspec

from wellwon.core.calendar import Period
from wellwon.core.deal import Deal
from wellwon.core.model import ALERT
from wellwon.core.rule import Finding
from wellwon.core.stored import AlertState
from wellwon.core.units import DAY, parse_instant

OPENED: Final = "opened"
CHANGED: Final = "changed"
RESOLVED: Final = "resolved"

RETRACTED: Final = "retracted"
"""Reason of a resolution: what was seen did not happen that way."""

NOT_RIGHT: Final = "not_right"
"""Reason of a resolution: somebody answered that what it tells is not right."""

COVERED: Final = "covered"
"""Reason of a change: a stronger pattern from the same save leads now."""

REMEMBERED_MS: Final = 30 * DAY
"""How long after its period the last revision of a fingerprint is kept, so that reopening continues the count."""

HEADLINES: Final = (
    "commit-slip",
    "period-end-push",
    "serial-slip",
    "close-date-push",
    "push-to-close",
    "late-discount",
    "discount-creep",
    "amount-cut-before-close",
    "won-reversed",
    "reopened-deal",
)
"""Of the patterns that one save makes hold, the first of these leads; rules that are not named come after, by name."""

_RANK: Final = {name: place for place, name in enumerate(HEADLINES)}

replace = msgspec.structs.replace


@dataclass(slots=True)
class Transition:
    """An alert opened, changed or resolved. ``finding`` is None for resolved."""

    kind: str
    reason: str
    alert: AlertState
    finding: Finding | None


def fingerprint(rule: str, deal: str, period: str) -> str:
    """What an alert is about: the rule, the deal, the period in which it opened."""
    return f"{rule}:{deal}:{period}"


def reconcile(
    alerts: tuple[AlertState, ...],
    findings: dict[str, Finding | None],
    modes: dict[str, str],
    *,
    deal: str,
    period: Period,
    at: int,
    reason: str,
    resolved_reason: str,
    commit: int = 0,
    since: int = 0,
    not_right: Collection[str] = (),
    segment: str = "",
) -> tuple[tuple[AlertState, ...], list[Transition]]:
    """Compare what is open with what was found.

    Rules that are not in ``findings`` were not asked: their alerts stay as they are. ``modes`` gives the mode of each
    rule that runs. ``reason`` goes on what opens or changes, ``resolved_reason`` on what resolves.
    ``since`` is when the save was made that brought it about, where it was not the clock.
    ``not_right``: the rules whose finding somebody has answered; they find nothing. ``segment``: the deal's.
    What one record of a save (``commit``) seemed to show and another of the same save explains is retracted.
    """
    open_by_rule = {alert.rule: alert for alert in alerts if not alert.closed_at}
    transitions: list[Transition] = []
    for rule, finding in findings.items():
        known = open_by_rule.get(rule)
        if finding is None or rule in not_right:
            if known is not None:
                # A resolution is a revision of its own: its id must differ from what it resolves.
                ended = RETRACTED if commit and known.commit == commit else resolved_reason
                ended = NOT_RIGHT if finding is not None else ended
                untrue = ended in (RETRACTED, NOT_RIGHT)
                closed = replace(known, closed_at=at, revision=known.revision + 1, retracted=untrue)
                transitions.append(Transition(RESOLVED, ended, closed, None))
        elif known is None:
            opened = _open(alerts, rule, finding, modes.get(rule, ALERT), period, at, since or at, segment)
            transitions.append(Transition(OPENED, reason, opened, finding))
        elif (
            known.severity != finding.severity
            or known.key != finding.key
            or known.mode != modes.get(rule, known.mode)  # out of shadow, or back: people should hear of what stands
        ):
            changed = replace(
                known,
                revision=known.revision + 1,
                severity=finding.severity,
                key=finding.key,
                commit=finding.commit,
                mode=modes.get(rule, known.mode),
            )
            transitions.append(Transition(CHANGED, reason, changed, finding))
    if not transitions:
        return alerts, transitions

    _headline(deal, open_by_rule, transitions)
    transitions += _newly_covered(deal, open_by_rule, transitions, findings)
    moved = {(t.alert.rule, t.alert.period): t.alert for t in transitions}
    kept = [
        moved.pop((alert.rule, alert.period), alert)
        for alert in alerts
        if not alert.closed_at or at < alert.forget_at or (alert.rule, alert.period) in moved
    ]
    return (*kept, *moved.values()), transitions


def refuted(deal: Deal, findings: dict[str, Finding | None]) -> list[str]:
    """The rules whose finding somebody answered with ``not_right``, and that have seen nothing new since.

    An answer speaks of what had happened by then: evidence of later makes the pattern hold again.
    """
    answers = deal.not_right
    found = []
    for rule, finding in findings.items() if answers else ():
        answered_at = max(answers.get(rule, 0), answers.get("", 0))
        if answered_at and finding is not None:
            when = finding.evidence.get("when")
            if when is None or parse_instant(when) <= answered_at:
                found.append(rule)
    return found


def _open(
    alerts: tuple[AlertState, ...],
    rule: str,
    finding: Finding,
    mode: str,
    period: Period,
    at: int,
    since: int,
    segment: str,
) -> AlertState:
    revision = 1 + max((a.revision for a in alerts if a.rule == rule and a.period == period.label), default=0)
    return AlertState(
        rule=rule,
        period=period.label,
        revision=revision,
        severity=finding.severity,
        key=finding.key,
        opened_at=at,
        closed_at=0,
        forget_at=period.end_at + REMEMBERED_MS,
        commit=finding.commit,
        covered_by="",
        mode=mode,
        since=since,
        segment=segment,
    )


def _headline(deal: str, open_by_rule: dict[str, AlertState], transitions: list[Transition]) -> None:
    """One save, one headline: of the alerts that a save brought about, the first leads and covers the others.

    A rule that runs in shadow leads no message.
    """
    standing = dict(open_by_rule)
    for transition in transitions:
        standing[transition.alert.rule] = transition.alert
    for transition in transitions:
        alert = transition.alert
        if transition.kind == RESOLVED or not alert.commit:
            continue
        together = [
            other
            for other in standing.values()
            if other.commit == alert.commit and not other.closed_at and other.mode == ALERT
        ]
        covered_by = ""
        if together and alert.mode == ALERT:
            leader = min(together, key=lambda other: _order(other.rule))
            if leader.rule != alert.rule:
                covered_by = fingerprint(leader.rule, deal, leader.period)
        if covered_by != alert.covered_by:
            transition.alert = replace(alert, covered_by=covered_by)


def _newly_covered(
    deal: str,
    open_by_rule: dict[str, AlertState],
    transitions: list[Transition],
    findings: dict[str, Finding | None],
) -> list[Transition]:
    """Alerts that opened from an earlier part of a save whose headline only now came to light."""
    told = {transition.alert.rule for transition in transitions}
    covered = []
    for alert in open_by_rule.values():
        finding = findings.get(alert.rule)
        if finding is None or alert.rule in told or alert.covered_by or alert.mode != ALERT or not alert.commit:
            continue
        leaders = [
            t.alert
            for t in transitions
            if t.kind != RESOLVED
            and t.alert.commit == alert.commit
            and t.alert.mode == ALERT
            and not t.alert.covered_by
        ]
        if leaders and _order(leaders[0].rule) < _order(alert.rule):
            by = fingerprint(leaders[0].rule, deal, leaders[0].period)
            covered.append(
                Transition(CHANGED, COVERED, replace(alert, revision=alert.revision + 1, covered_by=by), finding)
            )
    return covered


def shares_a_save(alerts: tuple[AlertState, ...], transitions: list[Transition]) -> bool:
    """Whether an alert just opened, or changed, from a save from which another one is open already."""
    told = {t.alert.rule: t.alert.commit for t in transitions if t.kind != RESOLVED and t.alert.commit}
    saves = set(told.values())
    return any(a.commit in saves and a.rule not in told and not a.closed_at and not a.covered_by for a in alerts)


def _order(rule: str) -> tuple[int, str]:
    return _RANK.get(rule, len(_RANK)), rule
