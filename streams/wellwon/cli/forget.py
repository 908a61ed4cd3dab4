"""``wellwon forget``: erasure of a deal or of a person."""

from __future__ import annotations

import click

from wellwon.cli.failure import BadInput, Failed
from wellwon.cli.output import counted, json_lines


@click.command()
@click.option("--deal", default="", metavar="ID", help="A deal, by its opportunity id.")
@click.option("--owner", default="", metavar="ID", help="A person who owned or wrote deals, by their user id.")
@click.option(
    "--also",
    multiple=True,
    metavar="TEXT",
    help="What else names the person: an e-mail address, a name. Those of the file of people are taken from it.",
)
@click.option("--logs", is_flag=True, help="Cut off what came in up to the last record about it, others' with it.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def command(deal: str, owner: str, also: tuple[str, ...], logs: bool, as_json: bool) -> None:
    """Erase a deal, or a person, from everything that wellwon keeps.

    Erase it in the CRM first, or it comes back with its next change. Then let the workers read to the end, and stop
    worker, rollup, deliver, web and what feeds the log. States and published records are deleted or written anew;
    what came in ends with its retention, which is shown, unless --logs cuts it off.
    """
    if bool(deal) == bool(owner):
        raise BadInput("name --deal ID or --owner ID, one of them")
    if also and deal:
        raise BadInput("--also goes with --owner")
    from confluent_kafka import KafkaException

    from wellwon.cli.broker import must_answer
    from wellwon.core.state import NewerState
    from wellwon.runtime import forget as erasure
    from wellwon.runtime.directory_files import read_directory
    from wellwon.runtime.redact import Redaction
    from wellwon.runtime.restore import Refused
    from wellwon.runtime.settings import Settings

    settings = Settings.from_environment()
    must_answer(settings)
    person = read_directory(settings).people.get(owner)
    if person is not None:
        also = (*also, person.email, person.name)
    try:
        done = erasure.forget(settings, Redaction(deal=deal, person=owner, also=also), logs=logs)
    except (Refused, NewerState, KafkaException) as error:
        raise Failed(str(error)) from None
    days = {} if logs else erasure.days_left(settings)
    if as_json:
        counts = {"deleted": done.deleted, "rewritten": done.rewritten, "cut_off": done.cut_off}
        json_lines({**counts, "checkpoints": done.checkpoints, "kept_days": days})
        return
    for name in sorted(done.deleted.keys() | done.rewritten.keys() | done.cut_off.keys()):
        counts = {"deleted": done.deleted, "written anew without it": done.rewritten, "cut off": done.cut_off}
        said = [f"{counted(count[name], 'record')} {what}" for what, count in counts.items() if count[name]]
        click.echo(f"{settings.topic(name)}: {', '.join(said)}")
    if not done.deleted and not done.rewritten:
        click.echo("nothing is kept about it")
    elif not (done.deleted | done.rewritten).keys().isdisjoint(erasure.STATES):
        click.echo("states as they were leave Kafka's disks with the next compaction, within 9 days")
    click.echo(f"{counted(done.checkpoints, 'checkpoint')} deleted on this machine")
    for name, kept in days.items():
        click.echo(f"{name}: what came in stays, for about {kept} days; --logs cuts it off")
