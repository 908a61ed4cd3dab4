"""What RevOps asserts of a policy: timelines with what should be told, and where a policy tells something else.

A file of tests is YAML: ``tests`` with a ``why`` and a ``timeline`` each (`core.timeline`), ``rules`` where a test is
only about some, and ``given`` for the lines that begin every timeline without a creation of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from wellwon.core import timeline
from wellwon.core.engine import restore
from wellwon.core.model import ALERT, Ruleset
from wellwon.core.state import decode_state
from wellwon.core.timeline import Line, Seen, Timeline, TimelineError, Told
from wellwon.policy.compile import compile_policy
from wellwon.policy.explain import SILENT, UNKNOWN, explain
from wellwon.policy.forms import Choice, Many, Section, Text
from wellwon.policy.model import Policy
from wellwon.policy.problem import Place, PolicyError, PolicyProblem, did_you_mean
from wellwon.policy.read import Path, Reader
from wellwon.policy.written import read_yaml

SILENCE: Final = "silence"
WON: Final = "won"


class Mismatch(NamedTuple):
    """A line at which something else is told than expected; ``reasons``: why an expected rule is silent."""

    line: int
    at: int
    text: str
    expected: str
    got: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Assertion:
    """One test: its lines know their place in the file."""

    line: int
    why: str
    lines: tuple[Line, ...]
    rules: tuple[str, ...]
    """Only these are compared, and what the timeline names; empty: everything."""


def read_assertions(text: str, file: str, policy: Policy) -> list[Assertion]:
    """The tests of a file. Raises `PolicyError` with every mistake, each with file, line and column."""
    written, problems = read_yaml(text, file)
    if not problems and not isinstance(written.value, dict):
        problems = [PolicyProblem(file, written.place, "a file of tests has the keys given and tests")]
    if problems:
        raise PolicyError(problems)
    reader = Reader(file)
    found = reader.section(_shape(policy), written)
    tests = []
    for i, test in enumerate(found.get("tests", ())):
        if "timeline" in test and "why" in test:
            lines = list(_lines(reader, ("tests", i, "timeline"), test["timeline"], policy.rules))
            if not any("created" in line.words for line in lines):
                lines = [*_lines(reader, ("given",), found.get("given", ""), policy.rules), *lines]
            place = reader.places["tests", i]
            tests.append(Assertion(place.line, test["why"].strip(), tuple(lines), tuple(test.get("rules", ()))))
    if reader.problems:
        raise PolicyError(list(dict.fromkeys(reader.problems)))
    return tests


def _shape(policy: Policy) -> Section:
    rules = Many("Rules that the test is about.", Choice("Rule.", tuple(policy.rules)))
    test = Section(
        "A test.",
        {
            "why": Text("What it is about, in a sentence."),
            "timeline": Text("What happens and what is told."),
            "rules": rules,
        },
        required=("why", "timeline"),
        noun="a key of a test",
    )
    return Section(
        "A file of tests.",
        {
            "given": Text("Lines that begin every timeline without a creation."),
            "tests": Many("Tests.", test, at_least=1),
        },
        required=("tests",),
        noun="a key of a file of tests",
    )


def _lines(reader: Reader, path: Path, text: str, rules: Collection[str]) -> Iterator[Line]:
    """The lines of a timeline, numbered as in the file: a block's text begins on the line after its mark."""
    if not text:
        return
    place = reader.places[path]
    first = place.line + ("\n" in text)
    for number, one in enumerate(text.splitlines()):
        at = Place(first + number, 1)
        if one.strip().startswith("policy:"):
            reader.say(at, "tests are run under the policy that is tested: remove this line")
            continue
        try:
            for line in timeline.parse(one).lines:
                for expected in line.expected:
                    if expected.what not in (*rules, WON):
                        reader.say(at, f"'{expected.what}' is not a rule{did_you_mean(expected.what, rules)}")
                yield Line(at.line, line.text, line.when, line.words, line.expected)
        except TimelineError as error:
            reader.say(at, str(error).partition(": ")[2])


# --- running --------------------------------------------------------------------------------------------------


def mismatches(assertion: Assertion, policy: Policy, file: str) -> list[Mismatch]:
    """Where the policy tells something else than the test expects. Raises `PolicyError` for what cannot be played."""
    ruleset = compile_policy(policy)
    try:
        seen = timeline.run(Timeline("", assertion.lines), lambda _: ruleset)
    except TimelineError as error:
        where, _, what = str(error).partition(": ")
        number = where.removeprefix("line ")
        line = int(number) if number.isdecimal() else assertion.line
        raise PolicyError([PolicyProblem(file, Place(line, 1), what)]) from None
    named = {expected.what for line in assertion.lines for expected in line.expected} | set(assertion.rules)
    found, last = [], assertion.line
    for one in seen:
        last = one.line.number if one.line is not None else last
        expected = sorted(one.line.expected if one.line is not None else ())
        told = sorted(_told(one, named, everything=not assertion.rules))
        if expected != told:
            reasons = tuple(_why_silent(assertion, one, expected, told, policy, ruleset))
            text = one.line.text if one.line is not None else "between lines"
            found.append(Mismatch(last, one.at, text, _joined(expected), _joined(told), reasons))
    return found


def _told(seen: Seen, named: set[str], *, everything: bool) -> Iterator[Told]:
    """What people are told: not what a headline covers or what runs in shadow, unless the test names the rule."""
    heard = {alert["rule"] for alert in seen.alerts if alert["mode"] == ALERT and not alert["covered_by"]}
    for one in seen.told:
        if one.what in named or (everything and one.what in heard):
            yield one


def _why_silent(
    assertion: Assertion, seen: Seen, expected: list[Told], told: list[Told], policy: Policy, ruleset: Ruleset
) -> Iterator[str]:
    missing = {one.what for one in expected} - {one.what for one in told}
    missing = {rule for rule in missing if rule in policy.rules}
    if not missing or seen.line is None:
        return
    store: dict[bytes, bytes] = {}
    until = assertion.lines[: assertion.lines.index(seen.line) + 1]
    timeline.run(Timeline("", until), lambda _: ruleset, store)
    stored = store.get(timeline.DEAL.encode())
    if stored is None:
        return
    state = restore(decode_state(stored), ruleset)
    state.at = max(state.at, seen.at)
    for answer in explain(timeline.DEAL, state, ruleset, policy).answers:
        if answer.rule in missing and answer.why:
            verdict = "" if answer.verdict == SILENT else f"{answer.verdict}: "
            these = answer.why if answer.verdict in (SILENT, UNKNOWN) else answer.why[:1]
            yield f"{answer.rule}: {verdict}" + "; or ".join(" and ".join(reason.said) for reason in these)


def _joined(told: list[Told]) -> str:
    return "; ".join(map(str, told)) or SILENCE
