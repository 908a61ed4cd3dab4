"""What the policy says of telling people: who hears what, when, by which sink; and what goes back into the CRM.

No secret is ever here: a sink's token or address with a token in it is an environment variable, `Sink.variable`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from wellwon.core.calendar import Weekday
from wellwon.core.rule import HIGH

OWNER: Final = "owner"
MANAGER: Final = "manager"
REVOPS: Final = "revops"
PEOPLE: Final = (OWNER, MANAGER)
"""Audiences that are one person, told in private; every other one is a channel."""

SLACK: Final = "slack"
SLACK_WEBHOOK: Final = "slack-webhook"
TEAMS: Final = "teams"
WEBHOOK: Final = "webhook"
EMAIL: Final = "email"
SINK_KINDS: Final = (SLACK, SLACK_WEBHOOK, TEAMS, WEBHOOK, EMAIL)
ADDRESSED: Final = (SLACK, EMAIL)
"""Kinds of sink that need an address for each channel; the others post to their one address."""
ONE_CHANNEL: Final = (SLACK_WEBHOOK, TEAMS)
"""Kinds of sink that cannot reach a person in private."""

ALERTS: Final = "alerts"
WINS: Final = "wins"
FACTS: Final = (ALERTS, WINS)


@dataclass(frozen=True, slots=True)
class Route:
    """Who hears of an alert. What is empty is not asked."""

    to: tuple[str, ...]
    """Audiences: `OWNER`, `MANAGER`, `REVOPS` or a name of the policy's own. None: nobody, it is only counted."""
    rules: frozenset[str] = frozenset()
    families: frozenset[str] = frozenset()
    severities: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()

    def matches(self, rule: str, family: str, severity: str, segment: str) -> bool:
        """Whether it is for such an alert."""
        asked = ((self.rules, rule), (self.families, family), (self.severities, severity), (self.segments, segment))
        return all(not wanted or given in wanted for wanted, given in asked)


VARIABLE: Final = "WELLWON_SINK_"
"""What the environment variables of the sinks' secrets begin with."""


@dataclass(frozen=True, slots=True)
class Sink:
    """One way out: ``hears`` are the audiences that it reaches."""

    name: str
    kind: str
    hears: tuple[str, ...]
    channels: dict[str, str] = field(default_factory=dict)
    """By audience: a Slack channel, or an e-mail address."""
    sender: str = ""
    """The address that e-mail comes from."""

    @property
    def variable(self) -> str:
        """The environment variable with its secret: a bot token (Slack), else the address to post or connect to."""
        return f"{VARIABLE}{self.name.upper().replace('-', '_')}"


@dataclass(frozen=True, slots=True)
class QuietHours:
    """No message to a person from ``begin`` to ``end`` (minutes since the owner's midnight); equal: never quiet."""

    begin: int = 18 * 60
    end: int = 8 * 60

    def holds(self, minute: int) -> bool:
        """Whether it is quiet at this minute of the day."""
        if self.begin <= self.end:
            return self.begin <= minute < self.end
        return minute >= self.begin or minute < self.end


@dataclass(frozen=True, slots=True)
class Escalation:
    """Alerts of these severities that nobody answers go to ``to`` after ``after_hours``; without severities, never."""

    severities: frozenset[str] = frozenset((HIGH,))
    after_hours: int = 24
    to: tuple[str, ...] = (MANAGER,)


@dataclass(frozen=True, slots=True)
class WeeklyDigest:
    """The forecast-call digest; ``at`` in minutes since midnight of the policy's zone."""

    weekday: Weekday = "monday"
    at: int = 8 * 60
    to: tuple[str, ...] = (REVOPS,)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How alerts and wins reach people."""

    settle_minutes: int = 5
    """A message waits so long, so that a slip of the hand is never announced."""
    owner_cap_per_day: int = 5
    """Messages to one owner and day; the rest are in the day's digest."""
    quiet_hours: QuietHours = QuietHours()
    working_days: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday")
    daily_digest_at: int = 16 * 60
    """When what was held back that day is told, minutes since the owner's midnight."""
    weekly_digest: WeeklyDigest = WeeklyDigest()
    escalation: Escalation = Escalation()
    routes: tuple[Route, ...] = (Route((OWNER, REVOPS)),)
    """In order; the last one takes every alert."""
    handover_to: tuple[str, ...] = ()
    """Who gets the note to customer success after a win."""
    earned_wins_to: tuple[str, ...] = (OWNER, REVOPS)
    sinks: tuple[Sink, ...] = ()

    def audiences(self, rule: str, family: str, severity: str, segment: str) -> tuple[str, ...]:
        """Who hears of such an alert, by the first route that matches."""
        return next((r.to for r in self.routes if r.matches(rule, family, severity, segment)), ())


@dataclass(frozen=True, slots=True)
class CrmWrites:
    """What is written back into a CRM (of `FACTS`; empty: nothing), and the share of its daily API calls for it."""

    write: frozenset[str] = frozenset()
    api_share_percent: int = 10


@dataclass(frozen=True, slots=True)
class Crm:
    """What is written back. Off until the policy turns it on."""

    salesforce: CrmWrites = CrmWrites()
    hubspot: CrmWrites = CrmWrites()
    wins_after_hours: int = 24
    """How long after a win its facts are written: what belongs to it may still arrive."""


def as_delivery(found: dict[str, Any]) -> Delivery:
    """The delivery of the values that a policy gives."""
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
    if "quiet_hours" in found:
        given["quiet_hours"] = QuietHours(**found["quiet_hours"])
    if "weekly_digest" in found:
        given["weekly_digest"] = WeeklyDigest(**_with_tuples(found["weekly_digest"], "to"))
    if "escalation" in found:
        escalation = _with_tuples(found["escalation"], "to")
        if "severities" in escalation:
            escalation["severities"] = frozenset(escalation["severities"])
        given["escalation"] = Escalation(**escalation)
    if "sinks" in found:
        given["sinks"] = tuple(Sink(name, **_with_tuples(sink, "hears")) for name, sink in found["sinks"].items())
    routes = tuple(_route(route) for route in found.get("routes", ()))
    given["routes"] = routes if routes and not _asks(routes[-1]) else (*routes, *Delivery().routes)
    return Delivery(**given)


def as_crm(found: dict[str, Any]) -> Crm:
    """What goes back into the CRM, of the values that a policy gives."""
    writes = {
        system: CrmWrites(**{**about, "write": frozenset(about.get("write", ()))})
        for system, about in found.items()
        if system != "wins_after_hours"
    }
    return Crm(**writes, wins_after_hours=found.get("wins_after_hours", Crm().wins_after_hours))


def _route(found: dict[str, Any]) -> Route:
    when = {key: frozenset(values) for key, values in found.get("when", {}).items()}
    return Route(tuple(found["to"]), **when)


def _asks(route: Route) -> bool:
    return bool(route.rules or route.families or route.severities or route.segments)


def _with_tuples(found: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {**found, **{key: tuple(found[key]) for key in keys if key in found}}
