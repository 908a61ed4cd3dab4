"""The segments' norms, from history: the core without its rules, and what it knows of each deal that was won."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import orjson

from wellwon.core.deal import Deal
from wellwon.core.engine import restore
from wellwon.core.model import OPEN, Ruleset
from wellwon.core.moves import READ_AGAIN
from wellwon.core.norms import Norms
from wellwon.core.output import Output
from wellwon.core.partition import Partition
from wellwon.core.state import decode_state
from wellwon.core.units import DAY
from wellwon.core.wire import encode_clock
from wellwon.history.clock import Tick, with_clock
from wellwon.history.replay import SLICE, Change, LogRecord
from wellwon.policy import Policy, compile_policy
from wellwon.policy.norms import Figure, NormsFile, SegmentNorms

DISCOUNT_PERCENTILE: Final = 75
STAGE_PERCENTILE: Final = 50
DAYS_TO_WON_PERCENTILE: Final = 10


@dataclass(frozen=True, slots=True)
class Won:
    """What a win gives to its segment's norms. Times in milliseconds, by stage."""

    segment: str
    discount: int | None
    """Hundredths of a point."""
    in_window: bool
    stayed: dict[str, int]
    """How long it was in each open stage, all visits together."""
    to_won: dict[str, int]
    """How long it took from leaving each open stage for the last time."""


class WonDeals:
    """Reads a history for its wins. ``wins`` are those that stand at the end, by deal."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._ruleset = compile_policy(dataclasses.replace(policy, specs=()))  # no rule is asked
        self._store: dict[bytes, bytes] = {}
        self._partition = Partition(0, "", self._store, lambda _: self._ruleset)
        self.wins: dict[str, Won] = {}
        self.changes = 0
        self.first_at = 0
        self.last_at = 0

    def read(self, changes: Iterable[Change], until: int | None = None) -> None:
        """Read the changes in event time, up to ``until`` (epoch milliseconds)."""
        waiting: list[LogRecord] = []
        for offset, item in enumerate(with_clock(changes, self._ruleset.calendar, until)):
            if isinstance(item, Tick):
                waiting.append(LogRecord(None, encode_clock(item.at), offset))
            else:
                waiting.append(LogRecord(item.key, item.value, offset))
                self.first_at = min(self.first_at, item.at) if self.changes else item.at
                self.last_at = max(self.last_at, item.at)
                self.changes += 1
            if len(waiting) >= SLICE:
                self._apply(waiting)
                waiting = []
        self._apply(waiting)

    def _apply(self, records: list[LogRecord]) -> None:
        self._take(self._partition.apply(records))
        while (settled := self._partition.settle()) is not None:
            self._take(settled)

    def _take(self, out: Output) -> None:
        for key, value in out.wins:
            told, stored = orjson.loads(value), self._store.get(key)
            if told["withdrawn"] or stored is None:
                self.wins.pop(key.decode(), None)
            else:
                deal = restore(decode_state(stored), self._ruleset).now
                self.wins[key.decode()] = won(deal, told["segment"], self._ruleset)

    def norms(self, made: int) -> NormsFile:
        """The norms of every segment that won anything; ``made``: today, a day number."""
        calendar = self._ruleset.calendar
        stages = [stage for pipeline in self._policy.pipelines for stage in pipeline.open]
        found = {
            segment.name: norms_of([won for won in self.wins.values() if won.segment == segment.name], stages)
            for segment in self._ruleset.segments
        }
        return NormsFile(
            made,
            calendar.local_day(self.first_at),
            calendar.local_day(self.last_at),
            {name: norms for name, norms in found.items() if norms.wins},
        )


def won(deal: Deal, segment: str, ruleset: Ruleset) -> Won:
    """What a won deal gives."""
    day = ruleset.calendar.local_day(deal.won_at)
    period = ruleset.calendar.period_of_day(day)
    window = ruleset.calendar.window_start(period, ruleset.segment_by_name[segment].window_days)
    stayed: dict[str, int] = {}
    to_won: dict[str, int] = {}
    for stage, begin, end in _visits(deal, ruleset):
        stayed[stage] = stayed.get(stage, 0) + end - begin
        to_won[stage] = deal.won_at - end
    return Won(segment, deal.discount, day >= window, stayed, to_won)


def _visits(deal: Deal, ruleset: Ruleset) -> Iterator[tuple[str, int, int]]:
    """The open stages that the deal is known to have entered before it was won: stage, from, until."""
    moves = [move for move in deal.stages if move.at <= deal.won_at]
    ends = [move.at for move in moves[1:]] + [deal.won_at]
    for move, end in zip(moves, ends, strict=True):
        stage = ruleset.stage(deal.pipeline, move.new)
        entered = move.why != READ_AGAIN and (bool(move.old) or deal.creation_seen)
        if entered and stage is not None and stage.status == OPEN:
            yield move.new, move.at, end


def norms_of(wins: list[Won], stages: Iterable[str]) -> SegmentNorms:
    """The norms of a segment's wins; ``stages`` in the order in which they are listed."""
    discounts = [won.discount for won in wins if won.discount is not None and not won.in_window]
    known = any(won.discount is not None for won in wins)
    held = [stage for stage in dict.fromkeys(stages) if any(stage in won.stayed for won in wins)]
    return SegmentNorms(
        len(wins),
        figure(discounts, DISCOUNT_PERCENTILE) if known else None,
        {s: _days([won.stayed[s] for won in wins if s in won.stayed], STAGE_PERCENTILE) for s in held},
        {s: _days([won.to_won[s] for won in wins if s in won.to_won], DAYS_TO_WON_PERCENTILE) for s in held},
    )


def _days(times: list[int], percent: int) -> Figure:
    found = figure(times, percent)
    return found if found.value is None else Figure((found.value + DAY // 2) // DAY, found.n)


def figure(values: list[int], percent: int) -> Figure:
    """A percentile as spreadsheets compute it (PERCENTILE.INC), rounded; no number below `Norms.MIN_WINS` values."""
    count = len(values)
    if count < Norms.MIN_WINS:
        return Figure(None, count)
    ordered = sorted(values)
    place, rest = divmod((count - 1) * percent, 100)
    above = ordered[min(place + 1, count - 1)]
    return Figure(ordered[place] + ((above - ordered[place]) * rest + 50) // 100, count)
