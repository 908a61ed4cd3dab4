"""What the core reads of a policy."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from wellwon.core.calendar import FiscalCalendar
from wellwon.core.model import DEAL_TYPES, OFF, ActiveRule, ExemptDeals, GroupRule, Pipeline, Ruleset, Segment
from wellwon.core.rule import DEAL
from wellwon.core.units import MINUTE
from wellwon.policy.load import load_policy
from wellwon.policy.model import Exemption, PipelinePolicy, Policy, SegmentPolicy, When, id_forms


def compile_policy(policy: Policy) -> Ruleset:
    """The policy as the core reads it."""
    calendar = policy.calendar.build()
    pipelines: dict[str, Pipeline] = {}
    for written in policy.pipelines:
        pipelines.update(dict.fromkeys(sorted(written.keys), _pipeline(written)))
    return Ruleset(
        calendar=calendar,
        pipelines=pipelines,
        default_pipeline=policy.pipelines[0].name,
        categories=policy.categories,
        segments=tuple(_segment(policy, segment) for segment in policy.segments),
        fingerprint=policy.fingerprint,
        deal_types=policy.deal_types,
        commit_lock_days=policy.commit_lock_days,
        correction_ms=policy.correction_minutes * MINUTE,
        lateness_ms=policy.lateness_minutes * MINUTE,
        bulk_records=policy.bulk_records,
        closed_days=policy.closed_days,
        activities=policy.activities,
        exemptions=tuple(_exemption(policy, exemption, calendar) for exemption in policy.exemptions),
        teams={form: team for team, owners in policy.teams.items() for owner in owners for form in id_forms(owner)},
        team_label=policy.team_label,
        group_rules=tuple(_group_rules(policy)),
    )


@lru_cache(maxsize=16)
def compile_text(text: str) -> Ruleset:
    """The ruleset of a policy's text, as it stands in a policy record. Raises `PolicyError`."""
    return compile_policy(load_policy(text))


def _pipeline(written: PipelinePolicy) -> Pipeline:
    return Pipeline(
        name=written.name,
        open_stages=written.open,
        won_stages=written.won,
        lost_stages=written.lost,
        late_stage=written.late_stage,
        buyer_process=frozenset(written.buyer_process),
        deal_type=written.deal_type,
        categories=written.categories,
    )


def _segment(policy: Policy, segment: SegmentPolicy) -> Segment:
    when = segment.when or When()
    keys = {pipeline.name: pipeline.keys for pipeline in policy.pipelines}
    active = [
        (segment.rules[spec.name].deal_types, _active(policy, segment, i))
        for i, spec in enumerate(policy.specs)
        if segment.rules[spec.name].mode != OFF and spec.subject == DEAL
    ]
    return Segment(
        name=segment.name,
        rules={kind: tuple(rule for kinds, rule in active if kind in kinds) for kind in DEAL_TYPES},
        window_days=segment.window_days,
        norms=segment.norms,
        amount_min=when.amount_min,
        amount_max=when.amount_max,
        currency=when.currency,
        pipelines=frozenset(key for name in when.pipelines for key in keys[name]),
        deal_types=when.deal_types,
        fields=dict(when.labels),
    )


def _exemption(policy: Policy, written: Exemption, calendar: FiscalCalendar) -> ExemptDeals:
    keys = {pipeline.name: pipeline.keys for pipeline in policy.pipelines}
    return ExemptDeals(
        ends_at=calendar.midnight(written.until + 1),
        deals=frozenset(form for deal in written.deals for form in id_forms(deal)),
        owners=frozenset(form for owner in written.owners for form in id_forms(owner)),
        pipelines=frozenset(key for name in written.pipelines for key in keys[name]),
        segments=frozenset(written.segments),
        rules=frozenset(written.rules),
    )


def _group_rules(policy: Policy) -> Iterator[GroupRule]:
    """Owners and teams have deals of every segment: for them the general rules hold."""
    for spec in policy.specs:
        chosen = policy.rules[spec.name]
        if spec.subject != DEAL and chosen.mode != OFF:
            yield GroupRule(spec, spec.params(**chosen.params), chosen.mode, chosen.deal_types)


def _active(policy: Policy, segment: SegmentPolicy, number: int) -> ActiveRule:
    spec = policy.specs[number]
    chosen = segment.rules[spec.name]
    return ActiveRule(spec, spec.params(**chosen.params), chosen.mode)
