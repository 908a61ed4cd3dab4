"""What people would have been told of a history under a policy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, TypeVar

import msgspec
import orjson

from wellwon.core.lifecycle import RETRACTED
from wellwon.core.model import ALERT
from wellwon.core.output import DeadLetter
from wellwon.core.rule import DEAL
from wellwon.core.units import DAY, parse_date, parse_money
from wellwon.history.replay import Change, Replay
from wellwon.policy import Policy, compile_policy
from wellwon.policy.diff import Heard, Told
from wellwon.policy.materiality import is_material

_WEEK: Final = 7
_MONDAY: Final = 3
"""Days that are added so that weeks begin on Mondays: day 0 was a Thursday."""

T = TypeVar("T", bound=Change)


class _Values(msgspec.Struct):
    owner_id: str | None = None


class _Seen(msgspec.Struct):
    values: _Values = msgspec.field(default_factory=_Values)


class Hearing:
    """Plays a history under a policy and keeps what is told: not what is in shadow, exempt, too small or covered."""

    def __init__(self, text: str, policy: Policy) -> None:
        """``text`` is the policy as it is published."""
        self._policy = policy
        self._replay = Replay(
            text, lambda _: compile_policy(policy), alert=self._alert, win=_nothing, dead_letter=_no_letter
        )
        self._decode = msgspec.json.Decoder(_Seen).decode
        self._owners: set[str] = set()
        self._open: dict[str, tuple[Told, list[tuple[str, int]]]] = {}
        self._heard = Heard()

    def of(self, changes: Iterable[Change], until: int | None = None) -> Heard:
        """What is told of these changes, up to ``until`` (epoch milliseconds)."""
        summary = self._replay.run(self._watched(changes), until)
        for told, messages in self._open.values():
            self._keep(told, messages)
        heard = self._heard
        heard.deals = summary.deals
        heard.owners = len(self._owners)
        heard.weeks = max(1.0, (summary.last_at - summary.first_at) / DAY / _WEEK) if summary.changes else 0.0
        return heard

    def _watched(self, changes: Iterable[T]) -> Iterator[T]:
        for change in changes:
            try:
                values = self._decode(change.value).values
            except (msgspec.MsgspecError, UnicodeDecodeError):
                values = _Values()  # the core says what is wrong with it
            if values.owner_id:
                self._owners.add(values.owner_id)
            yield change

    def _alert(self, record: bytes) -> None:
        alert: dict[str, Any] = orjson.loads(record)
        mark = alert["fingerprint"]
        if alert["transition"] == "resolved":
            told = self._open.pop(mark, None)
            if told is not None and alert["reason"] != RETRACTED:
                told[0].ended_at = alert["at"]
                self._keep(*told)
            return
        if not self._is_told(alert):
            return
        day = parse_date(alert["at"][:10])
        message = (alert["owner_id"], (day + _MONDAY) // _WEEK)
        if mark not in self._open:
            first = Told(
                alert["rule"],
                _subject(alert),
                alert["at"],
                alert["title"],
                alert["severity"],
                alert["evidence"],
            )
            self._open[mark] = first, [message]
        else:
            told_before, messages = self._open[mark]
            told_before.take(alert["severity"])
            messages.append(message)

    def _is_told(self, alert: dict[str, Any]) -> bool:
        if alert["mode"] != ALERT:
            return False
        if alert["covered_by"]:
            self._heard.covered.add((alert["rule"], _subject(alert)))
            return False
        annual = None if alert["annual_amount"] is None else parse_money(alert["annual_amount"])
        return is_material(self._policy, alert["segment"], annual, alert["currency"] or "")

    def _keep(self, told: Told, messages: list[tuple[str, int]]) -> None:
        self._heard.alerts.append(told)
        self._heard.messages.update(messages)


def _subject(alert: dict[str, Any]) -> str:
    subject = alert["subject"]
    return str(subject["id"]) if subject["kind"] == DEAL else f"{subject['kind']} {subject['id']}"


def _nothing(_: bytes) -> None:
    """Wins are told under every policy."""


def _no_letter(_: DeadLetter) -> None:
    """`wellwon replay` says what cannot be used."""
