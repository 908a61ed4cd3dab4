"""What the commands that read sources have in common: kinds, files, an export's dialect, the policy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from wellwon.cli.failure import BadInput
from wellwon.cli.output import STDIN, counted, read_text, shown_name
from wellwon.core.units import parse_date, parse_instant
from wellwon.policy import Policy
from wellwon.runtime.policy_file import read_policy, with_norms
from wellwon.sources.columns import unread_fields
from wellwon.sources.history import Options
from wellwon.sources.kinds import KINDS, Kind, kind_named

if TYPE_CHECKING:
    from wellwon.sources.change import Rejected

SHOWN = 10


class KindName(click.ParamType):
    """The name of a kind, with a suggestion for what is near one."""

    name = "kind"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            return kind_named(value).name
        except ValueError as error:
            self.fail(str(error), param, ctx)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[Any]:
        from click.shell_completion import CompletionItem

        return [CompletionItem(name, help=kind.summary) for name, kind in KINDS.items() if name.startswith(incomplete)]


kind_argument = click.argument("kind", type=KindName())
files = click.argument("files", nargs=-1, required=True, metavar="FILE|-...")

history = click.argument("files", nargs=-1, metavar="[FILE|-]...")
kind_option = click.option("--kind", type=KindName(), help="The kind of the FILES; by default their headers say it.")
replay_option = click.option("--replay", "kind", type=KindName(), help="The kind of history that the FILES are.")

KINDS_HELP = "\b\nKinds:\n" + "\n".join(f"  {kind.name:24}  {kind.summary}" for kind in KINDS.values())


def dialect(function: Callable[..., Any]) -> Callable[..., Any]:
    """What an export cannot tell by itself."""
    function = click.option("--dayfirst", is_flag=True, help="Ambiguous dates (03/04/26) begin with the day.")(function)
    return click.option(
        "--tz", "zone", default="UTC", show_default=True, help="Zone of times without an offset, such as Europe/Berlin."
    )(function)


def options_of(zone: str, dayfirst: bool) -> Options:
    """The dialect."""
    try:
        # The one zone that needs no table of its own: exports of millions of rows are in it.
        return Options(UTC if zone == "UTC" else ZoneInfo(zone), dayfirst)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadInput(f"--tz: '{zone}' is no time zone; an IANA name such as Europe/Berlin is needed") from None


def instant(text: str | None, policy: Policy, option: str = "--until") -> int | None:
    """Epoch milliseconds of what an option says: a date's midnight in the policy's zone, or an instant."""
    if text is None:
        return None
    try:
        return policy.calendar.build().midnight(parse_date(text)) if len(text) == 10 else parse_instant(text)
    except ValueError as error:
        raise BadInput(f"{option}: {error}") from None


def kept_apart(inputs: Sequence[str], *outputs: str | Path | None) -> None:
    """Raise BadInput where an output would be written over an input, or over another output."""
    taken = {Path(name).resolve() for name in inputs if name != STDIN}
    for name in outputs:
        if name is None or name == STDIN:
            continue
        place = Path(name).resolve()
        if place in taken:
            raise BadInput(f"{name} would be overwritten: it is read, or another output goes there")
        taken.add(place)


def load(policy_file: str | None) -> tuple[str, Policy]:
    """The policy's text as it is published, and the policy; the defaults where no file is named."""
    if policy_file is None:
        return read_policy(None)
    folder = Path() if policy_file == STDIN else Path(policy_file).parent
    return with_norms(read_text(policy_file), shown_name(policy_file), folder)


def none_read(kind: Kind, files: Sequence[str], fields: Mapping[str, str]) -> str:
    """What to say, on a line of its own, of the fields of a history that nothing reads; empty where there are none.

    ``fields``: CRM field to field of a deal. Raises `NotATable` and OSError.
    """
    unread = unread_fields(files, fields) if kind.tables is not None and STDIN not in files else []
    if not unread:
        return ""
    named = ", ".join(repr(name) for name in unread[:SHOWN]) + (" ..." if len(unread) > SHOWN else "")
    return f"\nfields that nothing reads: {named}: say under fields in the policy which of them is stage, amount ..."


def shown_rejections(rejected: Sequence[Rejected | str], total: int | None = None) -> None:
    """The first things that cannot be used, each with its place and what to do; ``total``: how many there are."""
    for what in rejected[:SHOWN]:
        click.echo(str(what), err=True)
    others = (len(rejected) if total is None else total) - SHOWN
    if others > 0:
        click.echo(f"... and {counted(others, 'more', 'more')}", err=True)
