"""From audiences to addresses: who hears of an alert, at which sink, and when they may be told."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from wellwon.core.units import parse_money
from wellwon.deliver.items import Alert
from wellwon.policy.delivery import MANAGER, OWNER, PEOPLE, SLACK, WEBHOOK, Delivery, Sink
from wellwon.policy.materiality import is_material
from wellwon.policy.model import Policy
from wellwon.policy.people import People, Person


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message goes: a sink of the policy, and a person (by CRM id) or a channel there."""

    sink: str
    to: str
    """``@`` and a person's id, else an audience."""

    def __str__(self) -> str:
        return f"{self.sink}|{self.to}"

    @classmethod
    def parse(cls, text: str) -> Address:
        """Read what `str` gave."""
        sink, _, to = text.partition("|")
        return cls(sink, to)

    @property
    def person(self) -> str:
        """The CRM id of the person, empty for a channel."""
        return self.to[1:] if self.to.startswith("@") else ""


@dataclass(frozen=True)
class Directory:
    """The policy's routes, and who the people are."""

    policy: Policy
    people: People

    @property
    def delivery(self) -> Delivery:
        """What the policy says of telling people."""
        return self.policy.deliver

    @cached_property
    def sinks(self) -> dict[str, Sink]:
        """The policy's sinks by name."""
        return {sink.name: sink for sink in self.delivery.sinks}

    @cached_property
    def _audiences(self) -> dict[tuple[str, str, str, str], tuple[str, ...]]:
        """By what routes ask for, as far as it was asked."""
        return {}

    def audiences(self, alert: Alert) -> tuple[str, ...]:
        """Who hears of an alert."""
        about = alert.rule, alert.family, alert.severity, alert.segment
        if (found := self._audiences.get(about)) is None:
            found = self._audiences[about] = self.delivery.audiences(*about)
        return found

    def addresses(self, audiences: tuple[str, ...], owner: str | None) -> list[Address]:
        """Where people of these audiences are told of a deal of this owner, each address once."""
        found: dict[Address, None] = {}
        for audience in audiences:
            for sink in self.delivery.sinks:
                if sink.kind == WEBHOOK or audience not in sink.hears:
                    continue
                if audience not in PEOPLE:
                    found[Address(sink.name, audience)] = None
                elif (person := self._person(audience, owner or "")) is not None and person.email:
                    found[Address(sink.name, f"@{person.id}")] = None
        return list(found)

    def webhooks(self, audiences: tuple[str, ...]) -> list[Address]:
        """The machines that are told of every transition."""
        return [
            Address(sink.name, "")
            for sink in self.delivery.sinks
            if sink.kind == WEBHOOK and not set(audiences).isdisjoint(sink.hears)
        ]

    def _person(self, audience: str, owner: str) -> Person | None:
        assert audience in (OWNER, MANAGER)
        return self.people.get(owner) if audience == OWNER else self.people.manager_of(owner)

    def zone(self, address: Address) -> str:
        """The time zone of whoever reads there."""
        person = self.people.get(address.person)
        return (person.zone if person else "") or self.policy.calendar.zone

    def editable(self, address: Address) -> bool:
        """Whether a message sent there can be changed."""
        sink = self.sinks.get(address.sink)
        return sink is not None and sink.kind == SLACK

    def material(self, alert: Alert) -> bool:
        """Whether the deal is large enough for people to be told."""
        try:
            amount = None if alert.annual_amount is None else parse_money(alert.annual_amount)
        except ValueError:
            amount = None
        return is_material(self.policy, alert.segment, amount, alert.currency or "")
