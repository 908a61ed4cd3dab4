"""What people would have been told of a history under a policy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import orjson

from wellwon.core.lifecycle import RETRACTED
from wellwon.core.model import ALERT
from wellwon.core.rule import DEAL
from wellwon.core.units import DAY, parse_date, parse_money
from wellwon.history.deal_run import DealRun, HistoryInfo
from wellwon.policy import Policy
from wellwon.policy.diff import Heard, Told
from wellwon.policy.materiality import is_material

_WEEK: Final = 7
_MONDAY: Final = 3
"""Days that are added so that weeks begin on Mondays: day 0 was a Thursday."""


class Hearing:
    """Hears the alert records of runs and keeps what is told: not what is in shadow, exempt, too small or covered."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._open: dict[str, tuple[Told, list[tuple[str, int]]]] = {}
        self._heard = Heard()
        self._owners: set[str] = set()

    def add(self, run: DealRun) -> None:
        """Hear what a deal had to tell."""
        self._owners |= run.owners
        for record in run.records:
            self.tell(record)
        self._end()

    def tell(self, record: bytes) -> None:
        """Hear an alert record."""
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

    def hand_over(self) -> tuple[Heard, set[str]]:
        """What was heard since this was asked last."""
        heard, owners = self._heard, self._owners
        self._heard, self._owners = Heard(), set()
        return heard, owners

    def take(self, counts: tuple[Heard, set[str]]) -> None:
        """Add what another one heard."""
        heard, owners = counts
        self._heard.alerts += heard.alerts
        self._heard.messages.update(heard.messages)
        self._heard.covered |= heard.covered
        self._owners |= owners

    def result(self, info: HistoryInfo) -> Heard:
        """All that was heard of this history."""
        self._end()
        heard = self._heard
        heard.deals = info.deals
        heard.owners = len(self._owners - {""})
        span = min(info.last_at, info.as_of) - info.first_at
        heard.weeks = max(1.0, span / DAY / _WEEK) if info.changes else 0.0
        return heard

    def _is_told(self, alert: dict[str, Any]) -> bool:
        if alert["mode"] != ALERT:
            return False
        if alert["covered_by"]:
            self._heard.covered.add((alert["rule"], _subject(alert)))
            return False
        annual = None if alert["annual_amount"] is None else parse_money(alert["annual_amount"])
        return is_material(self._policy, alert["segment"], annual, alert["currency"] or "")

    def _end(self) -> None:
        """What is still open was told as well."""
        for told, messages in self._open.values():
            self._keep(told, messages)
        self._open.clear()

    def _keep(self, told: Told, messages: Iterable[tuple[str, int]]) -> None:
        self._heard.alerts.append(told)
        self._heard.messages.update(messages)


def _subject(alert: dict[str, Any]) -> str:
    subject = alert["subject"]
    return str(subject["id"]) if subject["kind"] == DEAL else f"{subject['kind']} {subject['id']}"
