"""Server-sent events: what changes on the board, as rows of the page, to everyone who looks on and may see it.

There are no queues: each connection remembers how far it has come on the board, and asks for what changed since. One
that is slow gets the last state of each alert; one that is too far behind is told to load the page anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Final

import orjson

from wellwon.policy.people import People
from wellwon.web.access import Viewer
from wellwon.web.alerts_page import counts, fits, listing
from wellwon.web.board import Board, Changed
from wellwon.web.filters import Filter, seen_by
from wellwon.web.rows import row

GATHER_S: Final = 0.03
"""Changes that come within this time reach the page together."""
BEAT_S: Final = 15.0
"""A sign of life, so that proxies and browsers keep the connection."""


class Bell:
    """Wakes everyone who looks on when the board has changed."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def ring(self) -> None:
        """Say that something changed."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def heard(self, limit: float) -> bool:
        """Wait for the next ring; tell whether there was one within ``limit`` seconds."""
        try:
            await asyncio.wait_for(self._changed.wait(), limit)
        except TimeoutError:
            return False
        return True


def event(name: str, data: object, number: str) -> bytes:
    """One event in the stream's form; the data is one line of JSON."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (number.encode(), name.encode(), orjson.dumps(data))


def place(text: str, boot: str) -> int | None:
    """How far somebody has come, as their page or their browser says it; None where that was another run."""
    run, _, number = text.rpartition("-")
    return int(number) if run == boot and number.isascii() and number.isdigit() and len(number) < 18 else None


class Looking:
    """One connection: a viewer with a filter, and how far on the board they have come."""

    def __init__(self, board: Board, viewer: Viewer, wanted: Filter, people: People, zone: str, boot: str) -> None:
        self._board = board
        self._viewer = viewer
        self._wanted = wanted
        self._people = people
        self._zone = zone
        self._boot = boot
        self._wants = seen_by(viewer, wanted)

    async def events(self, since: int | None, bell: Bell, clock: Callable[[], int]) -> AsyncIterator[bytes]:
        """The stream: bytes to send. It ends after telling that the page must be loaded anew."""
        if since is None:
            yield event("reload", None, self._number())
            return
        yield b"retry: 2000\n\n"
        while True:
            changes = self._board.since(since)
            if changes is None:
                yield event("reload", None, self._number())
                return
            since = self._board.number
            if changes:
                said = b"".join(self.changes(changes, clock()))
                if said:
                    yield said
                    yield self.counts(clock())
            if since == self._board.number:
                if await bell.heard(BEAT_S):
                    await asyncio.sleep(GATHER_S)
                else:
                    yield b": still here\n\n"

    def changes(self, changes: list[Changed], now: int) -> list[bytes]:
        """What to tell of some changes: rows that are there, and rows that are gone."""
        return [said for change in changes if (said := self._change(change, now)) is not None]

    def counts(self, now: int) -> bytes:
        """How many there are now. It is told after the rows, which need not wait for it."""
        there = listing(self._board, self._viewer, self._wanted, 0, now)
        about = {"html": counts(there, self._wanted), "total": there.total}
        return event("counts", about, self._number())

    def _change(self, change: Changed, now: int) -> bytes | None:
        standing = self._board.headline(change.mark)
        if standing is not None and self._wants(standing.alert) and fits(self._board, standing, self._wanted, now):
            html = row(self._board, standing, self._people, self._zone)
            about = {"mark": change.mark, "at": standing.at, "html": html}
            return event("row", about, self._number())
        # Who could not see it before must not learn of it when it goes.
        shown = [alert for alert in (change.before, standing.alert if standing else None) if alert is not None]
        covered = self._board.open.get(change.mark)
        shown += [covered.alert] if covered is not None else []
        if any(self._viewer.sees_alert(alert) for alert in shown):
            return event("gone", {"mark": change.mark}, self._number())
        return None

    def _number(self) -> str:
        return f"{self._boot}-{self._board.number}"
