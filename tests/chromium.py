"""Chromium, driven by its DevTools protocol over a websocket."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-extensions",
    "--disable-background-networking",
    "--remote-debugging-port=0",
)
KEYS = {"Enter": (13, "\r"), "Escape": (27, ""), "Tab": (9, "")}


class NoBrowser(RuntimeError):
    """No Chromium on this machine; the message says what to install."""


class Tab:
    """One page. ``complaints`` has what its console said: errors, exceptions, what the policy forbade."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.complaints: list[str] = []

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """A command of the protocol."""
        return self._browser.call(method, params, self._session)

    def open(self, address: str) -> None:
        """Go there, and wait until everything is loaded."""
        self.call("Page.navigate", url=address)
        self.until(f"location.href.startsWith({json.dumps(address)}) && document.readyState === 'complete'")

    def get(self, expression: str) -> Any:
        """The value of an expression in the page; a promise is awaited."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise AssertionError(f"{expression}: {found['exceptionDetails']}")
        return found["result"].get("value")

    def until(self, expression: str, timeout: float = 20.0) -> None:
        """Wait until an expression is true."""
        deadline = time.monotonic() + timeout
        while not self.get(f"Boolean({expression})"):
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {timeout:.0f} s for {expression}; the page says: {self.text()[:2000]}")
            time.sleep(0.02)

    def text(self) -> str:
        """What can be read on the page."""
        return str(self.get("document.body.innerText"))

    def press(self, key: str) -> None:
        """Press and release a key."""
        code, text = KEYS.get(key, (ord(key.upper()[0]), key))
        about = {"key": key, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def click(self, selector: str) -> None:
        """Press the mouse in the middle of an element."""
        self.get(f"document.querySelector({json.dumps(selector)}).scrollIntoView({{block: 'center'}})")
        box = self.get(
            f"(() => {{ const b = document.querySelector({json.dumps(selector)}).getBoundingClientRect();"
            " return [b.x + b.width / 2, b.y + b.height / 2] })()"
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=box[0], y=box[1], button="left", clickCount=1)

    def size(self, width: int, height: int, *, phone: bool = False) -> None:
        """Give the page a screen."""
        about = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self.call("Emulation.setDeviceMetricsOverride", **about)

    def dark(self, on: bool) -> None:
        """Prefer dark, or light."""
        feature = {"name": "prefers-color-scheme", "value": "dark" if on else "light"}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def picture(self, path: Path, *, whole: bool = False) -> None:
        """A screenshot, of the screen or of the whole page."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))


class Browser:
    """A running browser. Its protocol is spoken on a thread of its own."""

    def __init__(self, address: str) -> None:
        self._numbers = itertools.count(1)
        self._tabs: dict[str, Tab] = {}
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._socket = self._run(self._connect(address))

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    async def _connect(self, address: str) -> aiohttp.ClientWebSocketResponse:
        self._client = aiohttp.ClientSession()
        socket = await self._client.ws_connect(address, max_msg_size=0)
        self._reading = asyncio.ensure_future(self._read(socket))
        return socket

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            said = json.loads(message.data)
            if "id" in said:
                self._waiting.pop(said["id"]).set_result(said)
            elif (tab := self._tabs.get(said.get("sessionId", ""))) is not None:
                tab.complaints += complaint(said["method"], said["params"])

    def call(self, method: str, params: dict[str, Any], session: str = "") -> dict[str, Any]:
        """A command, and its answer."""
        said = self._run(self._call(method, params, session))
        if "error" in said:
            raise AssertionError(f"{method}: {said['error']}")
        found: dict[str, Any] = said["result"]
        return found

    async def _call(self, method: str, params: dict[str, Any], session: str) -> dict[str, Any]:
        number = next(self._numbers)
        answered = self._waiting[number] = self._loop.create_future()
        about = {"id": number, "method": method, "params": params}
        await self._socket.send_json(about | ({"sessionId": session} if session else {}))
        return await answered

    def tab(self) -> Tab:
        """A new page, with cookies of its own."""
        context = self.call("Target.createBrowserContext", {})["browserContextId"]
        target = self.call("Target.createTarget", {"url": "about:blank", "browserContextId": context})["targetId"]
        session = self.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        tab = self._tabs[session] = Tab(self, session)
        for domain in ("Page", "Runtime", "Log", "Network"):
            tab.call(f"{domain}.enable")
        return tab

    def close(self) -> None:
        """End the conversation."""
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        await self._socket.close()
        await self._reading
        await self._client.close()


def complaint(method: str, params: dict[str, Any]) -> list[str]:
    """What a page complains of, in one of the browser's messages."""
    if method == "Runtime.exceptionThrown":
        return [str(params["exceptionDetails"].get("exception", params["exceptionDetails"]))]
    if method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
        return [f"{params['entry']['text']} {params['entry'].get('url', '')}"]
    if method == "Runtime.consoleAPICalled" and params["type"] in ("error", "warning", "assert"):
        return [str(params["args"])]
    return []


@contextmanager
def running(folder: Path) -> Iterator[Browser]:
    """A browser with a profile in a folder, for the length of a ``with`` block."""
    command = next((path for name in NAMES if (path := shutil.which(name))), None)
    if command is None:
        raise NoBrowser("these tests need Chromium (apt install chromium; macOS: brew install --cask chromium)")
    log = folder / "chromium.log"
    with log.open("wb") as out:
        process = subprocess.Popen([command, *FLAGS, f"--user-data-dir={folder / 'profile'}"], stderr=out, stdout=out)
    try:
        deadline = time.monotonic() + 60
        while (found := re.search(r"DevTools listening on (ws://\S+)", log.read_text(errors="replace"))) is None:
            if time.monotonic() > deadline or process.poll() is not None:
                raise NoBrowser(f"Chromium did not start:\n{log.read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)
        browser = Browser(found[1])
        try:
            yield browser
        finally:
            browser.close()
    finally:
        process.terminate()
        process.wait(timeout=30)
