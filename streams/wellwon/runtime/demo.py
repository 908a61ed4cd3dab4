"""A real detect and a real deliver worker on a broker inside this process, fed by hand: for the demo.

Nothing is taken from the worker but what anyone may have: what it writes to its topics, its state of a deal, its
metrics. A log is played in parts; after each the worker has caught up, so that what it says can be told in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from faust.types import TP

from wellwon.core.deal import Deal
from wellwon.core.engine import restore
from wellwon.core.state import decode_state
from wellwon.history.clock import Tick
from wellwon.policy import compile_text
from wellwon.runtime import logs, serving, sinks, topics
from wellwon.runtime.connection import librdkafka
from wellwon.runtime.deliver import Deliver
from wellwon.runtime.demo_slack import DemoSlack, demo_slack
from wellwon.runtime.detect import Detect
from wellwon.runtime.directory_files import read_directory
from wellwon.runtime.embedded import EmbeddedBroker
from wellwon.runtime.endpoint import Endpoint
from wellwon.runtime.ingest import Ingest
from wellwon.runtime.settings import Settings
from wellwon.runtime.worker import build_detect, working
from wellwon.sources.normalise import Outgoing

START_S = 30.0
CATCH_UP_S = 60.0
_POLL_S = 0.01
DELIVERY = """
deliver:
  settle_minutes: 0
  quiet_hours: {begin: "00:00", end: "00:00"}
  weekly_digest: {to: []}
  escalation: {severities: []}
  earned_wins_to: []
  routes: [{to: [owner]}]
  sinks:
    slack: {kind: slack, hears: [owner, revops], channels: {revops: "#revops"}}
"""
"""Told at once, in the log's time: in a demo nobody waits for the morning."""


class DemoFailed(Exception):
    """The worker stopped, or did not get on."""


class Stage:
    """A running worker and the means to play to it and to hear what it says."""

    def __init__(
        self, settings: Settings, detect: Detect, deliver: Deliver, slack: DemoSlack, endpoint: Endpoint, policy: str
    ) -> None:
        self.settings = settings
        self.slack = slack
        self._detect = detect
        self._deliver = deliver
        self._ruleset = compile_text(policy)
        self._ingest = Ingest(settings)
        self._reader = Consumer(
            {**librdkafka(settings), "group.id": "wellwon-demo", "enable.auto.commit": False, "log_level": 2}
        )
        self._offsets: dict[tuple[str, int], int] = {}
        self.metrics_url = f"http://127.0.0.1:{endpoint.port}/metrics"

    async def play(self, records: Iterable[Outgoing | Tick]) -> None:
        """Write these to the log and return when the worker has done everything that follows from them."""

        def send() -> None:
            self._ingest.send(records)
            self._ingest.confirm()

        await asyncio.to_thread(send)
        ends = await asyncio.to_thread(self.ends, topics.CHANGES)
        await self._until(lambda: self._caught_up(ends), CATCH_UP_S, "the worker did not keep up")
        said = {
            TP(self.settings.topic(topic), number): end
            for topic in (topics.ALERTS, topics.WINS)
            for number, end in (await asyncio.to_thread(self.ends, topic)).items()
            if end
        }
        await self._until(lambda: self._has_read(said), CATCH_UP_S, "the deliver worker did not keep up")

    async def told(self) -> None:
        """Return when Slack has everything that is to be told by now."""
        await self._until(self._has_told, CATCH_UP_S, "the deliver worker did not tell everything")

    def _has_read(self, said: dict[TP, int]) -> bool:
        done = self._deliver.watermarks()
        return all(done.get(tp, 0) >= end for tp, end in said.items())

    def _has_told(self) -> bool:
        desk = self._deliver.desk
        return desk is not None and not desk.outstanding()

    async def heard(self, topic: str) -> list[bytes]:
        """What has come to a topic since the last call, in the order of each partition."""
        return await asyncio.to_thread(self._read, topic)

    def deal(self, key: str) -> Deal | None:
        """A deal as the worker knows it."""
        for owned in self._detect.owned.values():
            if (value := owned.store.get(key.encode())) is not None:
                return restore(decode_state(value), self._ruleset).now
        return None

    def _caught_up(self, ends: dict[int, int]) -> bool:
        owned = self._detect.owned
        return all(
            number in owned
            and owned[number].position >= end
            and not owned[number].settle()
            and owned[number].pipeline.empty
            for number, end in ends.items()
            if end
        )

    async def ready(self) -> None:
        """Return when the worker processes what comes."""
        await self._until(
            lambda: self._detect.ready() is None and self._deliver.ready() is None, START_S, "the worker did not start"
        )

    async def _until(self, done: Any, limit: float, otherwise: str) -> None:
        async def wait() -> None:
            while not done():
                if (wrong := self._detect.live() or self._deliver.live()) is not None:
                    raise DemoFailed(f"the worker stopped: {wrong}")
                await asyncio.sleep(_POLL_S)

        try:
            await asyncio.wait_for(wait(), limit)
        except TimeoutError:
            raise DemoFailed(f"{otherwise} within {limit:.0f} s") from None

    def ends(self, topic: str) -> dict[int, int]:
        """The next offset of each partition of a topic."""
        name = self.settings.topic(topic)
        found = self._reader.list_topics(name, timeout=10).topics[name].partitions
        return {
            number: self._reader.get_watermark_offsets(TopicPartition(name, number), timeout=10)[1] for number in found
        }

    def _read(self, topic: str) -> list[bytes]:
        name = self.settings.topic(topic)
        wanted = {number: end for number, end in self.ends(topic).items() if end > self._offsets.get((name, number), 0)}
        starts = [TopicPartition(name, n, self._offsets.get((name, n), OFFSET_BEGINNING)) for n in wanted]
        self._reader.assign(starts)
        values: list[bytes] = []
        while wanted:
            message = self._reader.poll(CATCH_UP_S)
            if message is None or message.error() is not None:
                raise DemoFailed(f"topic {name} cannot be read: {message.error() if message else 'no answer'}")
            number, after = message.partition() or 0, (message.offset() or 0) + 1
            if number in wanted:
                values.append(message.value() or b"")
                self._offsets[name, number] = after
                if after >= wanted[number]:
                    del wanted[number]
        self._reader.unassign()
        return values

    def close(self) -> None:
        """Let go of the broker."""
        with contextlib.suppress(Exception):
            self._ingest.__exit__(None, None, None)
        self._reader.close()


@contextlib.asynccontextmanager
async def on_stage(policy: str, people: str) -> AsyncIterator[Stage]:
    """Start broker, workers and Slack, with a policy's text and that of the file of people; all end with the block."""
    policy += DELIVERY
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wellwon-demo-")))
        broker = stack.enter_context(EmbeddedBroker())
        slack = await stack.enter_async_context(demo_slack())
        (folder / "policy.yaml").write_text(policy, encoding="utf-8")
        (folder / "people.csv").write_text(people, encoding="utf-8")
        debugging = os.environ.get("WELLWON_LOG_LEVEL", "").strip() == "debug"
        settings = broker.settings(
            policy=folder / "policy.yaml",
            people=folder / "people.csv",
            clock="log",
            slack_api=slack.url,
            log_level="debug" if debugging else "error",
        )
        logs.set_up(settings)
        await asyncio.to_thread(broker.declare, settings)
        directory = read_directory(settings)
        transports = sinks.connect(settings, directory.delivery, {"WELLWON_SINK_SLACK": "xoxb-demo"})
        deliver, detect = Deliver(settings, directory, transports), build_detect(settings)
        duties = [deliver.keeping_time()]
        await stack.enter_async_context(serving.serving(deliver, deliver.metrics.page, duties, deliver.dispatch.close))
        endpoint = await stack.enter_async_context(working(detect))
        stage = await asyncio.to_thread(Stage, settings, detect, deliver, slack, endpoint, policy)
        try:
            await stage.ready()
            yield stage
        finally:
            await asyncio.to_thread(stage.close)
