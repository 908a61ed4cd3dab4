"""The worker's own small web server: /metrics for Prometheus, /live and /ready for whoever runs the worker."""

from __future__ import annotations

import os
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

Check = Callable[[], str | None]
"""Returns None when all is well, else what is wrong."""


class Endpoint:
    """Serves on the event loop of the worker: if it answers, the loop runs."""

    def __init__(self, address: str, *, page: Callable[[], bytes], live: Check, ready: Check) -> None:
        host, _, port = address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._page = page
        self._checks = {"/live": live, "/ready": ready}
        self._runner: web.AppRunner | None = None
        self.port = 0
        """The port in use, known once started."""

    async def start(self) -> None:
        """Begin to serve. Raises OSError when the address is taken."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        for path in self._checks:
            app.router.add_get(path, self._check)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            number = error.errno or 0  # below 0: of a name that cannot be resolved
            why = os.strerror(number).lower() if number > 0 else error.strerror or str(error)
            raise OSError(f"{self._host}:{self._port} cannot be served: {why} (WELLWON_HTTP)") from None
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=self._page(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _check(self, request: web.Request) -> web.Response:
        wrong = self._checks[request.path]()
        return web.Response(status=503 if wrong else 200, text=(wrong or "ok") + "\n")
