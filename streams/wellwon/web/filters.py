"""Which of the open alerts somebody wants to see: what the page's address says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Final
from urllib.parse import urlencode

from wellwon.deliver.items import Alert
from wellwon.policy.people import People
from wellwon.sinks.words import clean
from wellwon.web.access import Viewer

STANDING: Final = "open"
SNOOZED: Final = "snoozed"
SHADOW: Final = "shadow"


@dataclass(frozen=True, slots=True)
class Filter:
    """Empty: everything. ``show`` is one of open, snoozed, shadow."""

    rule: str = ""
    owner: str = ""
    segment: str = ""
    period: str = ""
    severity: str = ""
    deal: str = ""
    show: str = STANDING

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Filter:
        """What an address says; what is not known there is ignored."""
        found = {one.name: query[one.name] for one in fields(cls) if query.get(one.name)}
        if found.get("show") not in (SNOOZED, SHADOW):
            found.pop("show", None)
        return cls(**found)

    def query(self) -> str:
        """The address's part after the question mark, empty where nothing is filtered."""
        blank = Filter()
        said = {one.name: getattr(self, one.name) for one in fields(self)}
        return urlencode({name: value for name, value in said.items() if value != getattr(blank, name)})

    def wants(self, alert: Alert) -> bool:
        """Whether an alert is asked for. Whether it is snoozed is the board's to say."""
        return (
            (alert.mode == SHADOW) == (self.show == SHADOW)
            and self.rule in ("", alert.rule)
            and self.owner in ("", alert.owner_id)
            and self.segment in ("", alert.segment)
            and self.period in ("", alert.period)
            and self.deal in ("", alert.opportunity_id)
            and self.severity in ("", alert.severity)
        )

    @property
    def filtered(self) -> bool:
        """Whether anything but what is shown at first is asked for."""
        return self != Filter()


@dataclass(frozen=True, slots=True)
class Choices:
    """What there is to choose from: value and words."""

    rules: list[tuple[str, str]]
    owners: list[tuple[str, str]]
    segments: list[tuple[str, str]]
    periods: list[tuple[str, str]]


def choices(alerts: Iterable[Alert], people: People, chosen: Filter) -> Choices:
    """The values among some alerts, by their words; what is chosen is always among them."""
    rules, owners, segments, periods = {chosen.rule}, {chosen.owner}, {chosen.segment}, {chosen.period}
    for alert in alerts:
        rules.add(alert.rule)
        owners.add(alert.owner_id or "")
        segments.add(alert.segment)
        periods.add(alert.period)
    named = sorted(((owner, name_of(owner, people)) for owner in owners if owner), key=lambda one: one[1].lower())
    return Choices(_plain(rules), named, _plain(segments), _plain(periods)[::-1])


def _plain(values: set[str]) -> list[tuple[str, str]]:
    return [(value, clean(value, 60)) for value in sorted(values) if value]


def name_of(owner: str, people: People) -> str:
    """What people call an owner."""
    person = people.get(owner)
    return clean(person.name if person is not None and person.name else owner, 60)


def seen_by(viewer: Viewer, wanted: Filter) -> Callable[[Alert], bool]:
    """Whether an alert is both asked for and theirs to see."""
    if viewer.everything:
        return wanted.wants
    return lambda alert: wanted.wants(alert) and viewer.sees_alert(alert)
