"""Why each rule holds for a deal, or does not, from the deal's state."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Final

from wellwon.core.deal import Deal
from wellwon.core.engine import deal_type_of, segment_of
from wellwon.core.exemption import exempted
from wellwon.core.lifecycle import refuted
from wellwon.core.model import ALERT, DELETED, OFF, OPEN, SHADOW, Ruleset
from wellwon.core.rule import AMOUNT, CATEGORY, DATE, DEAL, NEXT_STEP, PRICE, STAGE, TOUCH, RuleSpec, param_fields
from wellwon.core.state import State
from wellwon.core.stored import AlertState
from wellwon.core.units import format_date
from wellwon.policy.circumstances import CLOSED, Situation
from wellwon.policy.materiality import is_material
from wellwon.policy.model import Policy, RulePolicy
from wellwon.policy.moves import HISTORIES, Moved, moves_of
from wellwon.policy.otherwise import Reason, reasons

HOLDS: Final = "holds"
SILENT: Final = "silent"
UNKNOWN: Final = "insufficient_history"
OTHER_TYPE: Final = "other deal type"
IS_OFF: Final = "off"
FAILED: Final = "failed"
VERDICTS: Final = (HOLDS, SILENT, UNKNOWN, OTHER_TYPE, IS_OFF, FAILED)

NEEDED: Final = {
    PRICE: "the discount is not known: no line items with list prices, no discount field, no list amount",
    AMOUNT: "the amount was never filled",
    CATEGORY: "the forecast category is not known",
    TOUCH: "no touches are recorded",
    NEXT_STEP: "no next step is recorded",
    DATE: "no close date is known",
    STAGE: "no stage is known",
}
"""What it means for a deal when a part that a rule needs is empty."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one rule says of the deal, and why."""

    rule: str
    family: str
    verdict: str
    mode: str
    why: tuple[Reason, ...]
    thresholds: dict[str, int]
    severity: str = ""
    since: int = 0
    """Epoch milliseconds of the save, or the midnight, that made it hold; 0 where the state has no such alert."""
    title: str = ""
    evidence: dict[str, Any] = field(default_factory=dict)
    untold: tuple[str, ...] = ()
    """Why nobody is told although it holds."""
    last: AlertState | None = None
    """Where it does not hold: the alert that it last had, if that is remembered."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """A deal as its state has it, and every rule's answer."""

    deal_id: str
    deal: Deal
    at: int
    segment: str
    deal_type: str
    answers: tuple[Answer, ...]
    moves: tuple[Moved, ...]


def explain(deal_id: str, state: State, ruleset: Ruleset, policy: Policy) -> Explanation:
    """Ask every rule of the policy about a deal, at the instant of its state.

    ``ruleset`` is the policy compiled. The state must be restored (`engine.restore`).
    """
    deal = state.now
    segment = segment_of(deal, ruleset)
    deal_type = deal_type_of(deal, ruleset)
    chosen = next(one for one in policy.segments if one.name == segment.name).rules
    answers = []
    specs = [spec for spec in policy.specs if spec.subject == DEAL]
    for spec in specs:
        now = Situation(deal, state.at, ruleset, segment, spec.params(**chosen[spec.name].params))
        answer = _answer(spec, chosen[spec.name], deal_type, now, state.alerts)
        answers.append(replace(answer, untold=_untold(answer, deal_id, now, policy)))
    parts = 0
    for spec in specs:
        parts |= spec.reads
    return Explanation(deal_id, deal, state.at, segment.name, deal_type, tuple(answers), tuple(moves_of(deal, parts)))


def _answer(spec: RuleSpec, rule: RulePolicy, deal_type: str, now: Situation, alerts: tuple[AlertState, ...]) -> Answer:
    mine = [alert for alert in alerts if alert.rule == spec.name]
    standing = next((alert for alert in mine if not alert.closed_at), None)
    last = max(mine, key=lambda alert: alert.closed_at, default=None) if standing is None else None

    def answer(verdict: str, *why: Reason) -> Answer:
        return Answer(spec.name, spec.family, verdict, rule.mode, why, rule.params, last=last)

    if rule.mode == OFF:
        where = f": it is {spec.default_mode}" if spec.needs else ""
        return answer(IS_OFF, Reason(("off",), (f"off under this policy{where}",)))
    if deal_type not in rule.deal_types:
        types = ", ".join(sorted(rule.deal_types))
        return answer(OTHER_TYPE, Reason(("deal-type",), (f"the deal is of type {deal_type}; it is for {types}",)))
    if now.deal.status == DELETED:
        return answer(SILENT, Reason(("deleted",), (f"the deal was deleted on {now.day(now.deal.closed_at)}",)))
    try:
        finding = now.ask(spec)
    except Exception as error:  # as in the engine: one rule's mistake does not silence the others
        return answer(FAILED, Reason(("failed",), (f"{type(error).__name__}: {error}",)))
    if finding is not None and refuted(now.deal, {spec.name: finding}):
        said = "somebody answered that it is not right, and nothing that it looks for has happened since"
        return answer(SILENT, Reason(("answer",), (said,)))
    if finding is not None:
        return replace(
            answer(HOLDS),
            severity=finding.severity,
            since=(standing.since or standing.opened_at) if standing else 0,
            title=finding.title,
            evidence=finding.evidence,
            untold=(f"it is told with {standing.covered_by.partition(':')[0]}",)
            if standing and standing.covered_by
            else (),
        )
    missing = [said for part, said in NEEDED.items() if spec.rests_on & part and not knows(now.deal, part)]
    if missing:
        return answer(UNKNOWN, *(Reason(("unknown",), (said,)) for said in missing))
    return answer(SILENT, *(reasons(spec, now) or [_nothing(spec, now)]))


def _untold(answer: Answer, deal_id: str, now: Situation, policy: Policy) -> tuple[str, ...]:
    if answer.verdict != HOLDS:
        return ()
    deal, segment, found = now.deal, now.segment.name, list(answer.untold)
    if answer.mode == SHADOW:
        found.append("it runs in shadow: counted, told to no one")
    for written, compiled in zip(policy.exemptions, now.ruleset.exemptions, strict=True):
        alone = replace(now.ruleset, exemptions=(compiled,))
        modes, _ = exempted({answer.rule: ALERT}, deal_id, deal, segment, now.at, alone)
        if modes[answer.rule] != ALERT:
            found.append(f"exempt until {format_date(written.until)}: {written.reason}")
    if not is_material(policy, segment, deal.annual_amount, deal.currency):
        found.append("the amount is below least_amount")
    return tuple(found)


def knows(deal: Deal, part: int) -> bool:
    """Whether anything is known of a part of a deal (`core.rule`'s masks)."""
    known = {
        PRICE: deal.method != 0,
        AMOUNT: deal.amount is not None or bool(deal.amounts),
        CATEGORY: bool(deal.category or deal.categories),
        TOUCH: bool(deal.touches),
        NEXT_STEP: deal.next_step_at != 0,
        DATE: deal.close_date is not None or bool(deal.dates),
        STAGE: bool(deal.stage),
    }
    return known.get(part, True)


def _nothing(spec: RuleSpec, now: Situation) -> Reason:
    """Where no single thing would change the answer: what there is of what the rule reads."""
    deal = now.deal
    said = [] if deal.status == OPEN else [f"the deal is {CLOSED[deal.status]} since {now.day(deal.closed_at)}"]
    for history in HISTORIES:
        if spec.reads & history.part:
            moves = moves_of(deal, history.part)
            count = sum(moved.counts for moved in moves)
            if not moves:
                said.append(f"the {history.noun} has not moved")
            elif count == len(moves):
                said.append(
                    f"the {history.noun} moved {count} times" if count > 1 else f"the {history.noun} moved once"
                )
            else:
                said.append(f"of {len(moves)} moves of the {history.noun} {count or 'none'} counts")
    return Reason(("nothing",), ("nothing that it looks for happened: " + "; ".join(said),))


def thresholds_in_words(spec: RuleSpec, thresholds: dict[str, int]) -> list[tuple[str, str, str]]:
    """Name, value with its unit, and meaning of each threshold in force."""
    return [
        (name, f"{thresholds[name]} {about['unit']}", about["doc"]) for name, about in param_fields(spec.params).items()
    ]
