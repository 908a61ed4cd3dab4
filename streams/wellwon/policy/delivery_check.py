"""What is wrong with ``deliver``, ``exemptions`` and plan rates beyond their shape."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from wellwon.policy.delivery import ADDRESSED, EMAIL, ONE_CHANNEL, PEOPLE, REVOPS, SLACK, Sink
from wellwon.policy.problem import did_you_mean
from wellwon.policy.read import Path, Reader

_SECRET: Final = re.compile(r"^(xox[a-z]-|xapp-|whsec_|https?://|smtps?://|Bearer )", re.IGNORECASE)
"""What tokens and addresses with a token in them begin with."""
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def check_delivery(reader: Reader, deliver: dict[str, Any], rules: Iterable[str], segments: Iterable[str]) -> None:
    """Note what names no rule, segment or audience, what could never be taken, and secrets."""
    at: Path = ("deliver",)
    rules, segments = list(rules), list(segments)
    sinks = deliver.get("sinks", {})
    heard = _sinks(reader, sinks)
    routes = deliver.get("routes", [])
    for i, route in enumerate(routes):
        when = route.get("when", {})
        if not when and i < len(routes) - 1:
            said = "this route has no condition and hides those after it: only the last may take every alert"
            reader.say_at((*at, "routes", i), said)
        for key, what, known in (("rules", "a rule", rules), ("segments", "a segment", segments)):
            must_be_known(reader, (*at, "routes", i, "when", key), when.get(key, ()), what, known)
    for path, to in _recipients(deliver):
        for i, audience in enumerate(to):
            place = (*at, *path, i)
            if sinks and audience not in heard:
                said = f"no sink hears '{audience}'{did_you_mean(audience, heard)}"
                reader.say_at(place, said)
            elif not sinks and audience not in (*PEOPLE, REVOPS):
                near = did_you_mean(audience, (*PEOPLE, REVOPS))
                hint = near if "did you mean" in near else ": name it in the hears of a sink, in deliver.sinks"
                said = f"no sink hears '{audience}'{hint}"
                reader.say_at(place, said)


def _recipients(deliver: dict[str, Any]) -> Iterator[tuple[Path, list[str]]]:
    for i, route in enumerate(deliver.get("routes", ())):
        yield ("routes", i, "to"), route.get("to", [])
    for key in ("weekly_digest", "escalation"):
        yield (key, "to"), deliver.get(key, {}).get("to", [])
    for key in ("handover_to", "earned_wins_to"):
        yield (key,), deliver.get(key, [])


def _sinks(reader: Reader, sinks: dict[str, dict[str, Any]]) -> list[str]:
    """Check each sink; the audiences that are heard."""
    heard: list[str] = []
    for name, sink in sinks.items():
        at: Path = ("deliver", "sinks", name)
        kind, hears = sink.get("kind"), sink.get("hears", [])
        channels = sink.get("channels", {})
        heard += hears
        if not _NAME.fullmatch(name):
            reader.say_at(at, f"sink '{name}': small letters, digits and - are needed, for its variable's name")
        for i, audience in enumerate(hears):
            if kind in ONE_CHANNEL and audience in PEOPLE:
                said = f"a sink of kind {kind} posts into one channel: it cannot tell the {audience} in private"
                reader.say_at((*at, "hears", i), said)
            if kind in ADDRESSED and audience not in (*PEOPLE, *channels):
                what = "channel" if kind == SLACK else "e-mail address"
                reader.say_at((*at, "hears", i), f"sink '{name}' hears '{audience}': its {what} is missing in channels")
        for audience, channel in channels.items():
            place = (*at, "channels", audience)
            if audience not in hears or audience in PEOPLE:
                said = f"'{audience}' is no channel that sink '{name}' hears{did_you_mean(audience, hears)}"
                reader.say_at(place, said)
            if _SECRET.match(channel):
                variable = Sink(name, kind or "", ()).variable
                said = f"this is, or may hold, a secret: it belongs into the environment variable {variable}"
                reader.say_at(place, said)
            elif kind == EMAIL and "@" not in channel:
                reader.say_at(place, f"'{channel}' is no e-mail address")
        if kind == EMAIL and "@" not in sink.get("sender", ""):
            reader.say_at((*at, "sender"), f"sink '{name}' has no 'sender': the address that its e-mail comes from")
    return list(dict.fromkeys(heard))


def check_exemptions(
    reader: Reader,
    exemptions: list[dict[str, Any]],
    rules: Iterable[str],
    segments: Iterable[str],
    pipelines: Iterable[str],
) -> None:
    """Note names that nothing has, and exemptions of everything."""
    known = {"rules": ("a rule", rules), "segments": ("a segment", segments), "pipelines": ("a pipeline", pipelines)}
    for i, exemption in enumerate(exemptions):
        at: Path = ("exemptions", i)
        if not any(exemption.get(key) for key in ("deals", "owners", "pipelines", "segments")):
            said = "an exemption of every deal is a rule in shadow: say it in rules, or name deals, owners, pipelines"
            reader.say_at(at, f"{said} or segments")
        for key, (what, names) in known.items():
            must_be_known(reader, (*at, key), exemption.get(key, ()), what, names)


def check_rates(reader: Reader, found: dict[str, Any]) -> None:
    """Note currencies that are none, and rates that nothing is compared by."""
    reporting, rates = found.get("reporting_currency"), found.get("plan_rates", {})
    codes: list[tuple[Path, str]] = [(("plan_rates", currency), currency) for currency in rates]
    if reporting is not None:
        codes.append((("reporting_currency",), reporting))
    for path, code in codes:
        if not is_currency(code):
            reader.say_at(path, f"{path[0]}: '{code}' is no ISO 4217 code such as USD")
    if rates and reporting is None:
        reader.say_at(("plan_rates",), "plan_rates say nothing without a reporting_currency: name it")
    if reporting is not None and reporting in rates:
        said = f"plan_rates: {reporting} is the reporting currency itself; its rate is 1"
        reader.say_at(("plan_rates", reporting), said)


def is_currency(code: str) -> bool:
    """Whether it looks like a code of ISO 4217."""
    return len(code) == 3 and code.isascii() and code.isupper()


def must_be_known(reader: Reader, path: Path, names: Iterable[str], what: str, known: Iterable[str]) -> None:
    """Note each name of a list that nothing has."""
    options = list(known)
    for i, name in enumerate(names):
        if name not in options:
            reader.say_at((*path, i), f"'{name}' is not the name of {what}{did_you_mean(name, options)}")
