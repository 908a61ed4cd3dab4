"""The core alone over a log: the oracle that live runs are compared with, as a command."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Protocol

import orjson

from wellwon.core.facts import encode_facts, encode_mark
from wellwon.core.lifecycle import RETRACTED
from wellwon.core.model import Ruleset
from wellwon.core.output import DeadLetter, Output
from wellwon.core.partition import Partition
from wellwon.core.rollup import Rollup
from wellwon.core.units import format_instant
from wellwon.core.wire import encode_clock
from wellwon.history.clock import Tick, with_clock

SLICE: Final = 500


class Change(Protocol):
    """A record of the log of changes, as a source's feed gives it."""

    @property
    def key(self) -> bytes: ...
    @property
    def value(self) -> bytes: ...
    @property
    def at(self) -> int: ...


class LogRecord(NamedTuple):
    """A record as the core takes it."""

    key: bytes | None
    value: bytes | None
    offset: int


@dataclass(slots=True)
class Summary:
    """What a replay saw and said."""

    changes: int = 0
    deals: int = 0
    first_at: int = 0
    last_at: int = 0
    transitions: Counter[str] = field(default_factory=Counter)
    open: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Alerts open at the end, by rule and severity."""
    wins: Counter[str] = field(default_factory=Counter)
    """Deals that are won at the end, by reading."""
    dead_letters: Counter[str] = field(default_factory=Counter)
    opened: Counter[str] = field(default_factory=Counter)
    """Alerts that opened, by rule."""
    retracted: Counter[str] = field(default_factory=Counter)
    """Alerts that were taken back, by rule: corrected or explained soon after."""
    duplicates: int = 0
    late: int = 0

    def as_dict(self) -> dict[str, Any]:
        """For ``--json``."""
        by_rule: dict[str, dict[str, int]] = {}
        for (rule, severity), count in sorted(self.open.items()):
            by_rule.setdefault(rule, {})[severity] = count
        return {
            "changes": self.changes,
            "deals": self.deals,
            "first_at": format_instant(self.first_at) if self.changes else None,
            "last_at": format_instant(self.last_at) if self.changes else None,
            "transitions": dict(sorted(self.transitions.items())),
            "open": by_rule,
            "opened_by_rule": dict(sorted(self.opened.items())),
            "retracted_by_rule": {rule: self.retracted[rule] for rule in sorted(self.opened)},
            "wins": dict(sorted(self.wins.items())),
            "dead_letters": dict(sorted(self.dead_letters.items())),
            "duplicates": self.duplicates,
            "late": self.late,
        }


class Replay:
    """Runs one partition and a rollup over a log and hands on the records that the topics would hold."""

    def __init__(
        self,
        policy: str,
        compile_policy: Callable[[str], Ruleset],
        *,
        alert: Callable[[bytes], None],
        win: Callable[[bytes], None],
        dead_letter: Callable[[DeadLetter], None],
    ) -> None:
        """``policy`` is the policy's text; each callback gets the value of one record, in order."""
        self._partition = Partition(0, policy, {}, compile_policy)
        self._rollup = Rollup(policy, {}, compile_policy)
        self._alert = alert
        self._win = win
        self._dead_letter = dead_letter
        self._open: dict[str, tuple[str, str]] = {}
        self._wins: dict[str, str] = {}
        self._deals: set[bytes] = set()
        self.summary = Summary()

    def run(self, changes: Iterable[Change], until: int | None = None) -> Summary:
        """Play the changes in event time, clock included, up to ``until`` (epoch milliseconds)."""
        waiting: list[LogRecord] = []
        for offset, item in enumerate(with_clock(changes, self._partition.ruleset.calendar, until)):
            if isinstance(item, Tick):
                waiting.append(LogRecord(None, encode_clock(item.at), offset))
            else:
                waiting.append(LogRecord(item.key, item.value, offset))
                self._note(item)
            if isinstance(item, Tick) or len(waiting) >= SLICE:
                self._apply(waiting)
                waiting = []
        self._apply(waiting)
        self.summary.deals = len(self._deals)
        self.summary.open = Counter(self._open.values())
        self.summary.wins = Counter(self._wins.values())
        return self.summary

    def _note(self, change: Change) -> None:
        summary = self.summary
        summary.first_at = min(summary.first_at, change.at) if summary.changes else change.at
        summary.last_at = max(summary.last_at, change.at)
        summary.changes += 1
        self._deals.add(change.key)

    def _apply(self, records: list[LogRecord]) -> None:
        if not records:
            return
        outputs = [self._partition.apply(records)]
        while (settled := self._partition.settle()) is not None:
            outputs.append(settled)
        facts = [value for out in outputs for value in encode_facts(tuple(out.facts.values()), 0)]
        facts.append(encode_mark(self._partition.clock, 0, 1))
        for out in outputs:
            self._take(out)
        self._take(self._rollup.apply(LogRecord(None, value, 0) for value in facts))

    def _take(self, out: Output) -> None:
        summary = self.summary
        summary.duplicates += out.counts.duplicates
        summary.late += out.counts.late
        for _, value in out.alerts:
            self._alert(value)
            alert = orjson.loads(value)
            summary.transitions[alert["transition"]] += 1
            if alert["transition"] == "opened":
                summary.opened[alert["rule"]] += 1
            if alert["transition"] == "resolved":
                summary.retracted[alert["rule"]] += alert["reason"] == RETRACTED
                self._open.pop(alert["fingerprint"], None)
            else:
                self._open[alert["fingerprint"]] = alert["rule"], alert["severity"]
        for key, value in out.wins:
            self._win(value)
            win = orjson.loads(value)
            if win["withdrawn"]:
                self._wins.pop(key.decode(), None)
            else:
                self._wins[key.decode()] = win["reading"]
        for letter in out.dead_letters:
            self._dead_letter(letter)
            summary.dead_letters[letter.reason] += 1
