"""The detect worker: a Faust app with one agent, over slices of the change topic.

`Detect` is what the slices go through. It owns partitions, restores their states when it gains them, lets go of them
when it loses them, and stops at the first thing that could make an output wrong.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from faust.types import TP

from wellwon.core.state import CONTROL_KEY
from wellwon.core.wire import encode_policy
from wellwon.policy import PolicyError, compile_text
from wellwon.runtime import restore, topics
from wellwon.runtime.member import Member, now_ms
from wellwon.runtime.metrics import Metrics
from wellwon.runtime.outlet import Changelog, Outlet
from wellwon.runtime.owned import Core, Owned
from wellwon.runtime.pipeline import Pipeline
from wellwon.runtime.settings import Settings
from wellwon.runtime.transport import Slice, use_slices

log = logging.getLogger(__name__)

MakeCore = Callable[[int, dict[bytes, bytes], int], Core]
"""Builds the core of a partition from (number, restored states, generation)."""


class Detect(Member):
    """A running detect worker; see the module. `app` is the Faust app to start."""

    def __init__(self, settings: Settings, make_core: MakeCore, policy: str, flow: topics.Flow = topics.DETECT) -> None:
        self.flow = flow
        self.metrics = Metrics()
        super().__init__(settings, settings.group, self.metrics.ready)
        self.owned: dict[int, Owned] = {}
        self.fingerprint = compile_text(policy).fingerprint
        self._make_core = make_core
        self._policy = policy
        self._announced = False
        self._partitions = 0
        self.state_topic_id = ""
        self._generation = -1
        self._due = asyncio.Event()
        self._topic = settings.topic(flow.log)
        use_slices(self.app, self)
        source = self.app.topic(self._topic, key_serializer="raw", value_serializer="raw")
        self.app.agent(source, name=flow.name)(self._agent)

    # --- slices ------------------------------------------------------------------------------------------------------

    async def _agent(self, slices: Any) -> None:
        async for records in slices:
            self.take(records)

    def take(self, records: Slice) -> None:
        """Apply a slice. A slice that comes while suspended is dropped: it is read again from the watermark."""
        owned = self.owned.get(records[0].partition)
        if owned is None or self.suspended:
            return
        known = owned.core.policy
        try:
            owned.take(records)
            if owned.core.policy != known:
                said = {"partition": owned.number, "fingerprint": compile_text(owned.core.policy).fingerprint}
                log.info("policy taken up", extra=said)
            if owned.settle():
                self._due.set()
        except Exception as error:
            self.fail(error)

    async def settling(self) -> None:
        """Apply what falls due by the clock, in chunks between slices."""
        while True:
            await self._due.wait()
            self._due.clear()
            blocked = False
            for owned in list(self.owned.values()):
                if self.suspended:
                    break
                if owned.pipeline.full:
                    blocked = True
                elif owned.settle():
                    self._due.set()
            if blocked:
                self._due.set()
                await self.wait_for_room(0.05)
            await asyncio.sleep(0)

    # --- what the transport asks (transport.Durable) -----------------------------------------------------------------

    def watermarks(self) -> Mapping[TP, int]:
        """Return the offsets that may be committed."""
        return {
            TP(self._topic, number): owned.pipeline.durable + 1
            for number, owned in self.owned.items()
            if owned.pipeline.durable >= 0
        }

    def full(self, tp: TP) -> bool:
        """Tell whether the partition has enough under way."""
        owned = self.owned.get(tp.partition)
        return owned is not None and owned.pipeline.full

    def new_outlet(self) -> Outlet:
        """The producers of this worker."""
        return Outlet(self.settings, self.fail, state=self.flow.states)

    def pipelines(self) -> list[Pipeline]:
        """What is under way, by partition."""
        return [owned.pipeline for owned in self.owned.values()]

    # --- partitions --------------------------------------------------------------------------------------------------

    async def take_over(self) -> None:
        """Restore the partitions that were gained, let go of those that were lost."""
        generation: int = self.app.consumer_generation_id
        revocations = self._revocations
        wanted = {tp.partition for tp in self.app.consumer.assignment() if tp.topic == self._topic}
        # A generation that this worker did not take part in may have had another owner of its partitions.
        kept = wanted & set(self.owned) if generation == self._generation + 1 else set()
        for number in set(self.owned) - kept:
            self.owned.pop(number).let_go()
        gained = sorted(wanted - kept)
        if gained:
            await self._restore(gained, generation)
        for owned in self.owned.values():
            owned.belongs_to(generation)
        self._generation = generation
        log.info("partitions assigned", extra={"generation": generation, "partitions": sorted(wanted)})
        if self.resume(revocations):
            self._due.set()
            if self.flow is topics.DETECT:  # the rollup takes up what the deals' partitions have
                self._announce_policy(gained)

    def _announce_policy(self, gained: list[int]) -> None:
        """Write this worker's policy into the log, where it takes effect: at its start, unless the log has it already.

        Whoever published last decides, in all partitions alike: a worker that starts, or `wellwon policy apply`. What
        a worker gains later keeps what is in force.
        """
        assert self.outlet is not None
        differs = not self._announced and any(self.owned[number].core.policy != self._policy for number in gained)
        unheard = [number for number in gained if CONTROL_KEY not in self.owned[number].store]
        for number in range(self._partitions) if differs else unheard:
            self.outlet.control(number, encode_policy(self._policy, now_ms()))
        self._announced = True

    async def _restore(self, gained: list[int], generation: int) -> None:
        began = time.monotonic()
        self.metrics.restoring.set(len(gained))
        built = await asyncio.to_thread(self._build, gained, generation)
        for owned, found in built:
            self.owned[owned.number] = owned
            if found.lineage is None or found.lineage.encode() != owned.lineage:
                owned.write_lineage()
            if found.stale:
                owned.rewrite(found.stale)
        gc.collect()
        gc.freeze()  # what was restored stays; the collector need not look at it again
        took = time.monotonic() - began
        self.metrics.restore_seconds.set(took)
        self.metrics.restoring.set(0)
        deals = sum(owned.deals for owned, _ in built)
        log.info("states restored", extra={"partitions": gained, "deals": deals, "seconds": round(took, 3)})

    def _build(self, gained: list[int], asked: int) -> list[tuple[Owned, restore.Restored]]:
        """Return the gained partitions; ``asked`` is the group's generation. Runs in a thread."""
        settings, outlet = self.settings, self.outlet
        assert outlet is not None
        source = restore.inspect(settings, self.flow)
        self.state_topic_id = source.state_id
        self._partitions = source.partitions
        if source.partitions != settings.partitions:
            log.warning("%s: %s", *restore.partitions_differ(settings, self._topic, source.partitions))
        restored = restore.restore(settings, source, gained, self.checkpoints, state=self.flow.states)
        built = []
        for number, found in restored.items():
            # A group that Kafka forgot counts from 1 again, and what it writes must be the later all the same.
            generation = max(asked, found.generation + 1)
            try:
                core = self._make_core(number, found.store, generation)
            except PolicyError as error:
                raise restore.Refused(
                    "the states were made under a policy that this wellwon does not read any more; let the wellwon"
                    f" that wrote them take up one that it does, then start this one again: {error}"
                ) from error
            changelog = Changelog(number, found.end, generation)
            owned = Owned(
                settings, number, core, found.store, changelog, outlet, self.metrics, self.flow, source.partitions
            )
            owned.lineage = restore.Lineage(source.changes_id, source.partitions, settings.epoch).encode()
            built.append((owned, found))
        return built

    @property
    def checkpoints(self) -> Path:
        """The folder of this group's checkpoints."""
        return self.settings.data / self.settings.group
