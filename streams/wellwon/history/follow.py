"""One deal through its changes, by the core alone: what held of it, since when, and what became of it.

The core is per deal, so deals are followed one after the other, each in its own time: when it wakes, the clock shows
exactly that instant (a live partition's clock shows it some seconds later, a replay's at the next full hour).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wellwon.core import records
from wellwon.core.deal import MOVES_KEPT, Deal
from wellwon.core.engine import DUPLICATE, Step, deal_type_of, leaves_at, step
from wellwon.core.items import ACTIVITY, ANSWER, LINE_ITEM, Change, Clock, DealItem
from wellwon.core.lifecycle import OPENED, RESOLVED, Transition
from wellwon.core.model import Ruleset
from wellwon.core.moves import DateMove
from wellwon.core.outcome import CHANGE, CLOCK, Outcomes
from wellwon.core.output import Output
from wellwon.core.rule import SEVERITIES, Finding
from wellwon.core.state import State
from wellwon.core.stored import WinState
from wellwon.core.win import Win, is_won, read_win
from wellwon.history.deal_run import DateMoved, DealRun, Flag
from wellwon.history.group_facts import GroupFacts

_APART: Final = frozenset((ACTIVITY, ANSWER, LINE_ITEM))
"""Changes whose values are no fields of the deal: the kind itself is what is known."""

_PLACE: Final = {severity: place for place, severity in enumerate(SEVERITIES)}


class _Trail:
    """What is noted of a deal on its way."""

    __slots__ = ("changes", "dates", "first_at", "flags", "forecast", "known", "open", "owners", "records", "win")

    def __init__(self) -> None:
        self.flags: list[Flag] = []
        self.open: dict[tuple[str, str], int] = {}
        """Rule and period to the place of the open flag."""
        self.win: Win | None = None
        self.forecast: list[str] = []
        self.known: set[str] = set()
        self.dates: dict[tuple[int, int, int | None], DateMove] = {}
        """The moves that the state no longer keeps, or may soon push out."""
        self.changes = 0
        self.first_at = 0
        self.owners: set[str] = set()
        self.records: list[bytes] = []

    def keep(self, deal: Deal) -> None:
        """Keep the moves of the date that the state holds now."""
        self.dates.update({(move.at, move.commit, move.new): move for move in deal.dates})


class _Notes(Outcomes):
    """Concludes steps as a partition does, and notes what it would publish."""

    trail: _Trail
    recording = False

    def publish(self, out: Output, key: bytes, state: State, transitions: list[Transition]) -> None:
        """Note what opened, changed and resolved."""
        flags, open_ = self.trail.flags, self.trail.open
        for transition in transitions:
            alert = transition.alert
            if self.recording:
                family = self.family(alert.rule)
                record = records.alert_record(key.decode(), state.now, transition, family, state.segment, state.at)
                self.trail.records.append(record)
            subject = alert.rule, alert.period
            if transition.kind == OPENED:
                open_[subject] = len(flags)
                flags.append(
                    Flag(
                        rule=alert.rule,
                        family=self.family(alert.rule),
                        mode=alert.mode,
                        period=alert.period,
                        severity=alert.severity,
                        opened_at=state.at,
                        closed_at=0,
                        ended="",
                        covered=bool(alert.covered_by),
                        close_date=state.now.close_date,
                        amount=state.now.annual_amount,
                    )
                )
                continue
            flag = flags[open_[subject]]
            if transition.kind == RESOLVED:
                flag.closed_at, flag.ended = state.at, transition.reason
                del open_[subject]
            else:
                flag.severity = max(flag.severity, alert.severity, key=_PLACE.__getitem__)
                flag.covered = bool(alert.covered_by)

    def publish_win(self, out: Output, key: bytes, state: State, *, won: bool) -> None:
        """Note how it was won, until what belongs to the win has arrived."""
        self.trail.win = read_win(state.now, state.alerts, self._ruleset) if won else None
        state.win = WinState(1, 0, "", withdrawn=not won)


class Follower:
    """Follows deals under one policy.

    ``groups``: notes what deals count for to owners and teams. ``recording``: alert records and all owners are kept.
    """

    def __init__(self, ruleset: Ruleset, groups: GroupFacts | None = None, *, recording: bool = False) -> None:
        self._ruleset = ruleset
        self._groups = groups
        self._notes = _Notes(ruleset)
        self._notes.recording = recording
        self._out = Output()
        self.failures: list[str] = []
        """Rules that raised, and changes that the core could not digest, with the deal: they are mistakes of ours."""

    def follow(self, deal_id: str, changes: Iterable[tuple[int, DealItem]], end: int) -> DealRun | None:
        """Run a deal up to ``end`` (epoch milliseconds); None if nothing happened to it before.

        ``changes``: each with the time that the log had told when it came, never earlier than the one before.
        """
        ruleset, key = self._ruleset, deal_id.encode()
        trail = self._notes.trail = _Trail()
        groups, since = self._groups, 0
        state: State | None = None
        last: State | None = None
        for clock, item in changes:
            if item.at > end:
                continue
            clock = min(clock, end)
            try:
                if groups is not None and state is not None:
                    groups.stood(deal_id, state, since, max(item.at, clock))
                if state is not None and 0 <= state.wake_at <= clock:
                    state = self._settle(key, state, clock)
                done = step(state, item, ruleset, clock)
                if done.outcome == DUPLICATE:
                    continue
                state = last = self._conclude(key, done, CHANGE)
            except Exception as error:
                self.failures.append(f"{deal_id}: {type(error).__name__}: {error}")
                continue
            since = state.at
            trail.changes += 1
            self._note(trail, state.now, item)
        if last is None:
            return None
        if state is not None:
            try:
                if groups is not None:
                    groups.stood(deal_id, state, since, end)
                last = self._settle(key, state, end) or last
            except Exception as error:
                self.failures.append(f"{deal_id}: {type(error).__name__}: {error}")
        return self._run(deal_id, last, trail, end)

    def _settle(self, key: bytes, state: State, clock: int) -> State | None:
        """What time alone changes up to an instant; None when the deal leaves the state."""
        while 0 <= state.wake_at <= clock:
            at = state.wake_at
            if 0 <= leaves_at(state.now, self._ruleset) <= at:
                findings: dict[str, Finding | None] = dict.fromkeys(a.rule for a in state.alerts if not a.closed_at)
                state.at = at
                self._conclude(key, Step(state, findings), CLOCK)
                self._notes.trail.keep(state.now)
                return None
            state = self._conclude(key, step(state, Clock(at), self._ruleset), CLOCK)
        return state

    def _conclude(self, key: bytes, done: Step, reason: str) -> State:
        state = self._notes.conclude(self._out, key, done, reason)
        if self._out.dead_letters:
            self.failures += [f"{key.decode()}: {one.rule}: {one.detail}" for one in self._out.dead_letters]
            self._out = Output()
        return state

    @staticmethod
    def _note(trail: _Trail, deal: Deal, item: DealItem) -> None:
        if not trail.first_at:
            trail.first_at = deal.first_at
        if deal.category and (not trail.forecast or trail.forecast[-1] != deal.category):
            trail.forecast.append(deal.category)
        if len(deal.dates) >= MOVES_KEPT or trail.dates:
            trail.keep(deal)
        if not isinstance(item, Change):
            return
        if item.kind in _APART:
            trail.known.add(item.kind)
        elif not trail.known.issuperset(item.values):
            trail.known.update(name for name, value in item.values.items() if value is not None)
        if deal.owner not in trail.owners:
            trail.owners.add(deal.owner)

    def _run(self, deal_id: str, state: State, trail: _Trail, end: int) -> DealRun:
        deal, calendar = state.now, self._ruleset.calendar
        won = trail.win if is_won(deal) else None
        period = calendar.period_of_day(won.date) if won is not None else None
        if deal.discount is not None:
            trail.known.add("discount")
        trail.keep(deal)
        return DealRun(
            deal_id=deal_id,
            owner=deal.owner,
            segment=state.segment,
            deal_type=deal_type_of(deal, self._ruleset),
            pipeline=deal.pipeline,
            currency=deal.currency,
            name=deal.name,
            first_at=trail.first_at,
            created_at=deal.created_at,
            last_at=deal.last_at,
            ended_at=end,
            status=deal.status,
            closed_at=deal.closed_at,
            amount=deal.annual_amount,
            list_amount=deal.list_amount,
            discount=deal.discount,
            close_date=deal.close_date,
            forecast=tuple(trail.forecast),
            changes=trail.changes,
            flags=tuple(trail.flags),
            dates=tuple(
                DateMoved(move.at, move.old, move.new, move.why, move.crossed)
                for move in sorted(trail.dates.values(), key=lambda move: move.at)
            ),
            win=won,
            win_period=period.label if period is not None else "",
            days_to_period_end=period.end_day - won.date if period is not None and won is not None else None,
            known=frozenset(trail.known),
            owners=frozenset(trail.owners),
            records=tuple(trail.records),
        )
