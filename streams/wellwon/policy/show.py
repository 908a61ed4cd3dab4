"""Every value of a policy in force, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from wellwon.core.model import OFF
from wellwon.core.rule import RuleSpec
from wellwon.core.units import format_date, format_money, format_percent
from wellwon.policy.model import Policy, RulePolicy, SegmentPolicy, When
from wellwon.policy.read import Path

DEFAULT = "default"
GENERAL = (
    "version",
    "window_days",
    "commit_lock_days",
    "correction_minutes",
    "lateness_minutes",
    "bulk_records",
    "closed_days",
)


class Row(NamedTuple):
    """A value in its written form.

    ``origin``: ``line 12``, whose value is taken over, or ``default``, with what a rule that is off waits for.
    """

    key: str
    value: Any
    origin: str

    @property
    def is_written(self) -> bool:
        """Whether it stands in the file."""
        return not self.origin.startswith(DEFAULT)


def rows(policy: Policy) -> Iterator[Row]:
    """All values, in the order of the file's keys."""
    for key in GENERAL:
        yield _row(policy, (key,), getattr(policy, key))
    calendar = policy.calendar
    for key in ("kind", "zone", *(() if calendar.table else ("start_month", "pattern"))):
        yield _row(policy, ("calendar", key), getattr(calendar, key))
    if not calendar.table and calendar.pattern != "standard":
        yield _row(policy, ("calendar", "week_start"), calendar.week_start)
    for label, day in calendar.table:
        yield _row(policy, ("calendar", "table", label), format_date(day))
    yield from _pipelines(policy)
    yield from _words(policy, "categories", policy.categories)
    yield from _words(policy, "deal_types", policy.deal_types)
    for name, meaning in policy.fields.items():
        yield _row(policy, ("fields", name), meaning)
    yield _row(policy, ("activities",), policy.activities)
    yield from _writers(policy)
    waiting = {spec.name: f"{DEFAULT}: {spec.default_mode}" for spec in waits(policy)}
    for name, rule in policy.rules.items():
        for row in _rule(policy, ("rules", name), f"rules.{name}", rule):
            yield row._replace(origin=waiting[name]) if name in waiting and row.key.endswith(".mode") else row
    for number, segment in enumerate(policy.segments):
        yield from _segment(policy, number, segment)


def waits(policy: Policy) -> list[RuleSpec]:
    """The rules that are off only because the policy does not say that what they need is there."""
    return [
        spec
        for spec in policy.specs
        if spec.needs and policy.rules[spec.name].mode == OFF and ("rules", spec.name, "mode") not in policy.origins
    ]


def _row(policy: Policy, path: Path, value: Any, key: str = "") -> Row:
    line = policy.origins.get(path)
    return Row(key or ".".join(map(str, path)), value, f"line {line}" if line else DEFAULT)


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
                yield _row(policy, ("pipelines", number, key), shown, f"pipelines.{pipeline.name}.{key}")
        for stage, category in pipeline.categories.items():
            path = ("pipelines", number, "categories", stage)
            yield _row(policy, path, category, f"pipelines.{pipeline.name}.categories.{stage}")


def _writers(policy: Policy) -> Iterator[Row]:
    yield _row(policy, ("writers", "default"), policy.writers.default)
    for kind in dict.fromkeys(policy.writers.kinds.values()):
        ids = [writer for writer, its_kind in policy.writers.kinds.items() if its_kind == kind]
        yield _row(policy, ("writers", kind), ids)
    if policy.writers.clients:
        yield _row(policy, ("writers", "self"), sorted(policy.writers.clients))


def _rule(policy: Policy, path: Path, key: str, rule: RulePolicy) -> Iterator[Row]:
    for name, value in _settings(rule):
        yield _row(policy, (*path, name), value, f"{key}.{name}")


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
        return
    for name, value in _conditions(segment.when or When()):
        yield _row(policy, (*path, "when", *name.split(".", 1)), value, f"{key}.when.{name}")
    if segment.when is None:
        yield Row(f"{key}.when", "every deal that matches no other segment", f"line {policy.origins[path]}")
    window = _row(policy, (*path, "window_days"), segment.window_days, f"{key}.window_days")
    general = policy.origins.get(("window_days",))
    yield window._replace(origin=f"window_days, line {general}") if window.origin == DEFAULT and general else window
    norms = segment.norms
    if norms.wins:
        yield _row(policy, (*path, "norms", "wins"), norms.wins, f"{key}.norms.wins")
    if norms.discount_p75 is not None:
        shown = format_percent(norms.discount_p75)
        yield _row(policy, (*path, "norms", "discount_p75"), shown, f"{key}.norms.discount_p75")
    for figure in ("stage_days_median", "days_to_won_p10"):
        for stage, days in getattr(norms, figure).items():
            yield _row(policy, (*path, "norms", figure, stage), days, f"{key}.norms.{figure}.{stage}")
    for name, rule in segment.rules.items():
        for setting, value in _settings(rule):
            if (*path, "rules", name, setting) in policy.origins:
                yield _row(policy, (*path, "rules", name, setting), value, f"{key}.rules.{name}.{setting}")


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
