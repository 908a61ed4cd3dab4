"""Log lines: one per event, as text for people or as JSON for a collector."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable
from typing import Any

import orjson

from wellwon.runtime.settings import Settings

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
QUIET = ("aiokafka", "faust", "mode", "kafka", "aiohttp")
"""Libraries of which only warnings are shown, unless everything is asked for."""
STARTING_S = 15.0
STARTING = ("Group Coordinator Request failed", "GETPID")
"""How lines begin by which clients tell that a broker or a group has just begun, and that they try again."""


def shown(text: str, also: str = "") -> str:
    """A text on one line, and in the order in which it is written: what is not printable stands there as its escape.

    A name out of the CRM, or what a sink answered, must not look like a line of its own. ``also`` is kept as it is.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in also else c.encode("unicode_escape").decode() for c in text)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {key: value for key, value in vars(record).items() if key not in _STANDARD}


class OfInterest(logging.Filter):
    """Drops what the libraries say at every start, of themselves and of what they try again soon after."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.time()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether the line is of interest to operators."""
        message = record.getMessage()
        if message.startswith("[^"):  # a service of Faust, also those defined here
            record.name = "faust"
            return record.levelno >= logging.WARNING
        return not (message.startswith(STARTING) and record.created - self._began < STARTING_S)


class JsonLines(logging.Formatter):
    """One JSON object per line; the fields of ``extra=`` beside the message."""

    def __init__(self, instance: str) -> None:
        super().__init__()
        self._instance = instance

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        line = {
            "at": f"{at}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "instance": self._instance,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        try:
            return orjson.dumps(line, default=str).decode()
        except TypeError:  # a text that no UTF-8 can hold
            return orjson.dumps({key: shown(str(value)) for key, value in line.items()}).decode()


class TextLines(logging.Formatter):
    """A line to read; the fields of ``extra=`` follow the message as name=value."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line without what follows an exception."""
        fields = "".join(f" {key}={value}" for key, value in _extra(record).items())
        return shown(super().formatMessage(record) + fields)

    def formatException(self, ei: Any) -> str:
        """Return the lines of an exception."""
        return shown(super().formatException(ei), also="\n")


class Discreet(logging.Formatter):
    """Puts stars where a line holds a secret: at debug, Kafka's clients show all that they were given."""

    def __init__(self, lines: logging.Formatter, secrets: Iterable[str]) -> None:
        super().__init__()
        self._lines = lines
        written = {form for text in secrets for form in (text, repr(text)[1:-1], repr(text.encode())[2:-1])}
        written |= {orjson.dumps(form).decode()[1:-1] for form in written}
        self._secrets = sorted(written, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = self._lines.format(record)
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return line


def set_up(settings: Settings) -> None:
    """Send all log lines to standard error, in the form the settings ask for."""
    handler = logging.StreamHandler(sys.stderr)
    lines = JsonLines(settings.instance) if settings.log == "json" else TextLines()
    handler.setFormatter(Discreet(lines, settings.secrets()))
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    if level > logging.DEBUG:
        handler.addFilter(OfInterest())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in QUIET:
        logging.getLogger(name).setLevel(level if level <= logging.DEBUG else max(level, logging.WARNING))
