"""What the shape cannot say: values that contradict each other, names that nothing has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final
from zoneinfo import available_timezones

from wellwon.core.model import NOT_FED, OFF
from wellwon.core.rule import RuleSpec
from wellwon.core.units import format_money
from wellwon.policy.delivery_check import check_delivery, check_exemptions, check_rates, is_currency
from wellwon.policy.model import DEFAULT_SEGMENT, SALESFORCE_PIPELINE, as_calendar
from wellwon.policy.own import is_own
from wellwon.policy.problem import did_you_mean
from wellwon.policy.read import Path, Reader

MONTH_MOST: Final = 20
"""Longest window of a month, days: a window must leave most of its period outside."""


def check_meaning(reader: Reader, found: dict[str, Any], specs: Sequence[RuleSpec]) -> None:
    """Note everything in what was read that contradicts itself or names what is not there."""
    _calendar(reader, found.get("calendar", {}))
    _pipelines(reader, found.get("pipelines", []))
    _writers(reader, found.get("writers", {}))
    _fields(reader, found)
    _categories(reader, found)
    _teams(reader, found)
    _segments(reader, found)
    _rules(reader, found.get("activities", NOT_FED), found.get("rules", {}), specs, ())
    for i, segment in enumerate(found.get("segments", [])):
        _rules(reader, found.get("activities", NOT_FED), segment.get("rules", {}), specs, ("segments", i))
    check_rates(reader, found)
    rules = [spec.name for spec in specs]
    segments = segment_names(found)
    check_exemptions(reader, found.get("exemptions", []), rules, segments, _pipeline_names(found))
    check_delivery(reader, found.get("deliver", {}), rules, segments)
    if found.get("calendar", {}).get("kind") == "month":
        _month_window(reader, found, ())
        for i, segment in enumerate(found.get("segments", [])):
            _month_window(reader, segment, ("segments", i))


def _calendar(reader: Reader, found: dict[str, Any]) -> None:
    zone = found.get("zone")
    if zone is not None and zone not in available_timezones():
        reader.say_at(("calendar", "zone"), f"calendar.zone '{zone}' is no time zone{_zone_hint(zone)}")
        found = {key: value for key, value in found.items() if key != "zone"}
    if found.get("table"):
        for key in ("start_month", "pattern", "week_start"):
            if key in found:
                reader.say_at(("calendar", key), f"calendar.{key} says nothing beside a table: remove one of them")
    elif "week_start" in found and found.get("pattern", "standard") == "standard":
        reader.say_at(("calendar", "week_start"), "calendar.week_start needs a pattern of weeks: 4-4-5, 4-5-4 or 5-4-4")
    if any(path[:2] == ("calendar", "table") for path in reader.broken):
        return
    try:
        as_calendar(found).build()
    except ValueError as error:
        reader.say_at(("calendar", "table"), f"calendar: {error}")


def _zone_hint(zone: str) -> str:
    cities = {name.rpartition("/")[2]: name for name in sorted(available_timezones())}
    if zone in cities:
        return f": did you mean '{cities[zone]}'?"
    return did_you_mean(zone, available_timezones()) or ": an IANA name such as Europe/Berlin is needed"


def _pipelines(reader: Reader, pipelines: list[dict[str, Any]]) -> None:
    taken: dict[str, str] = {}
    for i, pipeline in enumerate(pipelines):
        path: Path = ("pipelines", i)
        name = pipeline.get("name", "")
        for key in dict.fromkeys((name, *pipeline.get("match", ()))):
            if key and key in taken:
                reader.say_at(path, f"pipeline '{name}': '{key}' already means pipeline '{taken[key]}'")
            taken.setdefault(key, name)
        homes: dict[str, str] = {}
        for kind in ("open", "won", "lost"):
            for j, stage in enumerate(pipeline.get(kind, ())):
                if stage in homes:
                    said = f"pipeline '{name}': stage '{stage}' is among the {homes[stage]} stages already"
                    reader.say_at((*path, kind, j), said)
                homes.setdefault(stage, kind)
        opens = pipeline.get("open", ())
        if "late_stage" in pipeline:
            _must_be_open(reader, (*path, "late_stage"), "late_stage", pipeline["late_stage"], opens)
        for stage in pipeline.get("categories", {}):
            if stage not in homes:
                said = f"pipelines.categories: '{stage}' is not a stage of this pipeline{did_you_mean(stage, homes)}"
                reader.say_at((*path, "categories", stage), said)
        for j, stage in enumerate(pipeline.get("buyer_process", ())):
            _must_be_open(reader, (*path, "buyer_process", j), "buyer_process", stage, opens)


def _must_be_open(reader: Reader, path: Path, key: str, stage: str, opens: Iterable[str]) -> None:
    if opens and stage not in opens:
        said = f"pipelines.{key} '{stage}' is not an open stage of this pipeline{did_you_mean(stage, opens)}"
        reader.say_at(path, said)


def _writers(reader: Reader, writers: dict[str, Any]) -> None:
    kinds: dict[str, str] = {}
    for kind, ids in writers.items():
        if kind in ("default", "self"):
            continue
        for i, writer in enumerate(ids):
            if kinds.setdefault(writer, kind) != kind:
                said = f"writer '{writer}' is {kinds[writer]} already: a writer has one kind"
                reader.say_at(("writers", kind, i), said)


def _fields(reader: Reader, found: dict[str, Any]) -> None:
    for name, meaning in found.get("fields", {}).items():
        if meaning is not None and is_own(name):
            reader.say_at(
                ("fields", name),
                f"fields.{name} is written by wellwon itself: what it says of a deal is no news, map another field",
            )


def _categories(reader: Reader, found: dict[str, Any]) -> None:
    for section in ("categories", "deal_types"):
        words: dict[str, str] = {}
        for word, meaning in found.get(section, {}).items():
            first = words.setdefault(word.lower(), meaning)
            if first != meaning:
                said = f"{section}: '{word}' has two meanings, {first} and {meaning} (case does not count)"
                reader.say_at((section, word), said)


def _pipelines_of(found: dict[str, Any]) -> list[dict[str, Any]]:
    return found.get("pipelines") or [{"name": SALESFORCE_PIPELINE.name, "open": SALESFORCE_PIPELINE.open}]


def _pipeline_names(found: dict[str, Any]) -> list[str]:
    return [pipeline["name"] for pipeline in _pipelines_of(found) if "name" in pipeline]


def open_stages(found: dict[str, Any]) -> list[str]:
    """The open stages of all pipelines."""
    return list(dict.fromkeys(stage for pipeline in _pipelines_of(found) for stage in pipeline.get("open", ())))


def segment_names(found: dict[str, Any]) -> list[str]:
    """The names of all segments, the last one's among them."""
    return [*(segment["name"] for segment in found.get("segments", ()) if "name" in segment), DEFAULT_SEGMENT]


def _teams(reader: Reader, found: dict[str, Any]) -> None:
    homes: dict[str, str] = {}
    for team, owners in found.get("teams", {}).items():
        for i, owner in enumerate(owners):
            if homes.setdefault(owner, team) != team:
                said = f"owner '{owner}' is in team '{homes[owner]}' already: an owner has one team"
                reader.say_at(("teams", team, i), said)


def _segments(reader: Reader, found: dict[str, Any]) -> None:
    segments = found.get("segments", [])
    names = _pipeline_names(found)
    stages = open_stages(found)
    seen: set[str] = set()
    for i, segment in enumerate(segments):
        path: Path = ("segments", i)
        name = segment.get("name", "")
        if name in seen:
            reader.say_at((*path, "name"), f"segment '{name}' is defined twice")
        seen.add(name)
        when = segment.get("when")
        if not when and i < len(segments) - 1:
            said = f"segment '{name}' has no condition and hides those after it: only the last may take every deal"
            reader.say_at(path, said)
        if when and name == DEFAULT_SEGMENT:
            said = f"'{DEFAULT_SEGMENT}' is the segment of deals that match no other: give this one another name"
            reader.say_at((*path, "name"), said)
        _when(reader, (*path, "when"), when or {}, names)
        for figure in ("stage_days_median", "days_to_won_p10"):
            for stage in segment.get("norms", {}).get(figure, {}):
                if stage not in stages:
                    hint = did_you_mean(stage, stages)
                    said = f"norms.{figure}: '{stage}' is not an open stage of any pipeline{hint}"
                    reader.say_at((*path, "norms", figure, stage), said)


def _when(reader: Reader, path: Path, when: dict[str, Any], pipelines: list[str]) -> None:
    least, most = when.get("amount_min"), when.get("amount_max")
    if least is not None and most is not None and least >= most:
        said = f"amount_max {format_money(most)} is not above amount_min {format_money(least)}: no deal can match"
        reader.say_at((*path, "amount_max"), said)
    currency = when.get("currency")
    if currency is not None and not is_currency(currency):
        reader.say_at((*path, "currency"), f"currency '{currency}' is no ISO 4217 code such as USD")
    for i, name in enumerate(when.get("pipelines", ())):
        if name not in pipelines:
            said = f"'{name}' is not the name of a pipeline{did_you_mean(name, pipelines)}"
            reader.say_at((*path, "pipelines", i), said)


def _rules(reader: Reader, activities: str, written: dict[str, Any], rules: Sequence[RuleSpec], path: Path) -> None:
    """A rule about calls and mails would take every deal for silent where they are not fed."""
    for spec in rules:
        mode = written.get(spec.name, {}).get("mode", OFF)
        if mode != OFF and not spec.is_fed_by(activities):
            said = (
                f"{spec.name} is {mode}, but activities is {activities}: write 'activities: {spec.needs}' if that is"
                f" what reaches wellwon, else leave the rule out"
            )
            reader.say_at((*path, "rules", spec.name), said)


def _month_window(reader: Reader, found: dict[str, Any], path: Path) -> None:
    days = found.get("window_days", 0)
    if days > MONTH_MOST:
        said = f"window_days is '{days}': at most {MONTH_MOST} days where the period is a month"
        reader.say_at((*path, "window_days"), said)
