"""Log lines, in both forms."""

from __future__ import annotations

import logging
import subprocess
import sys

import orjson
import pytest

from wellwon.runtime.logs import STARTING_S, Discreet, JsonLines, OfInterest, TextLines


def record(**extra: object) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "wellwon.x", "levelname": "INFO", "msg": "states %s", "args": ("restored",)})
    vars(made).update(extra)
    return made


def test_json() -> None:
    line = orjson.loads(JsonLines("w1").format(record(partitions=[0, 1])))
    assert line["message"] == "states restored"
    assert (line["level"], line["logger"], line["instance"], line["partitions"]) == ("info", "wellwon.x", "w1", [0, 1])
    assert line["at"].endswith("Z")


def test_json_with_an_error() -> None:
    try:
        raise ValueError("why")
    except ValueError:
        line = orjson.loads(JsonLines("w1").format(record(exc_info=sys.exc_info())))
    assert "ValueError: why" in line["error"]


def test_text() -> None:
    assert TextLines().format(record(deals=3)).endswith("INFO    states restored deals=3")


HOSTILE = "Acme\n12:00:00 ERROR   forged \x1b[31m\u202e\udc80\r"


def test_what_a_line_quotes_cannot_look_like_another_line() -> None:
    line = TextLines().format(record(msg="refused: %s", args=(HOSTILE,), said=HOSTILE))
    assert line.isprintable()
    assert r"Acme\n12:00:00 ERROR   forged \x1b[31m\u202e\udc80\r said=Acme\n" in line
    try:
        raise ValueError("\x1b[31m\u202e")
    except ValueError:
        lines = TextLines().format(record(exc_info=sys.exc_info())).splitlines()
    assert lines[-1] == r"ValueError: \x1b[31m\u202e"
    assert all(one.isprintable() for one in lines)
    assert orjson.loads(JsonLines("w1").format(record(said=HOSTILE)))["level"] == "info"


def test_what_libraries_say_at_every_start_is_left_out() -> None:
    keep = OfInterest().filter
    failed = {"msg": "Group Coordinator Request failed: %s", "args": ("not available",), "levelno": logging.ERROR}
    assert keep(record())
    assert not keep(record(msg="[^-_NoTables]: %s", args=("Starting...",), name="abc", levelno=logging.INFO))
    assert not keep(record(**failed))
    later = record(**failed)
    later.created += STARTING_S + 1
    assert keep(later)


def test_a_warning_of_a_service_is_faust_s() -> None:
    warning = record(msg="[^-Consumer]: slow", args=(), name="abc", levelno=logging.WARNING)
    assert OfInterest().filter(warning)
    assert warning.name == "faust"


@pytest.mark.parametrize("secret", ["s3cret", "qu\"o'te\\s", "günther", "new\nline"])
def test_secrets_are_masked_however_they_are_written(secret: str) -> None:
    config = {"sasl_plain_password": secret, "payload": b"\0user\0" + secret.encode()}
    for lines in (TextLines(), JsonLines("w1")):
        line = Discreet(lines, [secret]).format(record(msg="%s %r %s", args=(config, secret, secret), given=secret))
        for written in (secret, repr(secret)[1:-1], orjson.dumps(secret).decode()[1:-1], repr(secret.encode())[2:-1]):
            assert written not in line
        assert "sasl_plain_password" in line


def test_the_least_severe_line_is_that_of_libraries_too() -> None:
    script = """
import logging
from wellwon.runtime.logs import set_up
from wellwon.runtime.settings import Settings
set_up(Settings(kafka="k:1", log_level="error"))
for name in ("kafka.net", "aiokafka", "faust", "wellwon"):
    logging.getLogger(name).warning("not so bad")
    logging.getLogger(name).error("bad")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "not so bad" not in done.stderr
    assert done.stderr.count("bad") == 4
