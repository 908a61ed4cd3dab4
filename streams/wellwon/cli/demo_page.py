"""The live page of the demo, served by the demo's own process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

from wellwon.runtime.demo import DemoFailed
from wellwon.runtime.directory_files import read_directory
from wellwon.runtime.settings import Settings
from wellwon.web.run import serving_page
from wellwon.web.server import Server


@contextlib.asynccontextmanager
async def demo_page(settings: Settings) -> AsyncIterator[str]:
    """Serve it on a free port for the length of the block, which is given its address.

    Raises DemoFailed, in place of whatever the block waits for, when the page cannot go on.
    """
    settings = replace(settings, web="127.0.0.1:0")
    directory = read_directory(settings)
    block, failures = asyncio.current_task(), list[BaseException]()

    def failed(error: BaseException) -> None:
        failures.append(error)
        if block is not None:
            block.cancel()

    try:
        async with serving_page(settings, Server(settings, directory.people, directory.policy), failed) as port:
            yield f"http://127.0.0.1:{port}"
    except asyncio.CancelledError:
        if not failures:
            raise
        raise DemoFailed(f"the live page stopped: {failures[0]}") from failures[0]
