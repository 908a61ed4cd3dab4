"""``wellwon docs``: the pages and regions of a checkout that are generated from the code."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from wellwon.cli.failure import FAILED, BadInput
from wellwon.cli.output import counted
from wellwon.core.rule import RuleSpec, param_fields
from wellwon.rules import PATTERNS

NOTE = "<!-- generated from {source} by `make docs`: change it there -->"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def rule_page(spec: RuleSpec) -> str:
    """A rule's page: its docstring, and its thresholds."""
    thresholds = [
        (f"`{name}`", str(about["default"]), f"{about['ge']} to {about['le']}", about["unit"], about["doc"])
        for name, about in param_fields(spec.params).items()
    ]
    # The examples are timelines of our own, executed by the tests.
    doc = spec.doc.replace("```timeline", "```text")
    kinds = ", ".join(f"`{kind}`" for kind in sorted(spec.deal_types))
    header = ("in the policy", "default", "range", "unit", "what it is")
    parts = [
        NOTE.format(source=f"streams/wellwon/rules/{spec.name.replace('-', '_')}.py"),
        f"# {spec.name}",
        doc,
        "## Settings",
        f"Family `{spec.family}`, usual severity `{spec.severity}`. Without a policy its mode is `{spec.default_mode}`,"
        f" for deals of type {kinds}.",
        table(header, thresholds) if thresholds else "It has no thresholds.",
        f"```yaml\nrules:\n  {spec.name}: shadow  # or off, alert, or a section: mode, deal_types, thresholds\n```",
    ]
    return "\n\n".join(parts) + "\n"


def rule_table() -> str:
    """The README's table of rules."""
    rows = [
        (f"[{spec.name}](docs/rules/{spec.name}.md)", spec.family, spec.severity, spec.default_mode, spec.summary)
        for spec in PATTERNS
    ]
    return table(("rule", "family", "severity", "mode", "what it looks for"), rows)


def topic_table() -> str:
    """The map's table of topics."""
    from wellwon.runtime.topics import RAW, TOPICS, raw_topic

    escape = str.maketrans({"<": "&lt;", ">": "&gt;"})
    rows = [
        (
            f"`wellwon.{topic.name}`",
            topic.key,
            topic.value.translate(escape),
            ", ".join(topic.writers).translate(escape),
            ", ".join(topic.readers),
            "`WELLWON_PARTITIONS`" if topic.partitions is None else str(topic.partitions),
            topic.kept,
        )
        for topic in (*TOPICS, raw_topic("<source>"))
    ]
    assert rows[-1][0].startswith(f"`wellwon.{RAW}")
    return table(("topic", "key", "holds", "written by", "read by", "partitions", "kept"), rows)


REGIONS = {"README.md": {"rules": rule_table}, "streams/README.md": {"topics": topic_table}}
"""Page, region and what makes it; ``<!-- generated:rules (make docs) -->`` begins one."""


def files(root: Path) -> dict[str, str]:
    """Every page that is generated, wholly or in part: path and content."""
    from wellwon.cli.dashboards import dashboard_files
    from wellwon.cli.metrics_page import metrics_page
    from wellwon.cli.reference import policy_page, settings_page

    found = {f"docs/rules/{spec.name}.md": rule_page(spec) for spec in PATTERNS}
    found |= {"docs/reference/policy.md": policy_page(), "docs/reference/settings.md": settings_page()}
    found |= {"docs/operate-metrics.md": metrics_page(), **dashboard_files()}
    for page, regions in REGIONS.items():
        text = (root / page).read_text(encoding="utf-8")
        for name, make in regions.items():
            begin, end = rf"<!-- generated:{name}\b[^\n]*-->\n", f"<!-- /generated:{name} -->"
            content = f"{make()}\n"
            before, *rest = re.split(f"({begin}).*?({end})", text, flags=re.DOTALL)
            count = len(rest) // 3
            if count == 1:
                text = f"{before}{rest[0]}{content}{rest[1]}{rest[2]}"
            if count != 1:
                raise BadInput(f"{page} has no region <!-- generated:{name} --> ... <!-- /generated:{name} -->")
        found[page] = text
    return found


def differences(root: Path) -> list[str]:
    """What is not as it would be generated, one line each."""
    wanted = files(root)
    lines = []
    for name, content in wanted.items():
        path = root / name
        if not path.exists():
            lines.append(f"{name} is missing")
        elif path.read_text(encoding="utf-8") != content:
            lines.append(f"{name} is stale")
    rules = {path.relative_to(root).as_posix() for path in (root / "docs" / "rules").glob("*.md")}
    return lines + [f"{name} is of no rule: remove it" for name in sorted(rules - wanted.keys())]


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 if something is stale.")
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="The checkout; default the current directory.",
)
def command(check: bool, root: Path) -> None:
    """Write what is generated in a checkout: docs/rules/, docs/reference/, tables in the READMEs, dashboards."""
    stale = differences(root)
    if check:
        for line in stale:
            click.echo(line)
        if stale:
            click.echo("`wellwon docs` writes them anew", err=True)
            sys.exit(FAILED)
        click.echo("generated pages: fresh")
        return
    changed = 0
    for name, content in files(root).items():
        path = root / name
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
            changed += 1
    click.echo(f"{counted(changed, 'page')} written" if changed else "nothing to change")
