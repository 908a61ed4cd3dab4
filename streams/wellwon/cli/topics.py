"""``wellwon topics``: what wellwon keeps in Kafka."""

from __future__ import annotations

import re
import sys
from typing import Any

import click

from wellwon.cli.failure import FAILED, Failed
from wellwon.cli.output import Group, columns, counted, json_lines


@click.group(cls=Group)
def command() -> None:
    """List, create and verify the topics; add partitions."""


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_(as_json: bool) -> None:
    """The topics as declared: keys, contents, who writes and reads them. Needs no broker."""
    from wellwon.runtime.topics import TOPICS

    if as_json:
        json_lines([_plain(topic) for topic in TOPICS])
        return
    rows = [
        (topic.name, topic.key, topic.kept, ", ".join(topic.writers), ", ".join(topic.readers), topic.value)
        for topic in TOPICS
    ]
    columns(("topic", "key", "kept", "written by", "read by", "holds"), rows)


def _plain(topic: Any) -> dict[str, Any]:
    return {
        "name": topic.name,
        "key": topic.key,
        "value": topic.value,
        "partitions": topic.partitions,
        "config": topic.settings(),
        "writers": topic.writers,
        "readers": topic.readers,
    }


def _sources(_context: click.Context, _parameter: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        if not re.fullmatch(r"[\w.-]+", name, re.ASCII):
            raise click.BadParameter(f"{name!r}: Kafka's names are of letters, digits, '.', '_' and '-'")
    return names


@command.command()
@click.option(
    "--raw",
    "sources",
    multiple=True,
    callback=_sources,
    metavar="SOURCE",
    help="Also raw.SOURCE, which a connector or `wellwon receive` fills: salesforce, hubspot, ...",
)
def create(sources: tuple[str, ...]) -> None:
    """Create the topics that are missing; those that exist are left as they are."""
    from kafka.errors import InvalidReplicationFactorError

    from wellwon.cli.broker import must_answer
    from wellwon.runtime import topics
    from wellwon.runtime.settings import Settings

    settings = Settings.from_environment()
    must_answer(settings)
    try:
        created = topics.create(settings, [*topics.TOPICS, *map(topics.raw_topic, sources)])
    except InvalidReplicationFactorError as error:
        raise Failed(f"Kafka: {_kafkas_words(error)} (WELLWON_REPLICATION={settings.replication})") from None
    for name in created:
        click.echo(f"created {name}")
    if not created:
        click.echo("nothing to create: every topic exists")


def _kafkas_words(error: Exception) -> str:
    """The broker's own message, out of the reply that the client shows around it."""
    found = re.search(r"error_message='([^']+)'", str(error))
    return found[1] if found else "more replicas than brokers"


@command.command()
def verify() -> None:
    """Compare the broker's topics with the declarations. Exit code 1 if they differ."""
    from wellwon.cli.broker import must_answer
    from wellwon.runtime import topics
    from wellwon.runtime.settings import Settings

    settings = Settings.from_environment()
    must_answer(settings)
    differences = topics.verify(settings)
    for line in differences:
        click.echo(line)
    if differences:
        sys.exit(FAILED)
    click.echo("every topic is as declared")


@command.command()
@click.argument("partitions", type=click.IntRange(1, 1000))
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def repartition(partitions: int, as_json: bool) -> None:
    """Give the log and its states PARTITIONS partitions, and bring every deal's state where its changes will be.

    Stop the workers, deliver, the live page, and what feeds the log first. Nothing is lost and no alert comes twice;
    what was not read yet is read afterwards. If it is interrupted, run it again: workers refuse to start until it is
    done. Kafka takes no partitions away.
    """
    from confluent_kafka import KafkaException

    from wellwon.cli.broker import must_answer
    from wellwon.core.state import NewerState
    from wellwon.runtime.repartition import repartition
    from wellwon.runtime.restore import Refused
    from wellwon.runtime.settings import Settings

    settings = Settings.from_environment()
    must_answer(settings)
    try:
        done = repartition(settings, partitions)
    except (Refused, NewerState, KafkaException) as error:
        raise Failed(str(error)) from None
    if as_json:
        counts = {} if done is None else {"before": done.before, "deals": done.deals, "moved": done.moved}
        json_lines({"partitions": partitions, **counts, "unread": 0 if done is None else done.changes})
        return
    if done is None:
        click.echo(f"nothing to do: there are {partitions} partitions, and the states are where they belong")
        return
    click.echo(
        f"{done.before} to {partitions} partitions: {counted(done.moved, 'state')} of {done.deals:,} moved,"
        f" {counted(done.changes, 'change')} to be read yet"
    )
    click.echo(f"set WELLWON_PARTITIONS={partitions} everywhere, and start the workers")
