"""Every value of a policy in force, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wellwon.core.model import OFF
from wellwon.core.rule import RuleSpec
from wellwon.core.units import format_date, format_money, format_percent
from wellwon.policy.delivery_show import delivery_rows, format_rate
from wellwon.policy.model import Exemption, Policy, RulePolicy, SegmentPolicy, When
from wellwon.policy.read import Path
from wellwon.policy.row import DEFAULT, Row, row
from wellwon.policy.shape import LABELS

GENERAL = (
    "version",
    "window_days",
    "commit_lock_days",
    "correction_minutes",
    "lateness_minutes",
    "bulk_records",
    "closed_days",
)


def rows(policy: Policy) -> Iterator[Row]:
    """All values, in the order of the file's keys."""
    for key in GENERAL:
        yield row(policy, (key,), getattr(policy, key))
    calendar = policy.calendar
    for key in ("kind", "zone", *(() if calendar.table else ("start_month", "pattern"))):
        yield row(policy, ("calendar", key), getattr(calendar, key))
    if not calendar.table and calendar.pattern != "standard":
        yield row(policy, ("calendar", "week_start"), calendar.week_start)
    for label, day in calendar.table:
        yield row(policy, ("calendar", "table", label), format_date(day))
    yield from _pipelines(policy)
    yield from _words(policy, "categories", policy.categories)
    yield from _words(policy, "deal_types", policy.deal_types)
    for name, meaning in policy.fields.items():
        yield row(policy, ("fields", name), meaning)
    yield row(policy, ("activities",), policy.activities)
    yield from _writers(policy)
    if policy.reporting_currency:
        yield row(policy, ("reporting_currency",), policy.reporting_currency)
    for currency, rate in policy.plan_rates.items():
        yield row(policy, ("plan_rates", currency), format_rate(rate))
    yield row(policy, ("least_amount",), format_money(policy.least_amount))
    for team, owners in policy.teams.items():
        yield row(policy, ("teams", team), list(owners))
    if policy.team_label:
        yield row(policy, ("team_label",), LABELS + policy.team_label)
    waiting = {spec.name: f"{DEFAULT}: {spec.default_mode}" for spec in waits(policy)}
    for name, rule in policy.rules.items():
        for told in _rule(policy, ("rules", name), f"rules.{name}", rule):
            yield told._replace(origin=waiting[name]) if name in waiting and told.key.endswith(".mode") else told
    for number, segment in enumerate(policy.segments):
        yield from _segment(policy, number, segment)
    for number, exemption in enumerate(policy.exemptions):
        yield from _exemption(policy, number, exemption)
    yield from delivery_rows(policy)


def waits(policy: Policy) -> list[RuleSpec]:
    """The rules that are off only because the policy does not say that what they need is there."""
    return [
        spec
        for spec in policy.specs
        if spec.needs and policy.rules[spec.name].mode == OFF and ("rules", spec.name, "mode") not in policy.origins
    ]


def _words(policy: Policy, section: str, words: dict[str, str]) -> Iterator[Row]:
    """The CRM's words: case does not count, so they are held in lower case."""
    lines = {str(path[1]).lower(): line for path, line in policy.origins.items() if path[0] == section and path[1:]}
    for word, meaning in words.items():
        yield Row(f"{section}.{word}", meaning, f"line {lines[word]}" if word in lines else DEFAULT)


def _pipelines(policy: Policy) -> Iterator[Row]:
    for number, pipeline in enumerate(policy.pipelines):
        for key in ("match", "open", "won", "lost", "late_stage", "buyer_process", "deal_type"):
            value = getattr(pipeline, key)
            shown = list(value) if isinstance(value, tuple) else value
            if key == "late_stage" and value is None:
                shown = "the first that maps to commit, else the last third"
            if shown != []:
                yield row(policy, ("pipelines", number, key), shown, f"pipelines.{pipeline.name}.{key}")
        for stage, category in pipeline.categories.items():
            path = ("pipelines", number, "categories", stage)
            yield row(policy, path, category, f"pipelines.{pipeline.name}.categories.{stage}")


def _writers(policy: Policy) -> Iterator[Row]:
    yield row(policy, ("writers", "default"), policy.writers.default)
    for kind in dict.fromkeys(policy.writers.kinds.values()):
        ids = [writer for writer, its_kind in policy.writers.kinds.items() if its_kind == kind]
        yield row(policy, ("writers", kind), ids)
    if policy.writers.clients:
        yield row(policy, ("writers", "self"), sorted(policy.writers.clients))


def _rule(policy: Policy, path: Path, key: str, rule: RulePolicy) -> Iterator[Row]:
    for name, value in _settings(rule):
        yield row(policy, (*path, name), value, f"{key}.{name}")


def _settings(rule: RulePolicy) -> Iterator[tuple[str, Any]]:
    yield "mode", rule.mode
    yield "deal_types", sorted(rule.deal_types)
    yield from rule.params.items()


def _segment(policy: Policy, number: int, segment: SegmentPolicy) -> Iterator[Row]:
    """A segment's own values; what it takes over from the general part stands there."""
    path: Path = ("segments", number)
    key = f"segments.{segment.name}"
    if path not in policy.origins:
        yield Row(key, "every deal that matches no other segment", DEFAULT)
        yield from _norms(policy, number, segment)
        return
    for name, value in _conditions(segment.when or When()):
        yield row(policy, (*path, "when", *name.split(".", 1)), value, f"{key}.when.{name}")
    if segment.when is None:
        yield Row(f"{key}.when", "every deal that matches no other segment", f"line {policy.origins[path]}")
    window = row(policy, (*path, "window_days"), segment.window_days, f"{key}.window_days")
    general = policy.origins.get(("window_days",))
    yield window._replace(origin=f"window_days, line {general}") if window.origin == DEFAULT and general else window
    if (*path, "least_amount") in policy.origins:
        yield row(policy, (*path, "least_amount"), format_money(segment.least_amount), f"{key}.least_amount")
    yield from _norms(policy, number, segment)
    for name, rule in segment.rules.items():
        for setting, value in _settings(rule):
            if (*path, "rules", name, setting) in policy.origins:
                yield row(policy, (*path, "rules", name, setting), value, f"{key}.rules.{name}.{setting}")


def _norms(policy: Policy, number: int, segment: SegmentPolicy) -> Iterator[Row]:
    """The norms that hold in a segment: its own, or those from history."""
    norms, key = segment.norms, f"segments.{segment.name}.norms"
    path: Path = ("segments", number, "norms")
    where = ""
    if path not in policy.origins and policy.norms is not None:
        path, where = ("norms", "segments", segment.name), f"{policy.norms_file}, " * bool(policy.norms_file)

    def told(name: Path, value: Any) -> Row:
        found = row(policy, (*path, *name), value, ".".join((key, *map(str, name))))
        return found._replace(origin=where + found.origin) if found.is_written else found

    if norms.wins:
        yield told(("wins",), norms.wins)
    if norms.discount_p75 is not None:
        yield told(("discount_p75",), format_percent(norms.discount_p75))
    for figure in ("stage_days_median", "days_to_won_p10"):
        for stage, days in getattr(norms, figure).items():
            yield told((figure, stage), days)


def _exemption(policy: Policy, number: int, exemption: Exemption) -> Iterator[Row]:
    key = f"exemptions.{number + 1}"
    for name in ("deals", "owners", "pipelines", "segments", "rules"):
        if values := getattr(exemption, name):
            yield row(policy, ("exemptions", number, name), list(values), f"{key}.{name}")
    yield row(policy, ("exemptions", number, "until"), format_date(exemption.until), f"{key}.until")
    yield row(policy, ("exemptions", number, "reason"), exemption.reason, f"{key}.reason")


def _conditions(when: When) -> Iterator[tuple[str, Any]]:
    if when.amount_min is not None:
        yield "amount_min", format_money(when.amount_min)
    if when.amount_max is not None:
        yield "amount_max", format_money(when.amount_max)
    if when.currency is not None:
        yield "currency", when.currency
    if when.pipelines:
        yield "pipelines", list(when.pipelines)
    if when.deal_types:
        yield "deal_types", sorted(when.deal_types)
    for label, values in when.labels.items():
        yield f"labels.{label}", sorted(values)
