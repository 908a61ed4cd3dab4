"""``wellwon policy explain DEAL``: why each rule holds for a deal, or does not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import click

from wellwon.cli.explain import rule_names
from wellwon.cli.failure import BadInput, Failed
from wellwon.cli.output import json_lines
from wellwon.cli.policy_explain_group import explain_live, explain_replayed, is_group
from wellwon.cli.reading import KINDS_HELP, dialect, history, load, replay_option
from wellwon.cli.replayed import Replayed
from wellwon.core.engine import restore
from wellwon.core.model import LOST, WON
from wellwon.core.rule import DEAL, RuleSpec, param_fields
from wellwon.core.state import State
from wellwon.core.units import format_date, format_instant, format_money, format_percent
from wellwon.history.one_deal import play
from wellwon.policy import Policy, compile_policy, load_policy
from wellwon.policy.explain import HOLDS, SILENT, VERDICTS, Answer, Explanation, explain
from wellwon.policy.problem import did_you_mean
from wellwon.sources.history import long_id

EXAMPLES = """\b
Examples:
  wellwon policy explain 006SM0000001Tb3YAE
  wellwon policy explain 006SM0000001Tb3YAE --replay salesforce-history OpportunityHistory.csv
  wellwon policy explain deal-17 --replay changes changes.jsonl --until 2026-09-28 --rule late-discount
  wellwon policy explain team:East --replay changes changes.jsonl
"""


class Known(NamedTuple):
    """A deal as it was found."""

    state: State
    policy: Policy
    where: str


@click.command("explain", epilog=f"{EXAMPLES}\n{KINDS_HELP}")
@click.argument("deal")
@history
@replay_option
@click.option("--policy", "policy_file", help="A policy; default $WELLWON_POLICY with --replay, else the one in force.")
@click.option("--until", metavar="TIME", help="With --replay: as of this date (its midnight) or instant.")
@click.option("--rule", "only", shell_complete=rule_names, help="Only this rule.")
@dialect
@click.option("--json", "as_json", is_flag=True, help="Everything, as JSON.")
def command(
    deal: str,
    kind: str | None,
    files: tuple[str, ...],
    policy_file: str | None,
    until: str | None,
    only: str | None,
    zone: str,
    dayfirst: bool,
    as_json: bool,
) -> None:
    """Why each rule holds for DEAL, or does not: values against thresholds, moves that count and moves that do not.

    The deal's state is read from the running system, or made from the FILES of a history with --replay. With --policy:
    what the rules would say under another policy. Instead of a deal: owner:ID or team:NAME, of the FILES of a history.
    """
    if kind is None and (files or until):
        raise BadInput("files and --until are for --replay KIND FILE...")
    if kind is not None and not files:
        raise BadInput(f"name the files of --replay {kind} (- is standard input)")
    replayed = None if kind is None else Replayed(kind, files, policy_file, until, zone, dayfirst)
    if is_group(deal):
        if replayed is None:
            explain_live(deal)
        else:
            explain_replayed(deal, replayed, only, as_json)
        return
    deal = long_id(deal)
    known = _live(deal, policy_file) if replayed is None else _replayed(deal, replayed)
    if only is not None and only not in known.policy.rules:
        raise BadInput(f"there is no rule '{only}'{did_you_mean(only, known.policy.rules)}")
    if (spec := next((spec for spec in known.policy.specs if spec.name == only), None)) and spec.subject != DEAL:
        raise BadInput(f"'{only}' is about {spec.subject}s: `wellwon policy explain {spec.subject}:...` asks it")
    ruleset = compile_policy(known.policy)
    said = explain(deal, restore(known.state, ruleset), ruleset, known.policy)
    answers = [answer for answer in said.answers if only in (None, answer.rule)]
    if as_json:
        json_lines(_plain(said, answers, known))
        return
    for line in _told(said, answers, known):
        click.echo(line)


def _replayed(deal: str, replayed: Replayed) -> Known:
    text, policy = replayed.policy()
    played = replayed.read(policy, lambda feed, until: play(deal, feed, text, lambda _: compile_policy(policy), until))
    if played.state is None:
        if played.changes:
            raise Failed(f"deal '{deal}' left the state: it is closed for longer than closed_days; see --until")
        raise Failed(f"no deal '{deal}' among the {played.deals:,} of these files. Ids are case-sensitive")
    return Known(played.state, policy, replayed.where)


def _live(deal: str, policy_file: str | None) -> Known:
    from wellwon.cli.broker import must_answer
    from wellwon.runtime.lookup import look_up
    from wellwon.runtime.restore import Refused
    from wellwon.runtime.settings import Settings

    settings = Settings.from_environment()
    must_answer(settings)
    try:
        found = look_up(settings, deal)
    except Refused as error:
        raise Failed(str(error)) from None
    if found.state is None:
        raise Failed(
            f"no deal '{deal}' in partition {found.partition}: it was never seen, was deleted, or is closed for longer"
            " than closed_days. Ids are case-sensitive"
        )
    found.state.at = max(found.state.at, found.clock)
    policy = load(policy_file)[1] if policy_file else load_policy(found.policy or "", "the policy in force")
    return Known(found.state, policy, f"partition {found.partition} of the running system")


# --- for people -----------------------------------------------------------------------------------------------


def _told(said: Explanation, answers: list[Answer], known: Known) -> Iterator[str]:
    deal = said.deal
    yield click.style(f"{deal.name}  {said.deal_id}".strip(), bold=True)
    yield "  ".join(f"{name} {value}" for name, value in _facts(said).items() if value is not None)
    yield f"as of {format_instant(said.at)}, {known.where}, policy {known.policy.fingerprint}"
    for verdict in VERDICTS:
        these = [answer for answer in answers if answer.verdict == verdict]
        if these:
            yield ""
            yield click.style(verdict.upper().replace("_", " "), bold=True)
            for answer in these:
                yield from _lines(answer, known.policy)
    if said.moves:
        yield ""
        yield click.style("MOVES", bold=True)
        for moved in said.moves:
            change = f"{moved.before} to {moved.after}" if moved.before else moved.after
            also = "".join(f", {word}" for word in moved.also)
            yield f"  {format_instant(moved.at)}  {moved.field}: {change}{also}; {moved.why}"


def _lines(answer: Answer, policy: Policy) -> Iterator[str]:
    indent = " " * 6
    if answer.verdict == HOLDS:
        since = f" since {format_instant(answer.since)}" if answer.since else ""
        yield f"  {answer.rule}: {answer.severity}{since}, {answer.title}"
        yield f"{indent}threshold: {answer.evidence['threshold']}"
        yield f"{indent}clears when {answer.evidence['clears']}"
        for untold in answer.untold:
            yield f"{indent}not told: {untold}"
        return
    yield f"  {answer.rule}" + (
        f" (last held {format_instant(answer.last.opened_at)} to {format_instant(answer.last.closed_at)}"
        f"{', taken back' if answer.last.retracted else ''})"
        if answer.last is not None
        else ""
    )
    for number, reason in enumerate(answer.why):
        because = "" if answer.verdict != SILENT or reason.kinds == ("nothing",) else "because "
        yield f"{indent}{'or ' if number else ''}{because}{', and '.join(reason.said)}"


def _facts(said: Explanation) -> dict[str, str | None]:
    deal = said.deal
    return {
        "stage": deal.stage or "unknown",
        "status": {WON: "won", LOST: "lost"}.get(deal.status, "open"),
        "category": deal.category.replace("_", " ") or None,
        "amount": None if deal.amount is None else f"{format_money(deal.amount)} {deal.currency}".rstrip(),
        "discount": None if deal.discount is None else f"{format_percent(deal.discount)} %",
        "baseline": None if deal.baseline is None else f"{format_percent(deal.baseline)} %",
        "closes": None if deal.close_date is None else format_date(deal.close_date),
        "segment": said.segment,
        "type": said.deal_type,
    }


# --- for machines ---------------------------------------------------------------------------------------------


def _plain(said: Explanation, answers: list[Answer], known: Known) -> dict[str, Any]:
    specs = {spec.name: spec for spec in known.policy.specs}
    return {
        "opportunity_id": said.deal_id,
        "name": said.deal.name,
        "at": format_instant(said.at),
        "from": known.where,
        "policy": known.policy.fingerprint,
        "deal": _facts(said),
        "rules": [_rule(answer, specs[answer.rule]) for answer in answers],
        "moves": [moved._asdict() | {"at": format_instant(moved.at)} for moved in said.moves],
    }


def _rule(answer: Answer, spec: RuleSpec) -> dict[str, Any]:
    last = answer.last
    return {
        "rule": answer.rule,
        "verdict": answer.verdict,
        "mode": answer.mode,
        "severity": answer.severity or None,
        "since": format_instant(answer.since) if answer.since else None,
        "title": answer.title or None,
        "evidence": answer.evidence or None,
        "not_told": list(answer.untold),
        "why": [{"kinds": list(reason.kinds), "said": list(reason.said)} for reason in answer.why],
        "thresholds": {
            name: {"value": answer.thresholds[name], "unit": about["unit"], "doc": about["doc"]}
            for name, about in param_fields(spec.params).items()
        },
        "last_held": None
        if last is None
        else {
            "from": format_instant(last.opened_at),
            "to": format_instant(last.closed_at),
            "retracted": last.retracted,
        },
    }
