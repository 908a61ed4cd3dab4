"""``wellwon doctor``: what is wrong, and how to fix it."""

from __future__ import annotations

import sys
from itertools import chain

import click

from wellwon.cli.failure import FAILED
from wellwon.cli.output import json_lines

MARKS = {"good": ("ok", "green"), "note": ("note", "yellow"), "wrong": ("WRONG", "red")}


@click.command()
@click.option("--quick", is_flag=True, help="Do not read the states (a second for each 100,000 deals or so).")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(quick: bool, as_json: bool) -> None:
    """Look at versions, settings, policy, broker, topics, states and workers; say what is wrong and how to fix it.

    Nothing is changed. Exit code 1 if anything is wrong.
    """
    from wellwon.runtime.doctor import Verdict, examine
    from wellwon.runtime.settings import Settings

    verdicts: list[Verdict] = []
    unknown = [Verdict("settings", "note", line, "`wellwon check --list` has them all") for line in Settings.unknown()]
    for verdict in chain(examine(quick=quick), unknown):
        verdicts.append(verdict)
        if not as_json:
            mark, colour = MARKS[verdict.state]
            said = verdict.said.replace("\n", "\n" + " " * 17)
            click.echo(f"{click.style(mark.ljust(5), fg=colour)}  {verdict.subject:8}  {said}")
            if verdict.remedy and verdict.state != "good":
                click.echo(f"{'':17}-> {verdict.remedy}")
    if as_json:
        names = ("subject", "state", "said", "remedy")
        json_lines([{name: getattr(verdict, name) for name in names} for verdict in verdicts])
    if any(verdict.state == "wrong" for verdict in verdicts):
        sys.exit(FAILED)
