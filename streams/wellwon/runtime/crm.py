"""Writes facts back into one CRM, outside the agent: what a slow or dead CRM holds up is its own facts only.

A deal waits in a lane, as messages do, once its facts differ from what the CRM shows. What goes out is noted before and
what became of it after, so that a successor knows what the CRM may show by then. Between rounds facts gather.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import groupby
from math import inf

import msgspec
from prometheus_client import CollectorRegistry

from wellwon.core.output import DeadLetter
from wellwon.deliver import crm_facts
from wellwon.deliver.crm_facts import FlagFacts, Write
from wellwon.deliver.desk import Desk
from wellwon.runtime.crm_metrics import CrmMetrics
from wellwon.runtime.lanes import Lane
from wellwon.sinks.crm import CrmTransport
from wellwon.sinks.crm_budget import Budget
from wellwon.sinks.transport import Delivered, Later, Outcome, Refused

log = logging.getLogger(__name__)

GATHER_S = 1.0
"""Least time between two rounds."""
GIVE_UP_MS = 24 * 3_600_000
"""Facts that a CRM does not take for so long, while it takes others, become a dead letter."""

CrmOutcome = tuple[bytes, Write, Outcome]
"""Key of the deal, what was written, what became of it."""


class CrmWriter:
    """See the module. ``settled`` is called on the event loop with what the CRM said of a round."""

    def __init__(
        self, system: str, transport: CrmTransport, metrics: CrmMetrics,
        settled: Callable[[CrmWriter, list[CrmOutcome]], None],
    ) -> None:  # fmt: skip
        self.system = system
        self._transport = transport
        self._settled = settled
        self._metrics = metrics
        self._budget: Budget | None = None
        self._lane: Lane | None = None
        self._queued: set[bytes] = set()
        self._failing: dict[bytes, int] = {}
        """Since when a deal's facts are not taken, epoch milliseconds."""
        self._wins: list[tuple[int, bytes]] = []
        self._round: asyncio.Task[None] | None = None
        self._under_way: object = None
        self._free_at = 0.0

    @property
    def waiting(self) -> int:
        """Deals whose facts the CRM does not show yet."""
        return 0 if self._lane is None else self._lane.length

    def begin(self, desk: Desk, now: int) -> None:
        """Look through all deals: another worker may have left something to be written."""
        if self._budget is None:
            self._budget = Budget(self._share(desk), time.monotonic())
        if self._lane is None:
            # Each deal waits once at most, and nothing would ask again for one that found no room.
            self._lane = Lane(0.0, self._transport.batch, random.random, inf)
            self.look(desk, desk.ledger.records, now)

    def _share(self, desk: Desk) -> int:
        return crm_facts.writes_of(desk.directory.policy.crm, self.system).api_share_percent

    def let_go(self) -> None:
        """Forget what waits and break off the round: what went out is noted as not known."""
        if self._round is not None:
            self._round.cancel()
        self._lane = self._round = self._under_way = None
        self._queued.clear()
        self._failing.clear()
        self._wins.clear()

    def look(self, desk: Desk, keys: Iterable[bytes], now: int) -> None:
        """Queue the deals among ``keys`` whose facts differ from what the CRM shows."""
        if self._lane is None:
            return
        crm = desk.directory.policy.crm
        for key in keys:
            if key.startswith(b"\0") or key in self._queued or not crm_facts.is_of(self.system, key.decode()):
                continue
            file = desk.ledger.peek(key)
            if (due := crm_facts.win_due(file, crm)) > now:
                heapq.heappush(self._wins, (due, key))
            if crm_facts.pending(file, key.decode(), self.system, crm, now):
                self._offer(self._lane, key)

    def _offer(self, lane: Lane, key: bytes) -> None:
        lane.offer((key, "", self.system))
        self._queued.add(key)

    def pick(self, desk: Desk, now: int) -> Callable[[], None] | None:
        """Note what goes out in the next round, and return what sends it once that is written; None for nothing."""
        lane, budget, monotonic = self._lane, self._budget, time.monotonic()
        if lane is None or budget is None or self._under_way is not None or monotonic < self._free_at:
            return None
        while self._wins and self._wins[0][0] <= now:
            self.look(desk, [heapq.heappop(self._wins)[1]], now)
        crm = desk.directory.policy.crm
        budget.learn(self._transport.usage.limit, self._share(desk))
        if budget.left(monotonic) < 1:
            return None
        found: list[tuple[bytes, Write]] = []
        while (place := lane.next(monotonic)) is not None:
            key = place[0]
            writes = crm_facts.pending(desk.ledger.peek(key), key.decode(), self.system, crm, now)
            if not writes:
                self._done(lane, key, taken=False)
                continue
            crm_facts.attempt(desk.ledger.file(key), self.system, writes)
            found += [(key, write) for write in writes]
        if not found:
            return None
        self._under_way = found
        return partial(self._send, found)

    def _send(self, found: list[tuple[bytes, Write]]) -> None:
        if self._under_way is found:
            self._round = asyncio.ensure_future(self._write(found))

    async def _write(self, found: list[tuple[bytes, Write]]) -> None:
        outcomes: list[CrmOutcome] = []
        by_kind = sorted(found, key=lambda one: isinstance(one[1].facts, FlagFacts))
        for _, of_kind in groupby(by_kind, key=lambda one: isinstance(one[1].facts, FlagFacts)):
            together = list(of_kind)
            for start in range(0, len(together), self._transport.batch):
                batch = together[start : start + self._transport.batch]
                said = await self._request(batch)
                outcomes += [(key, write, outcome) for (key, write), outcome in zip(batch, said, strict=True)]
        self._under_way = self._round = None
        self._free_at = time.monotonic() + GATHER_S
        self._settled(self, outcomes)

    async def _request(self, batch: list[tuple[bytes, Write]]) -> list[Outcome]:
        before = self._transport.usage.calls
        try:
            return await self._transport.write([write.facts for _, write in batch])
        except Exception as error:
            log.exception("writing facts to %s failed", self.system)
            return [Later(f"{type(error).__name__} in wellwon", unsure=True)] * len(batch)
        finally:
            calls = self._transport.usage.calls - before
            self._metrics.calls.labels(self.system).inc(calls)
            if self._budget is not None:
                self._budget.spend(calls, time.monotonic())

    def settle(self, desk: Desk, outcomes: list[CrmOutcome], now: int) -> list[DeadLetter]:
        """Note what became of a round; what the CRM will not take is returned as dead letters."""
        lane = self._lane
        if lane is None:
            return []
        was_open = lane.open_circuit
        letters: list[DeadLetter] = []
        later: dict[bytes, Later] = {}
        for key, write, outcome in outcomes:
            if isinstance(outcome, Later) and self._may_wait(key, outcomes, now):
                later[key] = outcome
                self._metrics.facts.labels(self.system, "later").inc()
                continue
            if key in desk.ledger.records:
                crm_facts.note(desk.ledger.file(key), self.system, write)
            if isinstance(outcome, Delivered):
                self._metrics.facts.labels(self.system, "taken").inc()
            else:
                letters.append(self._refused(key, write, outcome))
        for key in dict.fromkeys(key for key, _, _ in outcomes):
            if (failed := later.get(key)) is None:
                self._done(lane, key)
            else:
                self._failing.setdefault(key, now)
                lane.failed(key, time.monotonic(), failed.seconds)
        if later:
            why = next(iter(later.values())).why
            level = logging.WARNING if lane.open_circuit and not was_open else logging.DEBUG
            log.log(level, "%s did not take facts of %d deals, they are tried again: %s", self.system, len(later), why)
        return letters

    def _may_wait(self, key: bytes, outcomes: list[CrmOutcome], now: int) -> bool:
        """Whether facts are tried again: while nothing is taken, the CRM is down, and that is no fault of theirs."""
        others_are_taken = any(isinstance(outcome, Delivered) for _, _, outcome in outcomes)
        return not others_are_taken or now - self._failing.get(key, now) < GIVE_UP_MS

    def _refused(self, key: bytes, write: Write, outcome: Later | Refused) -> DeadLetter:
        reason = "too-old" if isinstance(outcome, Later) else "refused"
        self._metrics.facts.labels(self.system, reason).inc()
        log.warning("%s does not take facts of a deal (%s): %s", self.system, reason, outcome.why)
        return DeadLetter(key, msgspec.json.encode(write.facts), -1, f"crm-{reason}", outcome.why)

    def _done(self, lane: Lane, key: bytes, *, taken: bool = True) -> None:
        lane.done(key, taken=taken)
        self._queued.discard(key)
        self._failing.pop(key, None)

    def observe(self) -> None:
        """Update the gauges."""
        lane, usage, metrics = self._lane, self._transport.usage, self._metrics
        metrics.waiting.labels(self.system).set(self.waiting)
        metrics.circuit.labels(self.system).set(lane is not None and lane.open_circuit)
        left = 0.0 if self._budget is None else self._budget.left(time.monotonic())
        metrics.budget.labels(self.system).set(max(0, int(left)))
        metrics.used.labels(self.system).set(usage.used)
        metrics.limit.labels(self.system).set(usage.limit)

    async def close(self) -> None:
        """Let go of the CRM."""
        await self._transport.close()


class CrmWriters:
    """All CRMs that are written to."""

    def __init__(
        self, transports: Mapping[str, CrmTransport], registry: CollectorRegistry,
        settled: Callable[[CrmWriter, list[CrmOutcome]], None],
    ) -> None:  # fmt: skip
        metrics = CrmMetrics(registry, transports)
        self._writers = [CrmWriter(system, one, metrics, settled) for system, one in transports.items()]

    @property
    def waiting(self) -> int:
        """Deals whose facts are not shown yet, each counted for every CRM that lacks them."""
        return sum(writer.waiting for writer in self._writers)

    def begin(self, desk: Desk, now: int) -> None:
        """Take up a desk."""
        for writer in self._writers:
            writer.begin(desk, now)

    def look(self, desk: Desk, keys: Iterable[bytes], now: int) -> None:
        """See whether the facts of these deals differ from what the CRMs show."""
        keys = list(keys)
        for writer in self._writers:
            writer.look(desk, keys, now)

    def pick(self, desk: Desk, now: int) -> list[Callable[[], None]]:
        """What is to be sent now; call each once it is noted that it goes out."""
        return [send for writer in self._writers if (send := writer.pick(desk, now))]

    def let_go(self) -> None:
        """Send nothing more."""
        for writer in self._writers:
            writer.let_go()

    def observe(self) -> None:
        """Update the gauges."""
        for writer in self._writers:
            writer.observe()

    async def close(self) -> None:
        """Let go of the CRMs."""
        for writer in self._writers:
            await writer.close()
