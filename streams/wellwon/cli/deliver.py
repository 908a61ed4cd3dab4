"""``wellwon deliver``: run a deliver worker; ``wellwon deliver preview``: what would be posted."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import click

from wellwon.cli.failure import BadInput
from wellwon.cli.output import Group

SINKS = ("slack", "slack-webhook", "teams", "email", "webhook")


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Tell people: run a deliver worker until SIGTERM or Ctrl-C, with the settings of the environment.

    Who hears what, when and by which sink is the policy's `deliver`; secrets are environment variables. One worker of a
    group delivers, the others stand by. Metrics and health: WELLWON_HTTP.
    """
    if context.invoked_subcommand is not None:
        return
    from wellwon.cli.broker import must_answer
    from wellwon.runtime.deliver_worker import run
    from wellwon.runtime.serving import leave
    from wellwon.runtime.settings import Settings

    settings = Settings.from_environment()
    for line in Settings.unknown():
        click.echo(f"warning: {line}", err=True)
    must_answer(settings)
    leave(run(settings))


@command.command()
@click.argument("alert", type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path))
@click.option("--sink", type=click.Choice(SINKS), default="slack", show_default=True, help="Kind of sink.")
@click.option("--zone", default="UTC", show_default=True, help="Time zone of the reader.")
@click.option("--html", "as_html", is_flag=True, help="Of an e-mail, the HTML.")
def preview(alert: Path, sink: str, zone: str, as_html: bool) -> None:
    """Show what would be posted for the alerts or wins in a file of JSON lines (-: standard input). Nothing is sent.

    Such a file is what `wellwon replay --alerts` writes.
    """
    from wellwon.core.zone import Zone

    try:
        Zone(zone)
    except ValueError as error:
        raise BadInput(str(error)) from None
    lines = sys.stdin.buffer if str(alert) == "-" else alert.open("rb")
    with lines:
        for number, line in enumerate(_documents(lines.read()), 1):
            try:
                click.echo(_shown(line, sink, zone, as_html).rstrip("\n"))
            except ValueError as error:
                raise BadInput(f"{alert}: record {number} is no alert and no win: {error}") from None


def _documents(data: bytes) -> list[bytes]:
    """One JSON document, or one a line."""
    try:
        json.loads(data)
    except ValueError:
        return [line for line in data.splitlines() if line.strip()]
    return [data]


def _shown(record: bytes, sink: str, zone: str, as_html: bool) -> str:
    from wellwon.deliver.cards import AlertCard, RawCard, WinCard
    from wellwon.deliver.items import Unreadable, read_alert, read_win
    from wellwon.sinks import email_text, slack_blocks, teams_card, webhook_body
    from wellwon.sinks.layout import layout

    card: AlertCard | WinCard
    try:
        card = AlertCard(read_alert(record))
        schema, id_ = "alert.v1", card.alert.id
    except Unreadable as refused:
        try:
            card = WinCard(read_win(record))
        except Unreadable:
            raise refused from None
        schema, id_ = "win.v1", card.win.id
    if sink == "webhook":
        return webhook_body.body(RawCard(id_, schema, record)).decode()
    parts = layout(card, zone=zone, page=os.environ.get("WELLWON_PAGE", ""))
    if sink == "email":
        return email_text.html(parts) if as_html else email_text.text(parts)
    message = teams_card.message(parts) if sink == "teams" else slack_blocks.message(parts, buttons=sink == "slack")
    return json.dumps(message, indent=2, ensure_ascii=False)
