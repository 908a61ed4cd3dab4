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
from wellwon.policy.circumstances import Circumstance, Situation, circumstances_of, waits_for

TOLD: Final = 4
"""Reasons that are told: more are no help."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Facts that together keep a rule silent: were they otherwise, it would hold."""

    kinds: tuple[str, ...]
    said: tuple[str, ...]


def reasons(spec: RuleSpec, now: Situation) -> list[Reason]:
    """Why a rule is silent, the most telling first; empty where nothing that it looks for has happened.

    Single circumstances come before single thresholds; two or three together only where nothing alone is enough.
    """
    known = list(circumstances_of(spec, now))
    limits = [limit for limit in _limits(spec, now) if limit.least <= limit.now <= limit.most]
    found = [_reason(one) for one in known if _holds(spec, one.otherwise(now))]
    found += [Reason(("threshold",), (said,)) for limit in limits if (said := limit.enough(spec, now))]
    if not found:
        found = list(_together(spec, now, known, limits))
    by_text = {reason.said: reason for reason in reversed(found)}
    return list(by_text.values())[::-1][:TOLD]


def _reason(*chosen: Circumstance, threshold: str = "") -> Reason:
    kinds, said = tuple(one.kind for one in chosen), tuple(one.said for one in chosen)
    return Reason((*kinds, "threshold"), (*said, threshold)) if threshold else Reason(kinds, said)


def _together(spec: RuleSpec, now: Situation, known: list[Circumstance], limits: list[_Limit]) -> Iterator[Reason]:
    pairs = list(_of(2, spec, now, known))
    for one in known:
        changed = one.otherwise(now)
        pairs += [_reason(one, threshold=said) for limit in limits if (said := limit.enough(spec, changed))]
        pairs += [
            _with_time(one, later) for later in waits_for(spec, changed) if _holds(spec, later.otherwise(changed))
        ]
    if pairs:
        yield from pairs
        return
    yield from _of(3, spec, now, known)
    for low, high in combinations(limits, 2):
        for value in (low.least, low.most):
            if value != low.now and (said := high.enough(spec, low.at(now, value))):
                yield Reason(("threshold", "threshold"), (low.taking(value), said))
                break


def _with_time(one: Circumstance, later: Circumstance) -> Reason:
    day = later.said.rpartition(" ")[2]
    return Reason((one.kind, later.kind), (one.said, f"without that it would hold only from {day} on"))


def _of(count: int, spec: RuleSpec, now: Situation, known: list[Circumstance]) -> Iterator[Reason]:
    """So many circumstances that are enough together."""
    for chosen in combinations(known, count):
        differ = len({one.said for one in chosen}) == count
        if differ and _holds(spec, _all_otherwise(chosen, now)):
            yield _reason(*chosen)


def _all_otherwise(chosen: tuple[Circumstance, ...], situation: Situation) -> Situation:
    for one in chosen:
        situation = one.otherwise(situation)
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
