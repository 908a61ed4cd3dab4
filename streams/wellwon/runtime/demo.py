"""Real workers on a broker inside this process, fed by hand, and stand-ins for Slack and Salesforce: for the demo.

Nothing is taken from the workers but what anyone may have: what they write to their topics, their state of a deal,
their metrics, what Slack and Salesforce were sent. A log is played in scenes; after each everything that follows from
it has happened, so that it can be told in order, and is the same whenever the same log is played.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from faust.types import TP

from wellwon.core.deal import Deal
from wellwon.core.engine import restore
from wellwon.core.state import decode_state
from wellwon.history.clock import Tick
from wellwon.policy import compile_text
from wellwon.runtime import crm_systems, logs, serving, sinks, topics
from wellwon.runtime.connection import librdkafka
from wellwon.runtime.demo_deliver import DemoDeliver
from wellwon.runtime.demo_salesforce import DemoSalesforce, demo_salesforce
from wellwon.runtime.demo_slack import DemoSlack, demo_slack
from wellwon.runtime.detect import Detect
from wellwon.runtime.directory_files import read_directory
from wellwon.runtime.embedded import FETCH_WAIT_MS, EmbeddedBroker
from wellwon.runtime.ingest import Ingest
from wellwon.runtime.rollup import build_rollup
from wellwon.runtime.settings import Settings
from wellwon.runtime.transport import fetch_quickly
from wellwon.runtime.worker import build_detect, working
from wellwon.sources.normalise import Outgoing

START_S: Final = 30.0
CATCH_UP_S: Final = 60.0
_POLL_S: Final = 0.01
DELIVERY: Final = """
deliver:
  settle_minutes: 0
  quiet_hours: {begin: "00:00", end: "00:00"}
  weekly_digest: {to: []}
  escalation: {severities: []}
  earned_wins_to: []
  routes:
    - {when: {families: [team]}, to: [revops]}
    - {to: [owner]}
  sinks:
    slack: {kind: slack, hears: [owner, revops], channels: {revops: "#revops"}}
crm:
  salesforce: {write: [alerts, wins], api_share_percent: 100}
  wins_after_hours: 0
"""
"""Told at once, in the log's time: in a demo nobody waits for the morning."""
SECRETS: Final = {
    "WELLWON_SINK_SLACK": "xoxb-demo",
    "WELLWON_CRM_SALESFORCE_CLIENT_ID": "demo",
    "WELLWON_CRM_SALESFORCE_CLIENT_SECRET": "demo",
}

Page = Callable[[Settings], AbstractAsyncContextManager[str]]
"""Serves the live page for the length of a block, which is given its address."""


class DemoFailed(Exception):
    """A worker stopped, or did not get on."""


class Stage:
    """The running workers and the means to play to them and to hear what they say."""

    def __init__(
        self, settings: Settings, detect: Detect, rollup: Detect, deliver: DemoDeliver, policy: str,
        slack: DemoSlack, salesforce: DemoSalesforce,
    ) -> None:  # fmt: skip
        self.settings = settings
        """Those of the workers; `Settings.page` is the live page's address."""
        self.slack = slack
        self.salesforce = salesforce
        self.metrics_url = ""
        self._detect = detect
        self._rollup = rollup
        self._deliver = deliver
        self._ruleset = compile_text(policy)
        self._ingest = Ingest(settings)
        self._reader = Consumer(
            librdkafka(settings)
            | {"group.id": "wellwon-demo", "enable.auto.commit": False, "log_level": 2}
            | {"fetch.wait.max.ms": FETCH_WAIT_MS}
        )
        self._offsets: dict[tuple[str, int], int] = {}

    async def play(self, records: Iterable[Outgoing | Tick]) -> None:
        """Write these to the log and return when everything that follows from them is done."""

        def send() -> None:
            self._ingest.send(records)
            self._ingest.confirm()

        await asyncio.to_thread(send)
        for worker, log in ((self._detect, topics.CHANGES), (self._rollup, topics.FACTS)):
            ends = await asyncio.to_thread(self.ends, log)
            await self._until(lambda: _caught_up(worker, ends), f"{worker.group} did not keep up")  # noqa: B023
        said = {
            TP(self.settings.topic(topic), number): end
            for topic in (topics.ALERTS, topics.WINS)
            for number, end in (await asyncio.to_thread(self.ends, topic)).items()
            if end
        }
        await self._until(lambda: self._deliver.has_read(said), f"{self._deliver.group} did not keep up")
        try:
            await asyncio.wait_for(self._deliver.tell(), CATCH_UP_S)
        except TimeoutError:
            raise DemoFailed(f"{self._deliver.group} did not tell everything within {CATCH_UP_S:.0f} s") from None

    async def heard(self, topic: str) -> list[bytes]:
        """What has come to a topic since the last call, in the order of each partition."""
        return await asyncio.to_thread(self._read, topic)

    def deal(self, key: str) -> Deal | None:
        """A deal as the worker knows it."""
        for owned in self._detect.owned.values():
            if (value := owned.store.get(key.encode())) is not None:
                return restore(decode_state(value), self._ruleset).now
        return None

    def go_on(self) -> None:
        """The play is over; from here on people may answer."""
        self._deliver.go_on()

    async def ready(self) -> None:
        """Return when the workers process what comes."""
        workers = (self._detect, self._rollup, self._deliver)
        await self._until(lambda: all(one.ready() is None for one in workers), "the workers did not start", START_S)

    async def _until(self, done: Callable[[], bool], otherwise: str, limit: float = CATCH_UP_S) -> None:
        async def wait() -> None:
            while not done():
                if (wrong := self._detect.live() or self._rollup.live() or self._deliver.live()) is not None:
                    raise DemoFailed(f"a worker stopped: {wrong}")
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


def _caught_up(worker: Detect, ends: dict[int, int]) -> bool:
    owned = worker.owned
    return all(
        number in owned
        and owned[number].position >= end
        and not owned[number].settle()
        and owned[number].pipeline.empty
        for number, end in ends.items()
        if end
    )


@contextlib.asynccontextmanager
async def _no_page(settings: Settings) -> AsyncIterator[str]:
    yield settings.page


@contextlib.asynccontextmanager
async def on_stage(policy: str, people: str, page: Page = _no_page) -> AsyncIterator[Stage]:
    """Start broker, workers and stand-ins, with a policy's text and that of the file of people.

    All end with the block. ``page`` serves the live page: its address stands in the messages.
    """
    policy += DELIVERY
    async with contextlib.AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wellwon-demo-")))
        broker = stack.enter_context(EmbeddedBroker())
        slack = await stack.enter_async_context(demo_slack())
        salesforce = await stack.enter_async_context(demo_salesforce())
        (folder / "policy.yaml").write_text(policy, encoding="utf-8")
        (folder / "people.csv").write_text(people, encoding="utf-8")
        debugging = os.environ.get("WELLWON_LOG_LEVEL", "").strip() == "debug"
        settings = broker.settings(
            policy=folder / "policy.yaml",
            people=folder / "people.csv",
            clock="log",
            slack_api=slack.url,
            slack_signing_secret="demo",
            private_webhooks=True,
            log_level="debug" if debugging else "error",
        )
        logs.set_up(settings)
        await asyncio.to_thread(broker.declare, settings)
        settings = replace(settings, page=await stack.enter_async_context(page(settings)))
        deliver = _deliver(settings, salesforce.url)
        detect, rollup = build_detect(settings), build_rollup(settings)
        for worker in (detect, rollup, deliver):
            fetch_quickly(worker.app, FETCH_WAIT_MS)
        duties = [deliver.keeping_time()]
        await stack.enter_async_context(serving.serving(deliver, deliver.metrics.page, duties, deliver.close))
        await stack.enter_async_context(working(rollup))
        endpoint = await stack.enter_async_context(working(detect))
        stage = await asyncio.to_thread(Stage, settings, detect, rollup, deliver, policy, slack, salesforce)
        stage.metrics_url = f"http://127.0.0.1:{endpoint.port}/metrics"
        try:
            await stage.ready()
            yield stage
        finally:
            await asyncio.to_thread(stage.close)


def _deliver(settings: Settings, salesforce: str) -> DemoDeliver:
    directory = read_directory(settings)
    secrets = {**SECRETS, "WELLWON_CRM_SALESFORCE_URL": salesforce}
    transports: dict[str, Any] = sinks.connect(settings, directory.delivery, secrets)
    for transport in transports.values():
        transport.pace_s = 0.0  # the demo's Slack takes as many messages a second as there are
    return DemoDeliver(settings, directory, transports, crm_systems.connect(settings, directory.policy.crm, secrets))
