"""The timeline language: a deal's life in lines, and what should be said of it.

One line is one record of the log, in the organisation's local time::

    policy: {window_days: 10}
    2026-09-01 10:00  created stage=Proposal close_date=2026-09-30 discount=12 list=100000 by=anna   .
    2026-09-28 16:40  discount=22 close_date=2026-09-30 by=anna same-save=x    ! late-discount warning
    2026-09-29        ! some-rule info; resolved late-discount cleared

A line begins with a date and a time (without one, noon; midnight where nothing is written: such a line is a clock
record); a time with a Z is UTC. Then ``field=value`` pairs (quotes around blanks, nothing for empty), and words:

==============================  ==========================================================================
``created deleted restored``    the kind of the change; without one it is ``changed``; also ``snapshot gap``
``by=anna``                     written by the person anna; ``by=integration:sync`` by another kind of writer
``same-save=x``                 part of the save x, as other lines with this word
``bulk=240``                    the save touched so many deals
``id=a``                        the source's id; a repeat has the same
``bulk-of=a,b``                 the changes a and b turned out to be part of a bulk edit
``inbound`` ``answer=traded``   a touch (also ``outbound``); an answer to an alert (``rule=late-discount``)
``line=L1``                     a line item: ``quantity= unit_price= list_price= removed=true``
``deal=a`` ``deal=a1..a8``      another deal than the one without a name; several, one record each
==============================  ==========================================================================

At the end stands what is told: ``! RULE SEVERITY``, ``resolved RULE REASON`` or ``won READING``, several joined by
``;``. A ``.`` is silence, and so is nothing. ``#`` begins a comment. The clock ticks at every local midnight between
lines; what is told then must have a line of its own.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from wellwon.core import items
from wellwon.core.calendar import FiscalCalendar
from wellwon.core.facts import encode_facts, encode_mark
from wellwon.core.lifecycle import COVERED
from wellwon.core.model import Ruleset
from wellwon.core.partition import Partition
from wellwon.core.rollup import Rollup
from wellwon.core.units import DAY, HOUR, format_instant, parse_date, parse_instant
from wellwon.core.wire import encode_clock

DEAL: Final = "deal"
_SHORT: Final = {
    "discount": "discount_percent",
    "list": "list_amount",
    "category": "forecast_category",
    "owner": "owner_id",
    "buyer_date": "buyer_confirmed_date",
    "term": "term_months",
    "prepaid": "prepaid_months",
}
_KINDS: Final = (items.CREATED, items.DELETED, items.RESTORED, items.SNAPSHOT, items.GAP)
_OF_WIRE: Final = {"same-save": "transaction", "id": "id", "rule": "rule"}
_FLAGS: Final = {"true": True, "false": False}


class TimelineError(ValueError):
    """A timeline that cannot be read: which line, and why."""


class Told(NamedTuple):
    """What is told, or expected: ``opened`` stands for told, be it new or changed."""

    what: str  # a rule, or "won"
    how: str  # a severity, "resolved" with its reason, or a reading

    def __str__(self) -> str:
        if self.what == "won":
            return f"won {self.how}"
        reason = self.how.removeprefix("resolved ")
        return f"! {self.what} {self.how}" if reason == self.how else f"resolved {self.what} {reason}"


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a timeline."""

    number: int
    text: str
    when: str
    words: tuple[str, ...]
    expected: tuple[Told, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """A timeline, read: its policy (text, empty for the defaults) and its lines."""

    policy: str
    lines: tuple[Line, ...]


@dataclass(slots=True)
class Seen:
    """What was published at an instant; ``line`` is None for a midnight between lines."""

    at: int
    line: Line | None
    alerts: list[dict[str, Any]] = field(default_factory=list)
    wins: list[dict[str, Any]] = field(default_factory=list)

    @property
    def told(self) -> list[Told]:
        """What a timeline would say of it; an alert that a headline now covers is no news."""
        told = []
        for alert in self.alerts:
            if alert["transition"] == "resolved":
                told.append(Told(alert["rule"], f"resolved {alert['reason']}"))
            elif alert["reason"] != COVERED:
                told.append(Told(alert["rule"], alert["severity"]))
        return told + [Told("won", "withdrawn" if win["withdrawn"] else win["reading"]) for win in self.wins]


# --- reading --------------------------------------------------------------------------------------------------


def parse(text: str) -> Timeline:
    """Read a timeline. Raises `TimelineError`."""
    policy: list[str] = []
    lines: list[Line] = []
    for number, raw in enumerate(text.splitlines(), start=1):
        if not raw.strip() or raw.lstrip().startswith("#"):
            continue
        if raw.strip().startswith("policy:"):
            policy.append(raw.strip().removeprefix("policy:").strip())
        else:
            lines.append(_line(number, raw.strip()))
    return Timeline("\n".join(policy), tuple(lines))


def _line(number: int, text: str) -> Line:
    try:
        words = shlex.split(text, comments=True)
    except ValueError as error:
        raise TimelineError(f"line {number}: {error}: {text}") from None
    when = words.pop(0)
    if words and words[0][:1].isdigit() and ":" in words[0]:
        when = f"{when} {words.pop(0)}"
    end = next((i for i, word in enumerate(words) if word in ("!", ".", "resolved", "won")), len(words))
    expected: list[Told] = []
    if words[end:] not in ([], ["."]):
        clauses = " ".join(words[end:]).split(";")
        expected = [_expected(number, clause.split()) for clause in clauses]
    return Line(number, text, when, tuple(words[:end]), tuple(expected))


def _expected(number: int, words: list[str]) -> Told:
    match words:
        case ["!", rule, severity]:
            return Told(rule, severity)
        case ["resolved", rule, reason]:
            return Told(rule, f"resolved {reason}")
        case ["won", reading]:
            return Told("won", reading)
    raise TimelineError(
        f"line {number}: {' '.join(words)!r} is none of: ! RULE SEVERITY, resolved RULE REASON, won READING"
    )


def _instant(line: Line, calendar: FiscalCalendar) -> int:
    day, _, time = line.when.partition(" ")
    try:
        if time.endswith("Z"):
            return parse_instant(f"{day}T{time if time.count(':') == 2 else time[:-1] + ':00Z'}")
        if not time and not line.words:
            return calendar.midnight(parse_date(day))
        parse_date(day)
        local = datetime.fromisoformat(f"{day}T{time or '12:00'}").replace(tzinfo=ZoneInfo(calendar.zone))
    except ValueError as error:
        raise TimelineError(f"line {line.number}: {error}") from None
    return round(local.timestamp() * 1_000)


def _deals(line: Line) -> list[str]:
    """The deals that a line is about."""
    named = next((word[5:] for word in line.words if word.startswith("deal=")), DEAL)
    first, several, last = named.partition("..")
    if not several:
        return [named]
    name = first.rstrip("0123456789")
    try:
        numbers = range(int(first.removeprefix(name)), int(last.removeprefix(name)) + 1)
    except ValueError:
        raise TimelineError(f"line {line.number}: {named!r} is no range of deals such as a1..a8") from None
    return [f"{name}{number}" for number in numbers]


def _record(line: Line, at: int, deal: str) -> bytes:
    """The wire form of what a line writes of a deal."""
    wire: dict[str, Any] = {
        "id": f"line {line.number}",
        "opportunity_id": deal,
        "source": "timeline",
        "occurred_at": format_instant(at),
        "kind": items.CHANGED,
        "writer": {"id": "crm", "kind": "system"},
    }
    values: dict[str, Any] = {}
    for word in line.words:
        name, given, value = word.partition("=")
        if not given and word in _KINDS:
            wire["kind"] = word
        elif not given and word in ("inbound", "outbound"):
            wire |= {"kind": items.ACTIVITY, "direction": word}
        elif not given:
            raise TimelineError(f"line {line.number}: {word!r} is neither field=value nor a known word")
        elif name == "deal":
            continue
        elif name == "by":
            kind, colon, person = value.partition(":")
            wire["writer"] = {"id": person, "kind": kind} if colon else {"id": value, "kind": items.USER}
        elif name == "bulk":
            if not value.isdecimal():
                raise TimelineError(f"line {line.number}: bulk: {value!r} is not a whole number")
            wire["bulk"] = int(value)
        elif name in _OF_WIRE:
            wire[_OF_WIRE[name]] = value
        elif name == "bulk-of":
            wire |= {"kind": items.RECLASSIFIED, "changes": value.split(",")}
        elif name == "answer":
            wire |= {"kind": items.ANSWER, "answer": value}
        elif name == "line":
            wire |= {"kind": items.LINE_ITEM, "line_item_id": value}
        else:
            values[_SHORT.get(name, name)] = _FLAGS.get(value, value) if value else None
    return msgspec.json.encode({**wire, "values": values})


# --- running --------------------------------------------------------------------------------------------------


class _Record(NamedTuple):
    key: bytes | None
    value: bytes
    offset: int


def run(
    timeline: Timeline, compile_policy: Callable[[str], Ruleset], store: dict[bytes, bytes] | None = None
) -> list[Seen]:
    """Play a timeline through a partition of its own. Raises `TimelineError` for what the partition rejects.

    ``store`` is filled with what the partition keeps: the deal's state is under `DEAL`.
    """
    calendar = compile_policy(timeline.policy).calendar
    played = _Played(timeline.policy, compile_policy, {} if store is None else store)
    seen: list[Seen] = []
    latest = 0
    for line in timeline.lines:
        at = _instant(line, calendar)
        for midnight in _midnights(calendar, latest, at):
            seen.append(Seen(midnight, None))
            played.apply(None, encode_clock(midnight), seen[-1])
        latest = max(latest, at)
        seen.append(Seen(at, line))
        if not line.words:
            played.apply(None, encode_clock(at), seen[-1])
        for deal in _deals(line) if line.words else ():
            played.apply(deal.encode(), _record(line, at, deal), seen[-1])
    return seen


def _midnights(calendar: FiscalCalendar, after: int, before: int) -> list[int]:
    """The local midnights strictly between two instants; none before the first line.

    A day of 25 hours has a tick after its first hour as well, so that no change is more than a day ahead of the clock.
    """
    if not after or before <= after:
        return []
    ticks = []
    for day in range(calendar.local_day(after), calendar.local_day(before) + 1):
        midnight = calendar.midnight(day)
        ticks += [midnight, midnight + HOUR] if calendar.midnight(day + 1) - midnight > DAY else [midnight]
    return [at for at in ticks if after < at < before]


class _Played:
    """A partition and a rollup of their own."""

    def __init__(self, policy: str, compile_policy: Callable[[str], Ruleset], store: dict[bytes, bytes]) -> None:
        self._partition = Partition(0, policy, store, compile_policy)
        self._rollup = Rollup(policy, {}, compile_policy)
        self._offset = 0

    def apply(self, key: bytes | None, value: bytes, seen: Seen) -> None:
        """Play a record, and note what is said of it."""
        self._offset += 1
        outputs = [self._partition.apply([_Record(key, value, self._offset)])]
        while (settled := self._partition.settle()) is not None:
            outputs.append(settled)
        told = [fact for output in outputs for fact in encode_facts(tuple(output.facts.values()), 0)]
        if key is None:
            told.append(encode_mark(self._partition.clock, 0, 1))
        outputs.append(self._rollup.apply(_Record(None, fact, self._offset) for fact in told))
        for output in outputs:
            for dead in output.dead_letters:
                where = "between lines" if seen.line is None else f"line {seen.line.number}"
                raise TimelineError(f"{where}: {dead.rule or dead.reason}: {dead.detail}")
            seen.alerts += [msgspec.json.decode(value) for _, value in output.alerts]
            seen.wins += [msgspec.json.decode(value) for _, value in output.wins]


def check(
    text: str, compile_policy: Callable[[str], Ruleset], rules: Collection[str] = (), policy: str = ""
) -> list[str]:
    """Play a timeline and say where it is told otherwise than expected; nothing if all is as expected.

    Only ``rules`` are compared, and what the timeline itself names; without ``rules`` everything is, but for wins.
    ``policy`` is for a timeline that has none of its own.
    """
    timeline = parse(text)
    timeline = timeline if timeline.policy else Timeline(policy, timeline.lines)
    named = {expected.what for line in timeline.lines for expected in line.expected}
    return [
        _mismatch(seen, expected, told)
        for seen in run(timeline, compile_policy)
        if (expected := sorted(seen.line.expected if seen.line is not None else ()))
        != (told := sorted(one for one in seen.told if _is_compared(one.what, named, rules)))
    ]


def _is_compared(what: str, named: set[str], rules: Collection[str]) -> bool:
    return what in named or what in rules or (not rules and what != "won")


def _mismatch(seen: Seen, expected: list[Told], told: list[Told]) -> str:
    where = f"line {seen.line.number}: {seen.line.text}" if seen.line is not None else "between lines"
    wanted = "; ".join(map(str, expected)) or "silence"
    got = "; ".join(map(str, told)) or "silence"
    return f"{where}\n    at {format_instant(seen.at)} expected {wanted}, got {got}"
