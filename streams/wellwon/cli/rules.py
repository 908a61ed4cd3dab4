"""``wellwon rules``: every rule in a line."""

from __future__ import annotations

import os

import click

from wellwon.cli.output import columns, json_lines
from wellwon.cli.reading import load
from wellwon.core.rule import param_fields
from wellwon.rules import PATTERNS


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Everything about them, as JSON.")
def command(as_json: bool) -> None:
    """The rules: what each looks for, and its mode under the policy that WELLWON_POLICY names.

    `wellwon explain RULE` tells more; `wellwon policy show` has every threshold in force.
    """
    _, policy = load(os.environ.get("WELLWON_POLICY") or None)
    if as_json:
        json_lines(
            [
                {
                    "name": spec.name,
                    "family": spec.family,
                    "severity": spec.severity,
                    "mode": policy.rules[spec.name].mode,
                    "deal_types": sorted(spec.deal_types),
                    "summary": spec.summary,
                    "params": param_fields(spec.params),
                    "in_force": dict(policy.rules[spec.name].params),
                }
                for spec in PATTERNS
            ]
        )
        return
    rows = [(spec.name, spec.family, spec.severity, policy.rules[spec.name].mode, spec.summary) for spec in PATTERNS]
    columns(("rule", "family", "severity", "mode", "what it looks for"), rows)
