"""The command line, one file per command. A command's file is imported when it is run.

Exit codes: 0 all is well; 1 a check failed or something was found; 2 the command or its input is wrong.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module

import click

from wellwon import __version__

COMMANDS = {
    "demo": "The last days of a simulated quarter, in a minute; needs no broker.",
    "worker": "Run a detect worker.",
    "rollup": "Run a rollup worker: patterns of owners, teams and periods.",
    "deliver": "Tell people: run a deliver worker, preview messages.",
    "web": "Serve the live page: open alerts, timelines of deals, how deals were won.",
    "crm": "Facts back into the CRM: set it up, preview.",
    "ingest": "Send a file of changes, or an export, to Kafka.",
    "receive": "Write what a CRM tells into its raw topic: webhooks, change events.",
    "reread": "Read deals again from their CRM, where a change was announced without saying what.",
    "fetch": "A CRM's own history, into files.",
    "replay": "Run the core alone over files: the same alerts and wins, without Kafka.",
    "norms": "What is usual in each segment, from history, into a file for the policy.",
    "backtest": "What the rules would have said about your own history, and what became of the deals.",
    "simulate": "A labelled sales organisation, as changes.",
    "explain": "What a rule looks for, why, and what to do.",
    "rules": "The rules: family, severity, mode and what each looks for.",
    "policy": "Check, show, try out and apply a policy.",
    "check": "Check the settings and the policy that they name.",
    "topics": "List, create and verify the topics; add partitions.",
    "doctor": "Say what is wrong with broker, topics, policy and versions, and how to fix it.",
    "dead-letters": "List, show and redrive what could not be processed.",
    "forget": "Erase a deal or a person from everything that is kept.",
    "schemas": "Write the published schemas, or check that they are fresh.",
}
"""What there is, in the order of the help; ``cli/<name>.py`` holds ``command``."""

UNLISTED = {"docs": "Write the generated pages and regions of a checkout."}


class Commands(click.Group):
    """Finds commands by name without importing them all; turns expected failures into one clear message."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import the command's file."""
        if name not in COMMANDS | UNLISTED:
            return None
        command: click.Command = import_module(f"wellwon.cli.{name.replace('-', '_')}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with a suggestion."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS | UNLISTED:
            from wellwon.policy.problem import did_you_mean

            ctx.fail(f"there is no command '{args[0]}'{did_you_mean(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of the help, from `COMMANDS`."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="wellwon", message="%(prog)s %(version)s")
def cli() -> None:
    """Tells when a deal is being pushed instead of won.

    Settings are environment variables (WELLWON_KAFKA, WELLWON_POLICY ...); `wellwon check --list` lists them.
    """


def main() -> None:
    """The console script ``wellwon``."""
    from wellwon.cli.failure import told

    with told():
        cli(prog_name="wellwon", color=False if os.environ.get("NO_COLOR") else None)
    sys.exit(0)
