"""Posting over HTTP: one request, and what its failure means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp

from wellwon.sinks.guard import PublicResolver
from wellwon.sinks.transport import Later, retry_after

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


class Client:
    """Connections to one sink. They are made when the first message goes out."""

    def __init__(self, *, private: bool, timeout: float = TIMEOUT_S) -> None:
        self._private = private
        self._timeout = timeout
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
        """Post once. A redirect is not followed: it might lead to where no message should go."""
        try:
            async with self._connected().post(url, data=content, headers=headers, allow_redirects=False) as reply:
                body = await reply.content.read(BODY_MAX)
                return Answer(reply.status, body, retry_after(reply.headers.get("Retry-After")))
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
