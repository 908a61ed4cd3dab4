"""``wellwon policy coverage POLICY``: which patterns the mapped fields can support, from real records."""

from __future__ import annotations

from typing import Any

import click
import orjson

from wellwon.cli.failure import BadInput
from wellwon.cli.output import STDIN, columns, counted, json_lines
from wellwon.cli.reading import (
    KINDS_HELP,
    dialect,
    history,
    load,
    none_read,
    options_of,
    replay_option,
    shown_rejections,
)
from wellwon.policy.coverage import Coverage, Share
from wellwon.sources.change import Rejected
from wellwon.sources.columns import unread_fields
from wellwon.sources.feed import Feed
from wellwon.sources.kinds import kind_named
from wellwon.sources.mapping import SourceView

EXAMPLES = """\b
Examples:
  wellwon policy coverage deploy/policy.yaml --replay salesforce-history OpportunityHistory.csv Opportunity.csv
  wellwon policy coverage policy.yaml --replay changes changes.jsonl --json
"""


@click.command("coverage", epilog=f"{EXAMPLES}\n{KINDS_HELP}")
@click.argument("policy_file", metavar="POLICY")
@history
@replay_option
@dialect
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(
    policy_file: str, kind: str | None, files: tuple[str, ...], zone: str, dayfirst: bool, as_json: bool
) -> None:
    """Which patterns the records in FILES can support under POLICY: yes, partly or no, and why.

    Says how many deals have each field that rules work with, from which CRM fields it is read, how often it changes,
    and which look-alikes cannot be told from a pattern.
    """
    if kind is None or not files:
        raise BadInput("name the policy, then the records to look at: POLICY --replay KIND FILE...")
    _, policy = load(policy_file)
    rejected: list[Rejected] = []
    of_kind = kind_named(kind)
    feed = Feed(of_kind, files, SourceView.of(policy), options_of(zone, dayfirst), rejected.append)
    coverage = Coverage(policy)
    for change in feed:
        coverage.note(orjson.loads(change.value))
    shown_rejections(rejected)
    if not coverage.deals:
        unread_said = "" if rejected else none_read(of_kind, files, policy.fields)
        raise BadInput(f"there is no change in these files that can be used{unread_said}")
    readable = of_kind.tables is not None and STDIN not in files
    unread = unread_fields(files, policy.fields) if readable else []
    if as_json:
        json_lines(_plain(coverage, unread))
        return
    click.echo(f"{counted(coverage.deals, 'deal')}, {coverage.first_at} to {coverage.last_at}")
    click.echo()
    rows = [
        (share.facet, f"{share.deals:,}", _share(share, coverage), f"{share.changes:,}", ", ".join(share.mapped))
        for share in coverage.shares()
    ]
    columns(("what rules work with", "deals", "share", "changes", "mapped from"), rows)
    click.echo()
    verdicts = [
        (verdict.rule, verdict.mode, verdict.supported, "; ".join((*verdict.why, *verdict.notes)))
        for verdict in coverage.verdicts()
    ]
    columns(("rule", "mode", "supported", "why"), verdicts)
    if coverage.unknown_stages:
        click.echo(f"\nstages that no pipeline knows: {', '.join(sorted(coverage.unknown_stages))}")
    if unread:
        click.echo(f"\nwhat the export has and no field of the policy reads: {', '.join(unread)}")


def _share(share: Share, coverage: Coverage) -> str:
    return f"{share.deals / coverage.deals:.0%}"


def _plain(coverage: Coverage, unread: list[str]) -> dict[str, Any]:
    return {
        "deals": coverage.deals,
        "first_at": coverage.first_at,
        "last_at": coverage.last_at,
        "fields": [share._asdict() | {"share": round(share.deals / coverage.deals, 4)} for share in coverage.shares()],
        "rules": [verdict._asdict() for verdict in coverage.verdicts()],
        "snapshots": coverage.snapshots,
        "unknown_stages": dict(coverage.unknown_stages.most_common()),
        "unknown_categories": dict(coverage.unknown_categories.most_common()),
        "unread_fields": unread,
    }
