"""Read a policy: the text, everything that is wrong with it, the values filled in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wellwon.core.model import NOT_FED
from wellwon.core.norms import Norms
from wellwon.core.rule import RuleSpec
from wellwon.policy.check import check_meaning, open_stages, segment_names
from wellwon.policy.delivery import as_crm, as_delivery
from wellwon.policy.model import (
    CATEGORIES,
    DEAL_TYPE_WORDS,
    DEFAULT_SEGMENT,
    FIELDS,
    SALESFORCE_PIPELINE,
    Exemption,
    PipelinePolicy,
    Policy,
    RulePolicy,
    SegmentPolicy,
    When,
    Writers,
    as_calendar,
    rule_defaults,
)
from wellwon.policy.norms import NORMS, as_norms_file, check_norms
from wellwon.policy.problem import PolicyError
from wellwon.policy.published import NormsText
from wellwon.policy.read import Reader
from wellwon.policy.shape import LABELS, policy_shape
from wellwon.policy.written import read_yaml
from wellwon.rules import PATTERNS

WINDOW_DAYS = {"quarter": 10, "month": 4}
COMMIT_LOCK_DAYS = {"quarter": 30, "month": 10}


def load_policy(
    text: str, file: str = "policy.yaml", rules: Sequence[RuleSpec] = PATTERNS, norms: NormsText | None = None
) -> Policy:
    """The policy that a YAML text means; an empty text is the defaults.

    ``file`` is only named in messages. ``norms`` is what the policy's ``norms_file`` holds: whoever read the one file
    reads the other. Raises `PolicyError` with every mistake in both, each with file, line and column.
    """
    written, problems = read_yaml(text, file)
    reader = Reader(file)
    found = reader.section(policy_shape(rules), written)
    norms_reader, norms_path = (reader, ("norms",)) if norms is None else (Reader(norms.file, "the norms"), ())
    if "norms_file" in found and "norms" in found:
        reader.say_at(("norms_file",), "norms_file and norms say the same: remove one of them")
    elif "norms_file" in found and (norms is None or norms.unread):
        why = f"cannot be read: {norms.unread}" if norms else "was not read with the policy"
        said = f"norms_file '{found['norms_file']}' {why}; `wellwon norms` writes it"
        reader.say_at(("norms_file",), said)
    elif norms is not None:
        norms_written, wrong = read_yaml(norms.text, norms.file)
        problems += wrong
        found["norms"] = norms_reader.section(NORMS, norms_written)
    check_meaning(reader, found, rules)
    check_norms(norms_reader, norms_path, found.get("norms", {}), segment_names(found), open_stages(found))
    problems += reader.problems if norms_reader is reader else reader.problems + norms_reader.problems
    if problems:
        raise PolicyError(problems)
    origins = {path: place.line for path, place in reader.places.items() if path}
    origins |= {("norms", *path): place.line for path, place in norms_reader.places.items() if norms and path}
    return _filled_in(found, rules, origins, file, norms.file if norms else "")


def _filled_in(
    found: dict[str, Any],
    rules: Sequence[RuleSpec],
    origins: dict[tuple[str | int, ...], int],
    file: str,
    norms_file: str,
) -> Policy:
    calendar = as_calendar(found.get("calendar", {}))
    window_days = found.get("window_days", WINDOW_DAYS[calendar.kind])
    activities = found.get("activities", NOT_FED)
    mapped = set(found.get("fields", {}).values())
    by_rule = {
        spec.name: _rule(rule_defaults(spec, activities, mapped), found.get("rules", {}).get(spec.name, {}))
        for spec in rules
    }
    least_amount = found.get("least_amount", 0)
    norms = as_norms_file(found["norms"]) if "norms" in found else None
    own = {name: known.as_norms() for name, known in norms.segments.items()} if norms else {}
    segments = [_segment(segment, window_days, least_amount, by_rule, own) for segment in found.get("segments", ())]
    if not segments or segments[-1].when is not None:
        segments.append(
            SegmentPolicy(DEFAULT_SEGMENT, None, window_days, own.get(DEFAULT_SEGMENT, Norms()), by_rule, least_amount)
        )
    return Policy(
        calendar=calendar,
        window_days=window_days,
        commit_lock_days=found.get("commit_lock_days", COMMIT_LOCK_DAYS[calendar.kind]),
        correction_minutes=found.get("correction_minutes", 30),
        lateness_minutes=found.get("lateness_minutes", 10),
        bulk_records=found.get("bulk_records", 20),
        closed_days=found.get("closed_days", 100),
        pipelines=tuple(map(_pipeline, found.get("pipelines", ()))) or (SALESFORCE_PIPELINE,),
        categories=CATEGORIES | {word.lower(): meaning for word, meaning in found.get("categories", {}).items()},
        deal_types=DEAL_TYPE_WORDS | {word.lower(): meaning for word, meaning in found.get("deal_types", {}).items()},
        fields=_fields(found.get("fields", {})),
        writers=_writers(found.get("writers", {})),
        rules=by_rule,
        segments=tuple(segments),
        exemptions=tuple(map(_exemption, found.get("exemptions", ()))),
        least_amount=least_amount,
        reporting_currency=found.get("reporting_currency", ""),
        plan_rates=found.get("plan_rates", {}),
        deliver=as_delivery(found.get("deliver", {})),
        crm=as_crm(found.get("crm", {})),
        specs=tuple(rules),
        activities=activities,
        norms=norms,
        norms_file=norms_file,
        teams={team: tuple(owners) for team, owners in found.get("teams", {}).items()},
        team_label=found.get("team_label", "").removeprefix(LABELS),
        origins=origins,
        file=file,
    )


def _pipeline(found: dict[str, Any]) -> PipelinePolicy:
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
    return PipelinePolicy(**given)


def _fields(found: dict[str, str | None]) -> dict[str, str]:
    """The default mapping, where nothing is written for the CRM's field or for the field of the deal."""
    written = {name: meaning for name, meaning in found.items() if meaning is not None}
    taken = set(written.values())
    kept = {name: meaning for name, meaning in FIELDS.items() if name not in found and meaning not in taken}
    return kept | written


def _writers(found: dict[str, Any]) -> Writers:
    kinds = {writer: kind for kind, ids in found.items() if kind not in ("default", "self") for writer in ids}
    return Writers(found.get("default", Writers.default), kinds, frozenset(found.get("self", ())))


def _rule(base: RulePolicy, found: dict[str, Any]) -> RulePolicy:
    return RulePolicy(
        mode=found.get("mode", base.mode),
        deal_types=frozenset(found["deal_types"]) if "deal_types" in found else base.deal_types,
        params=base.params | {name: value for name, value in found.items() if name not in ("mode", "deal_types")},
    )


def _exemption(found: dict[str, Any]) -> Exemption:
    given: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in found.items()}
    return Exemption(**given)


def _segment(
    found: dict[str, Any], window_days: int, least_amount: int, by_rule: dict[str, RulePolicy], own: dict[str, Norms]
) -> SegmentPolicy:
    """A segment. Norms written in the policy take the place of those from the history (``own``)."""
    rules = found.get("rules", {})
    return SegmentPolicy(
        name=found["name"],
        when=_when(found["when"]) if found.get("when") else None,
        window_days=found.get("window_days", window_days),
        norms=Norms(**found["norms"]) if found.get("norms") else own.get(found["name"], Norms()),
        rules={name: _rule(base, rules.get(name, {})) for name, base in by_rule.items()},
        least_amount=found.get("least_amount", least_amount),
    )


def _when(found: dict[str, Any]) -> When:
    return When(
        amount_min=found.get("amount_min"),
        amount_max=found.get("amount_max"),
        currency=found.get("currency"),
        pipelines=tuple(found.get("pipelines", ())),
        deal_types=frozenset(found.get("deal_types", ())),
        labels={label: frozenset(values) for label, values in found.get("labels", {}).items()},
    )
