"""Slack: the Web API with a bot token, and the incoming webhook as its simple form."""

from __future__ import annotations

import json
import time
from typing import Any, Final
from urllib.parse import urlencode

from wellwon.deliver.cards import AlertCard
from wellwon.sinks import slack_blocks
from wellwon.sinks.http import Answer, Client, Secret
from wellwon.sinks.layout import layout
from wellwon.sinks.transport import CREDENTIALS_S, Delivered, Later, Outcome, Parcel, Refused
from wellwon.sinks.words import clean

API: Final = "https://slack.com/api"
USERS_S: Final = 3_600.0
"""How long a person's Slack id is remembered."""
_PASSING: Final = frozenset(
    ("ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout")
)
_CREDENTIALS: Final = frozenset(
    ("invalid_auth", "not_authed", "token_expired", "token_revoked", "account_inactive", "missing_scope")
)
_NO_THREAD: Final = frozenset(
    ("thread_not_found", "message_not_found", "cannot_reply_to_message", "restricted_action_thread_locked")
)
"""The first message about the deal was deleted, or may not be answered any more."""
_IN_THREAD: Final = frozenset(("thread_ts", "reply_broadcast"))
_JSON: Final = {"Content-Type": "application/json; charset=utf-8"}


class Slack:
    """The Web API: people in private, channels, a thread for each deal, messages edited in place, buttons."""

    pace_s = 1.0
    parallel = 4

    def __init__(self, token: Secret, client: Client, *, page: str = "", api: str = API, buttons: bool = True) -> None:
        self._token, self._client, self._page, self._buttons = token, client, page, buttons
        self._api = api.rstrip("/")
        self._users: dict[str, tuple[str, float]] = {}

    async def send(self, parcel: Parcel) -> Outcome:
        """Post a message, or edit those that stand."""
        message = slack_blocks.message(layout(parcel.card, zone=parcel.zone, page=self._page), buttons=self._buttons)
        if parcel.refs:
            return await self._edit(parcel.refs, message)
        channel = parcel.to
        if parcel.private:
            found = await self._user(parcel.to)
            if not isinstance(found, str):
                return found
            channel = found
        about: dict[str, Any] = {"channel": channel, "unfurl_links": False, "unfurl_media": False, **message}
        if parcel.thread:
            about["thread_ts"] = parcel.thread.partition(":")[2]
            about["reply_broadcast"] = isinstance(parcel.card, AlertCard) and parcel.card.alert.open
        answer = await self._call("chat.postMessage", about)
        if isinstance(answer, Refused) and parcel.thread and answer.why.rpartition(" ")[2] in _NO_THREAD:
            answer = await self._call("chat.postMessage", {k: v for k, v in about.items() if k not in _IN_THREAD})
        if not isinstance(answer, dict):
            return answer
        return Delivered(f"{answer.get('channel', channel)}:{answer.get('ts', '')}")

    async def _edit(self, refs: tuple[str, ...], message: dict[str, Any]) -> Outcome:
        """Edit all that stand; done again for all when one could not be edited, which changes nothing."""
        refused = None
        for ref in refs:
            channel, _, ts = ref.partition(":")
            answer = await self._call("chat.update", {"channel": channel, "ts": ts, **message})
            if isinstance(answer, Later):
                return Later(answer.why, answer.seconds)
            refused = answer if isinstance(answer, Refused) else refused
        return refused or Delivered()

    async def _user(self, email: str) -> str | Later | Refused:
        known, until = self._users.get(email, ("", 0.0))
        if time.monotonic() < until:
            return known
        answer = await self._call("users.lookupByEmail", {"email": email}, form=True)
        if not isinstance(answer, dict):
            # Nothing was posted, whatever became of the question.
            return Later(answer.why, answer.seconds) if isinstance(answer, Later) else answer
        user = str(answer.get("user", {}).get("id", ""))
        if not user:
            return Refused("users.lookupByEmail: no user in the answer")
        self._users[email] = (user, time.monotonic() + USERS_S)
        return user

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _call(
        self, method: str, about: dict[str, Any], *, form: bool = False
    ) -> dict[str, Any] | Later | Refused:
        headers = {"Authorization": f"Bearer {self._token()}"}
        if form:
            content = urlencode(about).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        else:
            content, headers = json.dumps(about).encode(), headers | _JSON
        answer = await self._client.post(f"{self._api}/{method}", content, headers)
        return answer if isinstance(answer, Later) else _read(method, answer)


def _read(method: str, answer: Answer) -> dict[str, Any] | Later | Refused:
    if answer.status == 429:
        return Later(f"{method}: too many requests", answer.retry_after or 1.0)
    if answer.status >= 500:
        return Later(f"{method}: HTTP {answer.status}", answer.retry_after, unsure=True)
    try:
        found = json.loads(answer.body)
        if not isinstance(found, dict):
            raise ValueError
    except ValueError:
        return Later(f"{method}: HTTP {answer.status}, and no JSON", unsure=True)
    if found.get("ok") is True:
        return found
    error = clean(found.get("error", f"HTTP {answer.status}"), 100)
    if error in _PASSING:
        return Later(f"{method}: {error}", answer.retry_after)
    if error in _CREDENTIALS:
        return Later(f"{method}: {error}: give the sink a token that Slack takes", CREDENTIALS_S)
    return Refused(f"{method}: {error}")


class SlackWebhook:
    """The incoming webhook: one channel, nothing that can be edited or answered."""

    pace_s = 1.0
    parallel = 1

    def __init__(self, url: Secret, client: Client, *, page: str = "") -> None:
        self._url, self._client, self._page = url, client, page

    async def send(self, parcel: Parcel) -> Outcome:
        """Post a message."""
        message = slack_blocks.message(layout(parcel.card, zone=parcel.zone, page=self._page), buttons=False)
        answer = await self._client.post(self._url(), json.dumps(message).encode(), _JSON)
        if isinstance(answer, Later):
            return answer
        if answer.status == 200:
            return Delivered()
        said = clean(answer.body.decode(errors="replace"), 100)
        if answer.status == 429:
            return Later("too many requests", answer.retry_after or 1.0)
        if answer.status >= 500:
            return Later(f"HTTP {answer.status}", answer.retry_after, unsure=True)
        return Refused(f"HTTP {answer.status}: {said}")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()
