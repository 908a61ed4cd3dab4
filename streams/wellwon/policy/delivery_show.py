"""Every value of ``deliver`` and ``crm`` in force, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wellwon.core.rule import FAMILIES, SEVERITIES
from wellwon.policy.delivery import FACTS, Route, Sink
from wellwon.policy.model import Policy
from wellwon.policy.read import Path
from wellwon.policy.row import Row, row


def format_rate(millionths: int) -> str:
    """A plan rate as it is written."""
    return f"{millionths // 1_000_000}.{millionths % 1_000_000:06}".rstrip("0").rstrip(".")


def format_time(minutes: int) -> str:
    """A time of day as it is written."""
    return f"{minutes // 60:02}:{minutes % 60:02}"


def delivery_rows(policy: Policy) -> Iterator[Row]:
    """The rows of ``deliver``, then those of ``crm``."""
    deliver = policy.deliver
    for key, value in (
        ("settle_minutes", deliver.settle_minutes),
        ("owner_cap_per_day", deliver.owner_cap_per_day),
        ("quiet_hours.begin", format_time(deliver.quiet_hours.begin)),
        ("quiet_hours.end", format_time(deliver.quiet_hours.end)),
        ("working_days", list(deliver.working_days)),
        ("daily_digest_at", format_time(deliver.daily_digest_at)),
        ("weekly_digest.weekday", deliver.weekly_digest.weekday),
        ("weekly_digest.at", format_time(deliver.weekly_digest.at)),
        ("weekly_digest.to", list(deliver.weekly_digest.to)),
        ("escalation.severities", _in_order(SEVERITIES, deliver.escalation.severities)),
        ("escalation.after_hours", deliver.escalation.after_hours),
        ("escalation.to", list(deliver.escalation.to)),
    ):
        yield row(policy, ("deliver", *key.split(".")), value, f"deliver.{key}")
    for number, route in enumerate(deliver.routes):
        yield from _route(policy, number, route)
    yield row(policy, ("deliver", "handover_to"), list(deliver.handover_to))
    yield row(policy, ("deliver", "earned_wins_to"), list(deliver.earned_wins_to))
    for sink in deliver.sinks:
        yield from _sink(policy, sink)
    for system in ("salesforce", "hubspot"):
        writes = getattr(policy.crm, system)
        yield row(policy, ("crm", system, "write"), _in_order(FACTS, writes.write))
        yield row(policy, ("crm", system, "api_share_percent"), writes.api_share_percent)
    yield row(policy, ("crm", "wins_after_hours"), policy.crm.wins_after_hours)


def _route(policy: Policy, number: int, route: Route) -> Iterator[Row]:
    path: Path = ("deliver", "routes", number)
    key = f"deliver.routes.{number + 1}"
    for name, order in (("rules", ()), ("families", FAMILIES), ("severities", SEVERITIES), ("segments", ())):
        if wanted := getattr(route, name):
            yield row(policy, (*path, "when", name), _in_order(order or sorted(wanted), wanted), f"{key}.when.{name}")
    yield row(policy, (*path, "to"), list(route.to), f"{key}.to")


def _sink(policy: Policy, sink: Sink) -> Iterator[Row]:
    path: Path = ("deliver", "sinks", sink.name)
    yield row(policy, (*path, "kind"), sink.kind)
    yield row(policy, (*path, "hears"), list(sink.hears))
    for audience, channel in sink.channels.items():
        yield row(policy, (*path, "channels", audience), channel)
    if sink.sender:
        yield row(policy, (*path, "sender"), sink.sender)


def _in_order(order: tuple[str, ...] | list[str], chosen: frozenset[str]) -> list[Any]:
    return [word for word in order if word in chosen]
