"""Log lines, in both forms."""

from __future__ import annotations

import logging
import sys

import orjson

from wellwon.runtime.logs import JsonLines, TextLines


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
