"""``wellwon policy init EXPORT``: a first policy, from what an export shows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import click
import orjson

from wellwon.cli.failure import BadInput
from wellwon.cli.output import STDIN
from wellwon.cli.reading import KINDS_HELP, KindName, dialect, none_read, options_of, shown_rejections
from wellwon.core.units import date_of
from wellwon.policy import load_policy
from wellwon.policy.guess import Guess
from wellwon.policy.sample import Sample
from wellwon.policy.starting import Export, starting_policy
from wellwon.sources.change import Rejected
from wellwon.sources.columns import unread_fields
from wellwon.sources.dates import DateReader
from wellwon.sources.feed import Feed
from wellwon.sources.history import Options
from wellwon.sources.kinds import guess_kind, kind_named
from wellwon.sources.mapping import SourceView
from wellwon.sources.table import has, plain
from wellwon.sources.whole import open_table

EXAMPLES = """\b
Examples:
  wellwon policy init OpportunityHistory.csv Opportunity.csv > policy.yaml
  wellwon policy init --kind changes changes.jsonl --out policy.yaml
"""


@click.command("init", epilog=f"{EXAMPLES}\n{KINDS_HELP}")
@click.argument("files", nargs=-1, required=True, metavar="EXPORT...")
@click.option("--kind", type=KindName(), help="What the export is; by default told by its first line.")
@click.option("--out", type=click.Path(dir_okay=False), help="Write to this file, which must not be there yet.")
@dialect
def command(files: tuple[str, ...], kind: str | None, out: str | None, zone: str, dayfirst: bool) -> None:
    """A commented first policy from an EXPORT: stages in order, calendar, segments, words; guesses with their evidence.

    The result passes `wellwon policy check`. What no export says, such as the time zone, is marked as well.
    """
    if STDIN in files:
        raise BadInput("the export is read more than once: name a file, not standard input")
    if out is not None and Path(out).exists():
        raise BadInput(f"{out} is there already: nothing is written over it")
    of_kind = kind_named(kind) if kind else guess_kind(files)
    options = options_of(zone, dayfirst)
    rejected: list[Rejected] = []
    sample = Sample()
    for change in Feed(of_kind, files, SourceView(), options, rejected.append):
        sample.note(orjson.loads(change.value))
    shown_rejections(rejected)
    if not sample.deals:
        unread = "" if rejected else none_read(of_kind, files, SourceView().fields)
        raise BadInput(f"there is no change in these files that can be used{unread}")
    tables = of_kind.tables is not None
    export = Export(
        names=tuple(Path(file).name for file in files),
        probabilities=_probabilities(files) if tables else {},
        columns=unread_fields(files, SourceView().fields) if tables else (),
        start_month=_fiscal_start(files, options) if tables else None,
    )
    text = starting_policy(sample, export)
    load_policy(text, out or "the first policy")  # what is written can be read
    if out is None:
        click.echo(text, nl=False)
    else:
        Path(out).write_text(text, encoding="utf-8")
        click.echo(f"{out}: written; look for GUESS in it, then `wellwon policy check {out}`", err=True)


def _rows(files: tuple[str, ...], *columns: str) -> Iterator[dict[str, str]]:
    """The rows of those tables that have all of these columns."""
    for file in files:
        table = open_table(file)
        if not has(table, *columns):
            continue
        places = {column: table.columns.index(column) for column in columns}
        for piece in table.pieces():
            for row in table.rows(piece):
                if not isinstance(row, Rejected):
                    yield {column: row[1][place].strip() for column, place in places.items()}


def _probabilities(files: tuple[str, ...]) -> dict[str, float]:
    """Mean probability of each stage, percent."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for row in _rows(files, "stagename", "probability"):
        try:
            found[row["stagename"]].append(float(row["probability"].rstrip("% ").replace(",", ".")))
        except ValueError:
            continue
    return {stage: sum(values) / len(values) for stage, values in found.items()}


def _fiscal_start(files: tuple[str, ...], options: Options) -> Guess | None:
    """The month in which the fiscal year begins, where the export has the fiscal quarter beside the close date."""
    dates = DateReader(options.zone, options.dayfirst)
    votes: Counter[int] = Counter()
    rows = 0
    for row in _rows(files, plain("CloseDate"), plain("FiscalQuarter")):
        try:
            month = date_of(dates.date(row["closedate"])).month
            quarter = int(row["fiscalquarter"])
        except (ValueError, TypeError):
            continue
        rows += 1
        votes.update(start for start in range(1, 13) if (month - start) % 12 // 3 + 1 == quarter)
    if not rows:
        return None
    most = max(votes.values())
    starts = [start for start in range(1, 13) if votes[start] == most]
    if most < rows or len(starts) > 1:
        return None
    return Guess(str(starts[0]), f"FiscalQuarter says so in all {rows:,} rows that have it", sure=True)
