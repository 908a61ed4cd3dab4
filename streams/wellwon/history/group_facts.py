"""What owners' and teams' rules count of deals that are followed one by one.

A rollup judges owners and teams at every full hour. Here the deals come one after the other, so that nobody knows of
all deals at an hour; and an hour of a large team would cost as much as all its deals. So owners and teams are judged at
the midnights of a period's last days, its end included, by what was true then. What each deal counts for at those
instants is put on disk, by period and by whom it concerns; `group_judge` goes through it.
"""

from __future__ import annotations

import os
import pickle
import zlib
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from wellwon.core.calendar import Period
from wellwon.core.exemption import uncounted
from wellwon.core.facts import Fact
from wellwon.core.group import PeriodView, subjects_of
from wellwon.core.model import OPEN, Ruleset
from wellwon.core.rule import OWNER_SUBJECT, TEAM_SUBJECT
from wellwon.core.stance import fact_of
from wellwon.core.state import State

BUCKETS: Final = 8
"""Files of a period: owners and teams are spread over them, so that not all of them are in memory at once."""

_Counts = Callable[[Any, Any], Any]


class Counted(NamedTuple):
    """What a rule counts of a deal from an instant on."""

    at: int
    deal: bytes
    subject: str
    rule: str
    part: Any
    """None: nothing any more."""


class Instants:
    """When owners and teams are judged: midnights of each period's window, and its end; and the end of the history."""

    def __init__(self, ruleset: Ruleset, begin: int, end: int) -> None:
        calendar = ruleset.calendar
        window = max(segment.window_days for segment in ruleset.segments)
        self.at: list[int] = []
        self.periods: list[Period] = []
        """Of each instant, the period that is judged."""
        if not begin:
            return  # nothing was read
        period = calendar.period_of(begin)
        while True:
            first = calendar.window_start(period, window)
            days = [calendar.midnight(day) for day in range(first + 1, period.end_day + 2)]
            if calendar.midnight(first) < end < period.end_at:
                days = [*(at for at in days if at < end), end]
            days = [at for at in days if at <= end]
            self.at += days
            self.periods += [period] * len(days)
            if period.end_at > end:
                return
            period = calendar.period_of(period.end_at)


class GroupFacts:
    """Notes what the deals of one process count for."""

    def __init__(self, ruleset: Ruleset, instants: Instants, folder: Path) -> None:
        self._ruleset = ruleset
        self._exempts = bool(ruleset.exemptions)
        self._instants, self._periods = instants.at, instants.periods
        self._folder = folder
        self._rules: dict[str, list[tuple[str, _Counts, frozenset[str]]]] = {OWNER_SUBJECT: [], TEAM_SUBJECT: []}
        """Of owners and of teams: name, what is counted, and of which deal types."""
        for rule in ruleset.group_rules:
            count = rule.spec.counts
            assert count is not None
            self._rules[rule.spec.subject].append((rule.spec.name, count, rule.deal_types))
        self._views: dict[int, PeriodView] = {}
        self._noted: dict[tuple[int, int], list[Counted]] = {}
        self._deal = ""
        self._before: dict[int, dict[tuple[str, str], Any]] = {}
        """Of this deal, by period: what it counts for, by whom and by rule."""

    def stood(self, deal: str, state: State, since: int, until: int) -> None:
        """A deal stood like this from one instant until just before another (epoch milliseconds)."""
        instants, now = self._instants, state.now
        place, end = bisect_right(instants, since), len(instants)
        if place == end or instants[place] > until or not now.stage:
            return
        if deal != self._deal:
            self._deal, self._before = deal, {}
        fact: Fact | None = None
        noted: Period | None = None
        while place < end and (at := instants[place]) <= until:
            period = self._periods[place]
            if now.status != OPEN and now.closed_at < period.start_at:
                return
            place += 1
            if period is noted and not self._exempts:
                continue
            noted = period
            fact = fact or fact_of(deal.encode(), state, self._ruleset, 0, refolded=False)
            self._note(at, period, fact)

    def _note(self, at: int, period: Period, fact: Fact) -> None:
        view = self._views.get(period.index)
        if view is None:
            view = self._views[period.index] = PeriodView(period, self._ruleset)
        counts: dict[tuple[str, str], Any] = {}
        for subject in subjects_of(fact, self._ruleset):
            for name, count, deal_types in self._rules[subject.partition(":")[0]]:
                if fact.deal_type not in deal_types:
                    continue
                if self._exempts and uncounted(name, fact, at, self._ruleset):
                    continue
                part = count(view, fact)
                if part is not None:
                    counts[subject, name] = part
        before = self._before.get(period.index)
        if before is None:
            if not counts:
                return
            before = {}
        self._before[period.index] = counts
        for subject, name in {**before, **counts}:
            part = counts.get((subject, name))
            if part != before.get((subject, name)):
                where = period.index, zlib.crc32(subject.encode()) % BUCKETS
                counted = Counted(at, fact.deal.encode(), subject, name, part)
                self._noted.setdefault(where, []).append(counted)

    def keep(self) -> None:
        """Put on disk what was noted since this was asked last."""
        for (period, bucket), noted in self._noted.items():
            with (self._folder / f"groups-{period}-{bucket}-{os.getpid()}").open("ab") as out:
                pickle.dump([tuple(one) for one in noted], out, pickle.HIGHEST_PROTOCOL)
        self._noted.clear()
