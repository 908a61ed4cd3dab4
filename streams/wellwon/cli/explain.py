"""``wellwon explain RULE``: the rule's page, with its thresholds."""

from __future__ import annotations

import click

from wellwon.cli.failure import BadInput
from wellwon.cli.output import columns, page
from wellwon.core.rule import RuleSpec, param_fields
from wellwon.rules import PATTERNS


def rule_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """The rules whose names begin so, for shells."""
    return [spec.name for spec in PATTERNS if spec.name.startswith(incomplete)]


@click.command()
@click.argument("rule", shell_complete=rule_names)
def command(rule: str) -> None:
    """What RULE looks for, why it matters, when it is fine and what to do; then its thresholds.

    `wellwon rules` lists the rules.
    """
    by_name = {spec.name: spec for spec in PATTERNS}
    if rule not in by_name:
        from wellwon.policy.problem import did_you_mean

        raise BadInput(f"there is no rule '{rule}'{did_you_mean(rule, by_name)}")
    spec = by_name[rule]
    page(f"# {spec.name}\n\n{spec.doc}\n")
    click.echo()
    _settings(spec)


def _settings(spec: RuleSpec) -> None:
    thresholds = [
        (name, str(about["default"]), f"{about['ge']}..{about['le']}", about["unit"], about["doc"])
        for name, about in param_fields(spec.params).items()
    ]
    rows = [
        ("mode", spec.default_mode, "off, shadow, alert", "", f"Family {spec.family}, usual severity {spec.severity}."),
        ("deal_types", ", ".join(sorted(spec.deal_types)), "", "", "Deal types that it runs for."),
        *thresholds,
    ]
    columns(("in the policy", "default", "range", "unit", "what it is"), rows)
