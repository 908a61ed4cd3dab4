"""What every worker over slices is: a member of a consumer group that takes them, and stops at the first failure."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import faust
from faust.tables import TableManager
from prometheus_client import Gauge

from wellwon.runtime.connection import faust_broker, faust_credentials
from wellwon.runtime.outlet import Outlet
from wellwon.runtime.pipeline import Pipeline
from wellwon.runtime.settings import Settings

log = logging.getLogger(__name__)

MAX_POLL_RECORDS = 1_000
"""Bounds a slice, and with it how long the loop is busy at a time (about 20 ms)."""


def now_ms() -> int:
    """Return the time, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


class _NoTables(TableManager):
    """Faust's tables, of which there are none: it would wait a second for them to be declared."""

    async def on_start(self) -> None:
        """Begin to answer assignments at once."""
        await self._update_channels()
        await self.recovery.start()


def new_app(settings: Settings, group: str) -> faust.App:
    """Return a Faust app with the settings that every worker here has."""
    return faust.App(
        group,
        broker=faust_broker(settings),
        broker_credentials=faust_credentials(settings),
        broker_client_id=f"wellwon-{settings.instance}",
        broker_session_timeout=settings.session_seconds,
        broker_heartbeat_interval=settings.session_seconds / 4,
        broker_request_timeout=max(30.0, settings.session_seconds),
        broker_rebalance_timeout=30.0,
        broker_commit_interval=settings.commit_seconds,
        broker_max_poll_records=MAX_POLL_RECORDS,
        consumer_auto_offset_reset="earliest",
        store="memory://",
        TableManager=_NoTables,
        datadir=str(settings.data / "faust"),
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_buffer_maxsize=4,
        stream_wait_empty=True,
        web_enabled=False,
    )


class Member(ABC):
    """See the module. Subclasses take slices, restore, and say what is under way."""

    gather_s = 0.0

    def __init__(self, settings: Settings, group: str, is_ready: Gauge) -> None:
        self.settings = settings
        self.group = group
        self.app = new_app(settings, group)
        self.outlet: Outlet | None = None
        self.failure: BaseException | None = None
        self.failed = asyncio.Event()
        self.suspended = True
        """No slice is taken: before the first assignment, while rebalancing, and after a failure."""
        self._is_ready = is_ready
        self._progress = asyncio.Event()
        self._revocations = 0
        self.app.on_rebalance_complete.connect(self._on_assigned)

    @abstractmethod
    def pipelines(self) -> Iterable[Pipeline]:
        """What is under way."""

    @abstractmethod
    async def take_over(self) -> None:
        """Restore what was gained, and go on by `resume`."""

    def new_outlet(self) -> Outlet:
        """The producers of this worker."""
        return Outlet(self.settings, self.fail)

    async def _on_assigned(self, *_args: Any, **_kwargs: Any) -> None:
        """Faust awaits this before it seeks and fetches."""
        try:
            await self.take_over()
        except Exception as error:
            self.fail(error)

    def resume(self, revocations: int) -> bool:
        """Take slices again, unless partitions were revoked since then or something failed."""
        if revocations != self._revocations or self.failure is not None:
            return False
        self.suspended = False
        self._is_ready.set(1)
        return True

    async def wait_for_room(self, timeout: float) -> None:
        """Return when something was acknowledged, or after `timeout` seconds."""
        self._progress.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):  # wait_for may swallow a cancellation
                await self._progress.wait()

    async def drain(self) -> None:
        """Take nothing more, and give what is under way half a session to become durable."""
        self.suspended = True
        self._is_ready.set(0)
        self._revocations += 1
        deadline = time.monotonic() + self.settings.session_seconds / 2
        while not all(pipeline.empty for pipeline in self.pipelines()):
            if self.failure is not None or time.monotonic() > deadline:
                log.warning("not everything became durable in time; the next owner does it again")
                return
            await self.wait_for_room(0.1)

    def open(self) -> None:
        """Connect the producers. Call on the event loop, before the app is started."""
        self.settings.data.mkdir(parents=True, exist_ok=True)
        self.outlet = self.new_outlet()
        self.outlet.progressed = self._progress.set

    def fail(self, error: BaseException) -> None:
        """Stop working: from here on an output could be wrong or missing."""
        if self.failure is None:
            self.failure = error
            self.suspended = True
            self._is_ready.set(0)
            for pipeline in self.pipelines():
                pipeline.abandon()
            self.failed.set()

    def live(self) -> str | None:
        """Say what is wrong with the worker as a whole, None if nothing is."""
        return None if self.failure is None else str(self.failure)

    def ready(self) -> str | None:
        """Say why the worker processes nothing at the moment, None if it does."""
        return self.live() or ("waiting for partitions, or restoring" if self.suspended else None)
