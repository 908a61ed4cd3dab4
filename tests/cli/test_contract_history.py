"""Records as earlier versions wrote them are read today, and are what today's schemas allow."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import jsonschema
import pytest

import wellwon
from wellwon.core import wire
from wellwon.core.items import Change, Clock, PolicyRecord, Reclassified
from wellwon.core.rollup import Rollup
from wellwon.deliver.items import read_alert, read_reply, read_win
from wellwon.policy import compile_text
from wellwon.runtime.deadletters import DeadLetter, decode_closed

SCHEMAS = Path(__file__).parents[2] / "schemas"
RECORDS = sorted((SCHEMAS / "history").glob("*/*.json"))


def _change(value: bytes) -> None:
    item = wire.decode(value).item
    kind = json.loads(value)["kind"]
    expected = {"clock": Clock, "policy": PolicyRecord, "reclassified": Reclassified}.get(kind, Change)
    assert isinstance(item, expected)


def _fact(value: bytes) -> None:
    out = Rollup("", {}, compile_text).apply([SimpleNamespace(key=b"deal", value=value, offset=0, timestamp=0)])
    assert out.dead_letters == []


def _alert(value: bytes) -> None:
    alert, record = read_alert(value), json.loads(value)
    assert (alert.id, alert.revision, alert.transition) == (record["id"], record["revision"], record["transition"])


def _win(value: bytes) -> None:
    assert read_win(value).reading == json.loads(value)["reading"]


def _reply(value: bytes) -> None:
    assert read_reply(value).kind == json.loads(value)["kind"]


def _dead_letter(value: bytes) -> None:
    if closed := decode_closed(value):
        assert [*closed] == json.loads(value)["letters"]
    else:
        assert DeadLetter.decode(0, value).reason == json.loads(value)["reason"]


def _reread(value: bytes) -> None:
    """Read by sources alone, by the schema."""


READERS: dict[str, Callable[[bytes], None]] = {
    "opportunity-change.v1": _change,
    "alert.v1": _alert,
    "win.v1": _win,
    "reply.v1": _reply,
    "facts.v1": _fact,
    "dead-letter.v1": _dead_letter,
    "reread.v1": _reread,
}


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_record_of_then_is_read_now(path: Path) -> None:
    name = ".".join(path.name.split(".")[:2])
    schema = json.loads((SCHEMAS / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(json.loads(path.read_text()))
    READERS[name](path.read_bytes())


def test_every_contract_has_a_past() -> None:
    assert {".".join(path.name.split(".")[:2]) for path in RECORDS} == READERS.keys()
    assert wellwon.__version__ in {path.parent.name for path in RECORDS}, (
        "keep this version's examples when it is released"
    )
