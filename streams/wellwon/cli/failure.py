"""Expected failures end in one clear message, without a traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

FAILED = 1
"""A check failed, or something was found."""
BAD_INPUT = 2
"""The command or what it was given is wrong."""
INTERRUPTED = 130
"""Ctrl-C, as shells count it."""


class BadInput(click.ClickException):
    """What the command was given cannot be used."""

    exit_code = BAD_INPUT


class Failed(click.ClickException):
    """The command ran and what it looked at is not well."""

    exit_code = FAILED


def _message(error: Exception) -> tuple[str, int] | None:
    """What to say of an error that people can do something about; None for a mistake of ours."""
    if isinstance(error, IsADirectoryError) and error.filename is not None:
        return f"{error.filename}: is a directory; name the files in it", BAD_INPUT
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {(error.strerror or str(error)).lower()}", BAD_INPUT
    if isinstance(error, UnicodeDecodeError):
        return f"the file is not UTF-8 text (byte {error.start})", BAD_INPUT
    # By name, so that saying it does not import what raised it.
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & {"PolicyError", "SettingsError", "NotATable", "NoTopic"}:
        return str(error), BAD_INPUT
    if "KafkaError" in names:
        return f"Kafka: {error}; `wellwon doctor` looks for the cause", FAILED
    if isinstance(error, OSError):
        return str(error), FAILED
    return None


@contextmanager
def told() -> Iterator[None]:
    """Say expected errors in one message and exit. WELLWON_LOG_LEVEL=debug shows where they come from."""
    try:
        yield
    except BrokenPipeError:
        # The reader has seen enough (`wellwon rules | head`); what is still buffered goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Exception as error:
        message = _message(error)
        if message is None or os.environ.get("WELLWON_LOG_LEVEL") == "debug":
            raise
        # A place (file:line:column) stands first in its line, where editors look for it.
        places = {"PolicyError", "NotATable"} & {kind.__name__ for kind in type(error).__mro__}
        click.echo(message[0] if places else f"Error: {message[0]}", err=True)
        sys.exit(message[1])
