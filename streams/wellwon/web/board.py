"""What the page knows: the alerts that are open, what was said of them, and the wins. Bounded, and pure.

Records may come twice, and those of different topics in any order: the result is the same.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

from wellwon.core.units import parse_instant
from wellwon.deliver.items import SNOOZED, Alert, Reply, Win

OPEN_MAX: Final = 100_000
"""Open alerts kept; beyond them the one that came first is dropped, and the page says so."""
OVER_MAX: Final = 200_000
"""Alerts that are over of which the revision is remembered, so that a repeat does not bring them back."""
SAID_MAX: Final = 50_000
SAID_KEPT: Final = 5
"""Replies kept of one alert."""
WINS_MAX: Final = 100_000
CHANGES_MAX: Final = 20_000
"""Changes kept for those who look on; who is further behind begins anew."""

V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Standing:
    """An open alert. Instants are epoch milliseconds."""

    alert: Alert
    at: int
    opened_at: int


@dataclass(frozen=True, slots=True)
class Changed:
    """Something happened to a headline."""

    number: int
    mark: str
    """The headline's fingerprint."""
    before: Alert | None
    """How it was, for those who could see it then."""


class Board:
    """See the module. ``number`` rises with each change."""

    def __init__(self) -> None:
        self.open: dict[str, Standing] = {}
        self.wins: dict[str, Win] = {}
        self.number = 0
        self.dropped = 0
        """Open alerts that there was no room for."""
        self.now = 0
        """The latest instant that was read, epoch milliseconds."""
        self._over: OrderedDict[str, int] = OrderedDict()
        self._together: dict[str, set[str]] = {}
        self._said: OrderedDict[str, tuple[Reply, ...]] = OrderedDict()
        self._changes: deque[Changed] = deque(maxlen=CHANGES_MAX)

    # --- what comes in --------------------------------------------------------------------------------------------

    def take(self, item: Alert | Win | Reply) -> None:
        """Apply a record."""
        self.now = max(self.now, parse_instant(item.at))
        if isinstance(item, Alert):
            self._alert(item)
        elif isinstance(item, Win):
            self._win(item)
        else:
            self._reply(item)

    def _alert(self, alert: Alert) -> None:
        mark = alert.fingerprint
        known = self.open.get(mark)
        revision = known.alert.revision if known is not None else self._over.get(mark, 0)
        if alert.revision <= revision:
            return
        before = known.alert if known is not None else None
        if known is not None and known.alert.covered_by:
            self._part(known.alert.covered_by, mark)
        if alert.open:
            opened = parse_instant(alert.opened_at) if alert.opened_at else parse_instant(alert.at)
            self.open[mark] = Standing(alert, parse_instant(alert.at), opened)
            self._over.pop(mark, None)
            if alert.covered_by:
                self._together.setdefault(alert.covered_by, set()).add(mark)
            self._make_room()
        else:
            self.open.pop(mark, None)
            self._said.pop(mark, None)
            _remember(self._over, mark, alert.revision, OVER_MAX)
        for one in {mark, self.heading(alert.headline), self.heading(before.headline if before is not None else mark)}:
            self._note(one, before if one == mark else None)
        if not alert.open:
            for one in self._together.get(mark, ()):  # they lead themselves now
                self._note(one, None)

    def _make_room(self) -> None:
        if len(self.open) <= OPEN_MAX:
            return
        mark, standing = next(iter(self.open.items()))
        del self.open[mark]
        if standing.alert.covered_by:
            self._part(standing.alert.covered_by, mark)
        self.dropped += 1
        self._note(mark, standing.alert)

    def _part(self, leader: str, mark: str) -> None:
        marks = self._together.get(leader, set())
        marks.discard(mark)
        if not marks:
            self._together.pop(leader, None)

    def _win(self, win: Win) -> None:
        known = self.wins.get(win.opportunity_id)
        if known is not None and known.revision >= win.revision:
            return
        self.wins.pop(win.opportunity_id, None)
        self.wins[win.opportunity_id] = win
        if len(self.wins) > WINS_MAX:
            del self.wins[next(iter(self.wins))]

    def _reply(self, reply: Reply) -> None:
        said = self._said.get(reply.fingerprint, ())
        if not reply.fingerprint or any(one.id == reply.id for one in said):
            return
        said = tuple(sorted((*said, reply), key=lambda one: parse_instant(one.at))[-SAID_KEPT:])
        _remember(self._said, reply.fingerprint, said, SAID_MAX)
        if reply.fingerprint in self.open:
            self._note(self.heading(reply.fingerprint), None)

    def _note(self, mark: str, before: Alert | None) -> None:
        self.number += 1
        self._changes.append(Changed(self.number, mark, before))

    # --- what it knows --------------------------------------------------------------------------------------------

    def leads(self, standing: Standing) -> bool:
        """Whether an open alert stands for itself: patterns of one save are shown with their headline."""
        return not standing.alert.covered_by or standing.alert.covered_by not in self.open

    def headline(self, mark: str) -> Standing | None:
        """The open headline of that fingerprint, None where there is none."""
        standing = self.open.get(mark)
        return standing if standing is not None and self.leads(standing) else None

    def headlines(self, wanted: Callable[[Alert], bool]) -> list[Standing]:
        """The open headlines that are wanted, the newest first."""
        found = [one for one in self.open.values() if wanted(one.alert) and self.leads(one)]
        found.sort(key=lambda one: one.at, reverse=True)
        return found

    def together(self, mark: str) -> list[Alert]:
        """The open alerts that a headline stands for, by rule."""
        found: dict[str, Alert] = {}
        asked = [mark]
        while asked:
            for one in self._together.get(asked.pop(), ()):
                if one in self.open and one != mark and one not in found:
                    found[one] = self.open[one].alert
                    asked.append(one)
        return sorted(found.values(), key=lambda alert: alert.rule)

    def heading(self, mark: str) -> str:
        """The open headline under which an alert is shown: what covers it may be covered itself by now."""
        passed = set()
        while mark not in passed and (standing := self.open.get(mark)) is not None:
            passed.add(mark)
            if standing.alert.covered_by in self.open:
                mark = standing.alert.covered_by
        return mark

    def said(self, standing: Standing) -> tuple[Reply, ...]:
        """What was said since the alert opened, oldest first."""
        replies = self._said.get(standing.alert.fingerprint, ())
        return tuple(one for one in replies if parse_instant(one.at) >= standing.opened_at)

    def snoozed_until(self, standing: Standing) -> int:
        """Until when it is put off, epoch milliseconds; 0 if it is not. A change after the snooze ends it."""
        if standing.alert.fingerprint not in self._said:
            return 0
        snoozes = [one for one in self.said(standing) if one.kind == SNOOZED]
        if not snoozes or parse_instant(snoozes[-1].at) < standing.at:
            return 0
        return parse_instant(snoozes[-1].until)

    def of_deal(self, deal: str) -> list[Standing]:
        """The open headlines of a deal, the newest first."""
        return self.headlines(lambda alert: alert.opportunity_id == deal)

    def since(self, number: int) -> list[Changed] | None:
        """The last change of each headline after a number, oldest first; None where they are not all kept any more."""
        if number == self.number:
            return []
        if number > self.number or not self._changes or self._changes[0].number > number + 1:
            return None
        latest: dict[str, Changed] = {}
        for change in self._after(number):
            earlier = latest.pop(change.mark, None)
            before = change.before if earlier is None or earlier.before is None else earlier.before
            latest[change.mark] = Changed(change.number, change.mark, before)
        return list(latest.values())

    def _after(self, number: int) -> Iterator[Changed]:
        for index in range(number + 1 - self._changes[0].number, len(self._changes)):
            yield self._changes[index]


def _remember(kept: OrderedDict[str, V], key: str, value: V, most: int) -> None:
    """Keep a value as the newest, and no more than so many."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)
