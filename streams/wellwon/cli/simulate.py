"""``wellwon simulate``: a labelled sales organisation, as changes."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from wellwon.cli.failure import BadInput
from wellwon.cli.output import STDIN, counted
from wellwon.cli.reading import kept_apart
from wellwon.core.units import parse_date, parse_instant
from wellwon.simulate.files import write_changes, write_labels
from wellwon.simulate.organisation import calendar, policy_text
from wellwon.simulate.stream import LOOKALIKE_SHARE, NEAR_MISS_SHARE, PRESSURED_SHARE, Simulation

LIVES = 20_000
"""So many deals are different: what people look at as statistics."""


def _instant(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return calendar().midnight(parse_date(text)) if len(text) == 10 else parse_instant(text)
    except ValueError as error:
        raise BadInput(f"--until: {error}") from None


@click.command()
@click.option("--deals", default=412, show_default=True, help="How many deals.")
@click.option("--quarters", default=1, show_default=True, help="Over how many quarters, from July 2026, they close.")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same bytes.")
@click.option("--changes-per-deal", type=float, help="Mean changes of a deal; more than come by themselves are notes.")
@click.option("--until", metavar="TIME", help="Nothing from this date or instant on.")
@click.option("--pressured", default=PRESSURED_SHARE, show_default=True, help="Share of deals with a planted pattern.")
@click.option("--lookalikes", default=LOOKALIKE_SHARE, show_default=True, help="Share of honest deals that look alike.")
@click.option("--near-misses", default=NEAR_MISS_SHARE, show_default=True, help="Share just short of a threshold.")
@click.option("--calm", is_flag=True, help="No pressured deals: nothing should be said.")
@click.option("--out", default=STDIN, show_default=True, help="Where the changes go; - is standard output.")
@click.option("--labels", type=click.Path(path_type=Path), help="File for what should be said of each deal, and why.")
@click.option("--policy", is_flag=True, help="Print the organisation's policy instead.")
def command(
    deals: int,
    quarters: int,
    seed: int,
    changes_per_deal: float | None,
    until: str | None,
    pressured: float,
    lookalikes: float,
    near_misses: float,
    calm: bool,
    out: str,
    labels: Path | None,
    policy: bool,
) -> None:
    """A sales organisation over a quarter or more, change by change, with labels.

    Some deals are pressured, some only look so; the labels say which, what should fire and what must not. Changes are
    opportunity-change.v1 lines for `wellwon ingest changes` and `wellwon replay changes`, best with the organisation's
    own policy (`wellwon simulate --policy`). Up to 20,000 deals are all different; more repeat these, which is good for
    load, and makes statistics look surer than they are.
    """
    if policy:
        click.echo(policy_text(), nl=False)
        return
    try:
        simulation = Simulation(
            seed,
            deals,
            quarters,
            changes_per_deal=changes_per_deal,
            until=_instant(until),
            pressured=0.0 if calm else pressured,
            lookalikes=lookalikes,
            near_misses=near_misses,
            lives=LIVES,
        )
    except ValueError as error:
        raise BadInput(str(error)) from None
    kept_apart((), out, labels)
    progress = _progress if sys.stderr.isatty() else None
    if out == STDIN:
        written = write_changes(simulation, sys.stdout.buffer, progress)
        sys.stdout.buffer.flush()
    else:
        with Path(out).open("wb", 1 << 20) as file:
            written = write_changes(simulation, file, progress)
    if labels is not None:
        write_labels(simulation, labels)
    over = "\r" if progress is not None else ""
    click.echo(f"{over}{counted(written, 'change')} of {counted(deals, 'deal')}", err=True)


def _progress(written: int) -> None:
    click.echo(f"\r{written:,} changes", nl=False, err=True)
