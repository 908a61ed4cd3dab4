"""A command of wellwon in which tasks do not end when they are cancelled, as one of Faust's was seen to do."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import faust

from wellwon.cli import main
from wellwon.runtime.endpoint import Endpoint

kept: list[asyncio.Future[None]] = []


async def never_ends() -> None:
    """Ignore every cancellation."""
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            print("a task ignores its cancellation", file=sys.stderr)


def begin_one(method: Any) -> Any:
    async def begun(self: Any) -> None:
        kept.append(asyncio.ensure_future(never_ends()))
        await method(self)

    return begun


def stay(method: Any) -> Any:
    async def stays(self: Any) -> None:
        await method(self)
        await never_ends()

    return stays


Endpoint.start = begin_one(Endpoint.start)  # type: ignore[method-assign]
faust.App.start = stay(faust.App.start)
faust.App.stop = stay(faust.App.stop)
main()
