"""What would have to be otherwise for a silent rule to speak.

A rule is one question to a deal, and its answer to "why not?" is found by asking it again with one thing changed: if
this move counted, if the deal were still open, if the threshold were lower. What turns silence into a finding is a
reason of the silence. So no rule says its conditions twice, and the hot path knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import Final

from wellwon.core.rule import CATEGORY, RuleSpec, param_fields
from wellwon.policy.facts import Fact, Situation, facts_of

TOLD: Final = 4
"""Reasons that are told: more are no help."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Facts that together keep a rule silent: were they otherwise, it would hold."""

    kinds: tuple[str, ...]
    said: tuple[str, ...]


def reasons(spec: RuleSpec, now: Situation) -> list[Reason]:
    """Why a rule is silent, the most telling first; empty where nothing that it looks for has happened.

    Single facts come before single thresholds; two or three together are tried only where nothing alone is enough.
    """
    facts = list(facts_of(spec, now))
    limits = [limit for limit in _limits(spec, now) if limit.least <= limit.now <= limit.most]
    found = [Reason((fact.kind,), (fact.said,)) for fact in facts if _holds(spec, fact.otherwise(now))]
    found += [Reason(("threshold",), (said,)) for limit in limits if (said := limit.enough(spec, now))]
    if not found:
        found = list(_together(spec, now, facts, limits))
    by_text = {reason.said: reason for reason in reversed(found)}
    return list(by_text.values())[::-1][:TOLD]


def _together(spec: RuleSpec, now: Situation, facts: list[Fact], limits: list[_Limit]) -> Iterator[Reason]:
    for count in (2, 3):
        some = False
        for chosen in combinations(facts, count):
            if len({fact.said for fact in chosen}) == count and _holds(spec, _all_otherwise(chosen, now)):
                some = True
                yield Reason(tuple(fact.kind for fact in chosen), tuple(fact.said for fact in chosen))
        for chosen in combinations(facts, count - 1):
            changed = _all_otherwise(chosen, now)
            for limit in limits:
                if said := limit.enough(spec, changed):
                    some = True
                    yield Reason(
                        (*(fact.kind for fact in chosen), "threshold"), (*(fact.said for fact in chosen), said)
                    )
        if some:
            return
    for one, other in combinations(limits, 2):
        for value in {one.least, one.most} - {one.now}:
            if said := other.enough(spec, one.at(now, value)):
                yield Reason(("threshold", "threshold"), (one.taking(value), said))
                break


def _all_otherwise(facts: tuple[Fact, ...], situation: Situation) -> Situation:
    for fact in facts:
        situation = fact.otherwise(situation)
    return situation


def _holds(spec: RuleSpec, situation: Situation) -> bool:
    try:
        return situation.ask(spec) is not None
    except Exception:  # a situation that cannot be is no reason
        return False


# --- thresholds -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Limit:
    name: str
    now: int
    least: int
    most: int
    unit: str
    meaning: str
    at: Callable[[Situation, int], Situation]

    def taking(self, value: int) -> str:
        """What it is, and what it would have to be."""
        return f"{self.name} is {self.now} {self.unit}, and it would take {value} ({self.meaning})"

    def enough(self, spec: RuleSpec, situation: Situation) -> str:
        """The value nearest to the one in force with which the rule would hold, in words; empty if there is none."""
        for extreme in (self.least, self.most):
            if extreme == self.now or not _holds(spec, self.at(situation, extreme)):
                continue
            silent, holds = self.now, extreme
            while abs(holds - silent) > 1:
                middle = (silent + holds) // 2
                if _holds(spec, self.at(situation, middle)):
                    holds = middle
                else:
                    silent = middle
            return self.taking(holds)
        return ""


def _inner(sentence: str) -> str:
    """A sentence within another one; names such as Commit keep their capital."""
    first, _, rest = sentence.rstrip(".").partition(" ")
    return f"{first if first == 'Commit' else first.lower()} {rest}"


def _with_param(name: str, situation: Situation, value: int) -> Situation:
    return replace(situation, params=replace(situation.params, **{name: value}))


def _limits(spec: RuleSpec, now: Situation) -> Iterator[_Limit]:
    for name, about in param_fields(spec.params).items():
        value = getattr(now.params, name)
        yield _Limit(
            name,
            value,
            about["ge"],
            about["le"],
            about["unit"],
            _inner(about["doc"]),
            partial(_with_param, name),
        )
    days = now.segment.window_days
    yield _Limit(
        "window_days",
        days,
        days,  # a shorter window is no wish that anyone has
        max(days, 60),
        "days",
        "the last days of a period",
        lambda situation, n: replace(situation, segment=replace(situation.segment, window_days=n)),
    )
    if spec.reads & CATEGORY:
        lock = now.ruleset.commit_lock_days
        yield _Limit(
            "commit_lock_days",
            lock,
            1,
            90,
            "days",
            "before a period's end, from which Commit is a promise",
            lambda situation, n: replace(situation, ruleset=replace(situation.ruleset, commit_lock_days=n)),
        )
