"""Access tokens: fetched when there is none, and anew when they expire or are refused."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlencode

import msgspec

from wellwon.sinks.http import Client, Secret
from wellwon.sinks.transport import CREDENTIALS_S, Later

EARLY_S: Final = 60.0
"""A token is not used in the last minute before it expires."""


@dataclass(frozen=True, slots=True)
class Access:
    """A token and, where the login says so, the address that it is for."""

    token: str
    url: str = ""
    tenant: str = ""
    """The organisation's id, where the login says it."""


class Login(Protocol):
    """Where tokens come from."""

    async def access(self, refused: str = "") -> Access | Later:
        """A token that is good as far as is known; ``refused`` is one that the CRM did not take."""
        ...


class Fixed:
    """A token that somebody made, read anew each time."""

    def __init__(self, token: Secret) -> None:
        self._token = token

    async def access(self, refused: str = "") -> Access | Later:
        """The token; Later where it is the one that was refused."""
        token = self._token()
        return Access(token) if token != refused else Later("the token is refused", CREDENTIALS_S)


class _Granted(msgspec.Struct):
    access_token: str
    instance_url: str = ""
    id: str = ""
    """Salesforce's identity URL: .../id/<organisation>/<user>."""
    expires_in: float | None = None


class OAuth:
    """Tokens of an OAuth 2.0 endpoint; ``form`` gives the grant, with its secrets, each time."""

    def __init__(self, client: Client, url: str, form: Callable[[], Mapping[str, str]]) -> None:
        self._client, self._url, self._form = client, url, form
        self._known: Access | None = None
        self._until = 0.0
        self._one_at_a_time = asyncio.Lock()

    async def access(self, refused: str = "") -> Access | Later:
        """The token, fetched where there is none that may still be used."""
        async with self._one_at_a_time:
            known = self._known
            if known is not None and known.token != refused and time.monotonic() < self._until:
                return known
            content = urlencode(self._form()).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
            answer = await self._client.request("POST", self._url, content, headers)
            if isinstance(answer, Later):
                return answer
            if answer.status != 200:
                return Later(f"no token: HTTP {answer.status}", answer.retry_after or CREDENTIALS_S)
            try:
                granted = msgspec.json.decode(answer.body, type=_Granted)
            except msgspec.MsgspecError:
                return Later("no token: the answer is none of an OAuth endpoint", CREDENTIALS_S)
            self._until = (
                float("inf") if granted.expires_in is None else time.monotonic() + granted.expires_in - EARLY_S
            )
            self._known = Access(granted.access_token, granted.instance_url, _tenant(granted.id))
            return self._known


def _tenant(identity: str) -> str:
    parts = identity.rstrip("/").split("/")
    return parts[-2] if len(parts) > 2 and parts[-3] == "id" else ""
