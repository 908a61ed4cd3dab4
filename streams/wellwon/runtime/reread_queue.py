"""What is to be read again from one CRM: each deal once, however often it was asked for, and when it is due."""

from __future__ import annotations

import random
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from wellwon.sources.hubspot import MERGED
from wellwon.sources.reread import Request

WAIT_MAX_S: Final = 300.0
REMEMBERED: Final = 50_000
"""Deals of which it is known when they were read last."""


@dataclass(slots=True)
class Job:
    """A deal, or an entity page by page, and the requests that it answers."""

    request: Request
    """The oldest."""
    value: bytes
    """Its record."""
    asked_at: int
    """When it was written, epoch milliseconds."""
    offsets: set[int]
    """Of all these requests."""
    due: float = 0.0
    """Not before this, monotonic seconds."""
    attempts: int = 0
    cursor: str = ""


@dataclass(slots=True)
class Queue:
    """See the module. ``free_at``: nothing is asked before, because the CRM as a whole did not answer."""

    jitter: Callable[[], float] = random.random
    jobs: OrderedDict[str, Job] = field(default_factory=OrderedDict)
    free_at: float = 0.0
    _failures: int = 0
    _read_at: OrderedDict[str, int] = field(default_factory=OrderedDict)

    def add(self, request: Request, value: bytes, offset: int, asked_at: int) -> bool:
        """Take in a request; False where a reading since its loss has answered it already."""
        key = _key(request)
        if self._read_at.get(key, 0) > request.noticed_at:
            return False
        job = self.jobs.get(key)
        if job is None:
            self.jobs[key] = Job(request, value, asked_at, {offset})
            return True
        job.offsets.add(offset)
        if _lost_more(request, job.request):
            job.request, job.value, job.cursor = request, value, ""
        return True

    def take(self, most: int, now: float) -> list[Job]:
        """Deals that are due, the oldest first."""
        if now < self.free_at:
            return []
        due = (job for job in self.jobs.values() if job.request.opportunity_id and job.due <= now)
        return [job for job, _ in zip(due, range(most), strict=False)]

    def entity(self, now: float) -> Job | None:
        """An entity of which a page is due."""
        if now < self.free_at:
            return None
        return next((job for job in self.jobs.values() if not job.request.opportunity_id and job.due <= now), None)

    def done(self, job: Job, read_at: int = 0) -> None:
        """A job is over. ``read_at``: when it was read (epoch ms), 0 if it was not."""
        key = _key(job.request)
        self.jobs.pop(key, None)
        if read_at:
            self._read_at[key] = read_at
            self._read_at.move_to_end(key)
            while len(self._read_at) > REMEMBERED:
                self._read_at.popitem(last=False)

    def later(self, job: Job, now: float, seconds: float) -> None:
        """Try a job again: after ``seconds`` if they are given, else ever more seldom."""
        job.attempts += 1
        job.due = now + (seconds or self._wait(job.attempts))

    def whole_failed(self, now: float, seconds: float) -> None:
        """The CRM as a whole did not answer."""
        self._failures += 1
        self.free_at = now + max(seconds, self._wait(self._failures))

    def whole_answered(self) -> None:
        """The CRM answers."""
        self._failures = 0

    def _wait(self, failures: int) -> float:
        return min(WAIT_MAX_S, 2.0 ** min(failures, 10)) * (0.5 + self.jitter() / 2)


def _key(request: Request) -> str:
    """What makes two requests one. A deal's history tells more than a snapshot of it."""
    if request.entity and not request.opportunity_id:
        return f"all:{request.entity}"
    return f"{MERGED}:{request.opportunity_id}" if request.reason == MERGED else request.opportunity_id


def _lost_more(request: Request, known: Request) -> bool:
    """Whether a request for an entity reaches further back than another."""
    return bool(known.since) and (not request.since or request.since < known.since)
