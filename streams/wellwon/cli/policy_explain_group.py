"""``wellwon policy explain owner:ID`` or ``team:NAME``: what the rules about owners and teams say."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

import click

from wellwon.cli.failure import BadInput, Failed
from wellwon.cli.output import json_lines
from wellwon.cli.replayed import Replayed
from wellwon.core.facts import Fact
from wellwon.core.group import subjects_of
from wellwon.core.model import SHADOW, Ruleset
from wellwon.core.units import format_instant
from wellwon.history.all_facts import facts_of
from wellwon.policy import Policy, compile_policy
from wellwon.policy.explain import thresholds_in_words
from wellwon.policy.explain_group import KINDS, GroupAnswer, explain_group
from wellwon.policy.problem import did_you_mean


def is_group(subject: str) -> bool:
    """Whether an owner or a team is asked for."""
    kind, colon, who = subject.partition(":")
    return kind in KINDS and bool(colon and who)


def explain_live(subject: str) -> None:
    """Where to look for an owner or a team of the running system."""
    raise Failed(
        f"{subject}: the running system keeps what holds for owners and teams, not why. What holds is on the live page"
        " (`wellwon web`) and in the topic of alerts; with --replay KIND FILE... a history says why"
    )


def explain_replayed(subject: str, replayed: Replayed, only: str | None, as_json: bool) -> None:
    """Say why each rule holds for an owner or a team of a history."""
    text, policy = replayed.policy()
    if only is not None and only not in policy.rules:
        raise BadInput(f"there is no rule '{only}'{did_you_mean(only, policy.rules)}")
    ruleset = compile_policy(policy)
    facts = replayed.read(policy, lambda feed, until: facts_of(feed, text, lambda _: ruleset, until))
    if not any(subject in subjects_of(fact, ruleset) for fact in facts.of_deals):
        raise Failed(_unknown(subject, facts.of_deals, ruleset))
    answers = [one for one in explain_group(subject, facts.of_deals, facts.at, ruleset) if only in (None, one.rule)]
    if as_json:
        json_lines(_plain(subject, answers, facts.at, replayed.where, policy))
        return
    for line in _told(subject, answers, facts.at, replayed.where, policy):
        click.echo(line)


def _unknown(subject: str, facts: tuple[Fact, ...], ruleset: Ruleset) -> str:
    kind, _, who = subject.partition(":")
    known = sorted(
        {one.partition(":")[2] for fact in facts for one in subjects_of(fact, ruleset) if one.startswith(kind)}
    )
    near = did_you_mean(who, known)
    return f"no deal in these files belongs to {kind} '{who}'{near or f'; there are {len(known):,} {kind}s'}"


def _told(subject: str, answers: list[GroupAnswer], at: int, where: str, policy: Policy) -> Iterator[str]:
    specs = {spec.name: spec for spec in policy.specs}
    yield click.style(subject.replace(":", " ", 1), bold=True)
    yield f"as of {format_instant(at)}, {where}, policy {policy.fingerprint}"
    if not answers:
        yield "no rule about it runs under this policy"
    for period, these in groupby(answers, key=lambda answer: answer.period):
        yield ""
        yield click.style(period, bold=True)
        for answer in these:
            said = f"{answer.severity}, {answer.title}" if answer.severity else "does not hold"
            yield f"  {answer.rule}: {said}{' (in shadow: told to no one)' if answer.mode == SHADOW else ''}"
            yield f"      it counts {answer.counted:,} of {answer.deals:,} deals"
            if answer.severity:
                yield f"      threshold: {answer.evidence['threshold']}"
                yield f"      clears when {answer.evidence['clears']}"
                if deals := answer.evidence.get("deals"):
                    yield f"      deals: {', '.join(deals) if isinstance(deals, list) else deals}"
            else:
                for name, value, doc in thresholds_in_words(specs[answer.rule], answer.thresholds):
                    yield f"      {name} {value}: {doc}"


def _plain(subject: str, answers: list[GroupAnswer], at: int, where: str, policy: Policy) -> dict[str, Any]:
    kind, _, who = subject.partition(":")
    return {
        "subject": {"kind": kind, "id": who},
        "at": format_instant(at),
        "from": where,
        "policy": policy.fingerprint,
        "rules": [
            {
                "rule": answer.rule,
                "period": answer.period,
                "holds": bool(answer.severity),
                "mode": answer.mode,
                "severity": answer.severity or None,
                "title": answer.title or None,
                "evidence": answer.evidence or None,
                "deals_counted": answer.counted,
                "deals": answer.deals,
                "thresholds": answer.thresholds,
            }
            for answer in answers
        ],
    }
