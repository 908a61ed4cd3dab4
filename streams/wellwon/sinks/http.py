"""Posting over HTTP: one request, and what its failure means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import aiohttp

from wellwon.sinks.guard import PublicResolver, check_url
from wellwon.sinks.transport import CREDENTIALS_S, Later, retry_after

TIMEOUT_S = 15.0
BODY_MAX = 65_536

Secret = Callable[[], str]
"""Reads a secret anew each time: it may have been rotated."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    body: bytes
    retry_after: float
    location: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Their names in any case."""


class Client:
    """Connections to one sink. They are made when the first message goes out."""

    def __init__(self, *, private: bool, timeout: float = TIMEOUT_S, body_max: int = BODY_MAX) -> None:
        self._private = private
        self._timeout = timeout
        self._body_max = body_max
        self._session: aiohttp.ClientSession | None = None

    def _connected(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = None if self._private else PublicResolver()
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver, limit=64),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._timeout, connect=min(5.0, self._timeout)),
            )
        return self._session

    async def post(self, url: str, content: bytes, headers: Mapping[str, str]) -> Answer | Later:
        """Post once."""
        return await self.request("POST", url, content, headers)

    async def request(self, method: str, url: str, content: bytes | None, headers: Mapping[str, str]) -> Answer | Later:
        """Ask once. A redirect is not followed: it might lead to where no message should go."""
        try:
            check_url(url, private=self._private)  # each time: a file with the address may have been written anew
        except ValueError as error:
            return Later(str(error), CREDENTIALS_S)
        try:
            asked = self._connected().request(method, url, data=content, headers=headers, allow_redirects=False)
            async with asked as reply:
                body = bytearray()
                async for chunk in reply.content.iter_any():
                    body += chunk
                    if len(body) >= self._body_max:
                        break
                after = retry_after(reply.headers.get("Retry-After"))
                return Answer(reply.status, bytes(body[: self._body_max]), after, headers=reply.headers)
        except aiohttp.ClientConnectorError as error:
            return Later(f"no connection: {type(error.os_error).__name__} {error.os_error.strerror or ''}".strip())
        except aiohttp.ConnectionTimeoutError:
            return Later("no connection in time")
        except TimeoutError:
            return Later("no answer in time", unsure=True)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Later(f"broken off: {type(error).__name__}", unsure=True)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
