"""The deals of a rollup: which fact of each holds at an hour, and whose it is.

A deal keeps the fact that holds, and newer ones whose hour has not come.
"""

from __future__ import annotations

from wellwon.core.facts import Fact
from wellwon.core.group import subjects_of
from wellwon.core.lifecycle import RETRACTED
from wellwon.core.model import OPEN, Ruleset
from wellwon.core.records import CLEARED
from wellwon.core.units import HOUR


class Holdings:
    """Deals by owner and team, as of the last hour judged."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset
        self.facts: dict[bytes, tuple[Fact, ...]] = {}
        """By deal, oldest first, no two of the same hour."""
        self._waiting: dict[int, dict[bytes, None]] = {}
        """By the hour at which they are first judged: deals with a new fact."""
        self._members: dict[str, dict[bytes, Fact]] = {}
        self._holding: dict[bytes, Fact] = {}
        self._touched: dict[str, dict[bytes, None]] = {}
        """By owner and team: the deals of which something was not looked at yet."""

    def restore(self, key: bytes, facts: tuple[Fact, ...], judged_at: int) -> None:
        """Take over what was kept of a deal; `gather` after the last one."""
        self.facts[key] = facts
        for fact in facts:
            if fact.at >= judged_at:
                self._wait(key, fact, judged_at)

    def gather(self, ruleset: Ruleset, judged_at: int) -> None:
        """Who has which deals, anew."""
        self._ruleset = ruleset
        self._members.clear()
        self._holding.clear()
        for key in self.facts:
            self.hold(key, judged_at)
        self._touched.clear()

    @property
    def subjects(self) -> tuple[str, ...]:
        """Everyone who has a deal."""
        return tuple(self._members)

    def of(self, subject: str) -> dict[bytes, Fact]:
        """The deals of an owner or a team."""
        return self._members.get(subject, {})

    def touched(self, subject: str) -> tuple[bytes, ...]:
        """The deals that an owner or a team got, lost or has another fact of, since this was asked last."""
        return tuple(self._touched.pop(subject, ()))

    def take(self, fact: Fact, floor: int, judged_at: int) -> bool:
        """Take in a fact; False if it says nothing new. Hours before ``floor`` are never judged again."""
        key = fact.deal.encode()
        known = self.facts.get(key, ())
        kept = _with(known, fact, floor)
        if kept == known:
            return False
        self.facts[key] = kept
        self._wait(key, fact, judged_at)
        return True

    def _wait(self, key: bytes, fact: Fact, judged_at: int) -> None:
        """A fact counts from the full hour after it on; one that came late, from the next one on."""
        self._waiting.setdefault(max(_hour_after(fact.at), judged_at + HOUR), {})[key] = None

    @property
    def next_hour(self) -> int | None:
        """The next hour at which a fact begins to count."""
        return min(self._waiting, default=None)

    def come_to(self, hour: int) -> dict[str, str]:
        """Let the facts of this hour hold; whom that concerns, and the reason should anything end by it."""
        concerned: dict[str, str] = {}
        for key in self._waiting.pop(hour, ()):
            for subject, reason in self.hold(key, hour).items():
                if concerned.get(subject) != RETRACTED:
                    concerned[subject] = reason
        return concerned

    def hold(self, key: bytes, hour: int) -> dict[str, str]:
        """Let the deal's fact of this hour hold; whom that concerns, and why."""
        fact = next((one for one in reversed(self.facts.get(key, ())) if one.at < hour), None)
        old = self._holding.get(key)
        if fact is None or fact == old:
            return {}
        reason = RETRACTED if fact.refolded else CLEARED
        before = subjects_of(old, self._ruleset) if old is not None else ()
        after = subjects_of(fact, self._ruleset)
        for subject in before:
            self._leave(subject, key)
        for subject in after:
            self._members.setdefault(subject, {})[key] = fact
            self._touched.setdefault(subject, {})[key] = None
        self._holding[key] = fact
        return dict.fromkeys((*before, *after), reason)

    def _leave(self, subject: str, key: bytes) -> None:
        members = self._members[subject]
        del members[key]
        self._touched.setdefault(subject, {})[key] = None
        if not members:
            del self._members[subject]

    def forget_closed(self, before: int) -> list[bytes]:
        """Let go of the deals that were closed before an instant; their keys."""
        gone = [
            key
            for key, fact in self._holding.items()
            if fact.status != OPEN and fact.closed_at < before and self.facts[key][-1] == fact
        ]
        for key in gone:
            for subject in subjects_of(self._holding.pop(key), self._ruleset):
                self._leave(subject, key)
            del self.facts[key]
        return gone


def _hour_after(at: int) -> int:
    """The first full hour after an instant: facts from before it count at it."""
    return (at // HOUR + 1) * HOUR


def _with(known: tuple[Fact, ...], fact: Fact, floor: int) -> tuple[Fact, ...]:
    """A deal's facts with one more: the last of each hour; of those that held before ``floor``, the last."""
    by_hour: dict[int, Fact] = {}
    for one in sorted((*known, fact), key=lambda one: one.revision):
        by_hour[max(_hour_after(one.at), floor)] = one
    return tuple(by_hour.values())
