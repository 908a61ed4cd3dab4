"""Hands messages to the sinks, outside the agent, and collects what they say: a lane and a transport for each."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping

from wellwon.deliver.desk import Attempt, Desk
from wellwon.deliver.directory import Address, Directory
from wellwon.runtime.deliver_metrics import DeliverMetrics
from wellwon.runtime.lanes import Lane, Place
from wellwon.runtime.member import now_ms
from wellwon.sinks.transport import Later, Outcome, Parcel, Transport

log = logging.getLogger(__name__)

GATHER_S = 0.01
"""What sinks say is gathered for so long, so that it is written together."""

Settled = Callable[[list[tuple[Attempt, Outcome]]], None]


class Dispatch:
    """See the module. ``settled`` is called on the event loop with what the sinks said, some at a time."""

    def __init__(
        self, group: str, directory: Directory, transports: Mapping[str, Transport], metrics: DeliverMetrics,
        settled: Settled, *, timed: bool,
    ) -> None:  # fmt: skip
        """``timed``: whether what is due is due by the clock on the wall, so that delays can be measured."""
        self.directory = directory
        self.lanes: dict[str, Lane] = {}
        self._group = group
        self._transports = transports
        self._metrics = metrics
        self._settled = settled
        self._timed = timed
        self._delay = {sink: metrics.latency.labels(sink) for sink in transports}
        self._sending: set[asyncio.Task[None]] = set()
        self._outcomes: list[tuple[Attempt, Outcome]] = []

    def begin(self) -> None:
        """Open the lanes."""
        self.lanes = {name: Lane(one.pace_s, one.parallel, random.random) for name, one in self._transports.items()}

    def let_go(self) -> None:
        """Forget what waits and break off what is being sent: it is somebody else's now."""
        self.lanes.clear()
        self._outcomes.clear()
        for task in self._sending:
            task.cancel()

    async def drain(self, seconds: float) -> None:
        """Give what is being sent so long to be answered."""
        if self._sending:
            await asyncio.wait(set(self._sending), timeout=seconds)
            await asyncio.sleep(2 * GATHER_S)  # `settled` is called in the meantime

    def pick(self, desk: Desk, now: int) -> list[Attempt]:
        """Take what may go out now; ``now`` is the desk's time."""
        monotonic, found = time.monotonic(), []
        for sink, lane in self.lanes.items():
            while (place := lane.next(monotonic)) is not None:
                attempt = desk.attempt(place[0], place[1], now)
                if attempt is None:
                    lane.done(place[0], taken=False)
                    continue
                if attempt.repeat:
                    self._metrics.repeated.labels(sink).inc()
                found.append(attempt)
        return found

    def offer(self, place: Place) -> str:
        """Queue a message; why not, where it cannot be."""
        lane = self.lanes.get(Address.parse(place[2]).sink)
        if lane is None:
            return "no-sink"
        return "" if lane.offer(place) else "queue-full"

    def send(self, attempts: list[Attempt]) -> None:
        """Send what was picked."""
        for attempt in attempts:
            task = asyncio.ensure_future(self._send(attempt))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)

    async def _send(self, attempt: Attempt) -> None:
        message = attempt.message
        address = Address.parse(message.address)
        if self._timed:
            self._delay[address.sink].observe(max(0.0, (now_ms() - message.due_at) / 1000))
        try:
            outcome = await self._transports[address.sink].send(self._parcel(attempt, address))
        except Exception as error:
            log.exception("sink %s failed on a message", address.sink)
            outcome = Later(f"{type(error).__name__} in wellwon", unsure=True)
        if not self._outcomes:
            asyncio.get_running_loop().call_later(GATHER_S, self._tell)
        self._outcomes.append((attempt, outcome))

    def _parcel(self, attempt: Attempt, address: Address) -> Parcel:
        message, directory = attempt.message, self.directory
        person = directory.people.get(address.person) if address.person else None
        return Parcel(
            id=f"{self._group}/{message.id}",
            to=person.email if person is not None else directory.sinks[address.sink].channels.get(address.to, ""),
            private=person is not None,
            card=message.card,
            zone=directory.zone(address),
            refs=attempt.refs,
            thread=attempt.thread,
        )

    def _tell(self) -> None:
        outcomes, self._outcomes = self._outcomes, []
        self._settled(outcomes)

    def again(self, sink: str, key: bytes, outcome: Later) -> None:
        """Send the message under way of this deal once more, later."""
        lane = self.lanes[sink]
        self._metrics.retried.labels(sink).inc()
        was_open = lane.open_circuit
        lane.failed(key, time.monotonic(), outcome.seconds)
        if lane.open_circuit and not was_open:
            log.warning("sink %s fails, it is tried less often now: %s", sink, outcome.why)

    def observe(self) -> None:
        """Update the gauges."""
        for sink, lane in self.lanes.items():
            self._metrics.waiting.labels(sink).set(lane.length)
            self._metrics.circuit.labels(sink).set(lane.open_circuit)

    async def close(self) -> None:
        """Let go of the sinks."""
        for transport in self._transports.values():
            await transport.close()
