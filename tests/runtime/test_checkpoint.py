"""Checkpoints: what was written comes back, and what cannot be trusted is refused."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wellwon.runtime import checkpoint
from wellwon.runtime.checkpoint import BadCheckpoint, Header


def fresh() -> Header:
    return Header(topic_id="t", partition=2, offset=17, written_at=time.time())


def written(path: Path, store: dict[bytes, bytes]) -> bytes:
    checkpoint.write(path, fresh(), store)
    return path.read_bytes()


def load(path: Path) -> dict[bytes, bytes]:
    header, store = checkpoint.load(path, topic_id="t", partition=2)
    assert header.offset == 17
    return store


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(store=st.dictionaries(st.binary(max_size=40), st.binary(max_size=400), max_size=50))
def test_what_was_written_comes_back(tmp_path: Path, store: dict[bytes, bytes]) -> None:
    path = tmp_path / "p"
    checkpoint.write(path, fresh(), store)
    assert load(path) == store


def test_more_than_one_block(tmp_path: Path) -> None:
    store = {b"%d" % number: bytes(number % 7) for number in range(2 * checkpoint.BLOCK_RECORDS + 5)}
    written(tmp_path / "p", store)
    assert load(tmp_path / "p") == store


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(where=st.floats(0, 1, exclude_max=True), flip=st.integers(0, 255))
def test_a_damaged_file_is_refused(tmp_path: Path, where: float, flip: int) -> None:
    path = tmp_path / "p"
    good = written(path, {b"%d" % number: b"value %d" % number for number in range(20)})
    place = int(where * len(good))
    cut = flip == 0
    path.write_bytes(good[:place] if cut else good[:place] + bytes([good[place] ^ flip]) + good[place + 1 :])
    with pytest.raises(BadCheckpoint):
        load(path)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"topic_id": "another"}, "belongs to another changelog"),
        ({"partition": 3}, "belongs to another changelog"),
        ({"written_at": time.time() - checkpoint.MAX_AGE_S - 60}, "older than 12 hours"),
        ({"written_at": time.time() + 3600}, "older than 12 hours"),
    ],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, change: dict[str, object], why: str) -> None:
    path = tmp_path / "p"
    fields = {"topic_id": "t", "partition": 2, "offset": 17, "written_at": time.time()} | change
    checkpoint.write(path, Header(**fields), {b"k": b"v"})
    with pytest.raises(BadCheckpoint, match=why):
        load(path)


def test_no_file_and_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(BadCheckpoint):
        load(tmp_path / "none")
    (tmp_path / "p").write_bytes(json.dumps({"a": 1}).encode())
    with pytest.raises(BadCheckpoint, match="not a checkpoint of this version"):
        load(tmp_path / "p")


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "p"
    written(path, {b"k": b"old"})
    with pytest.raises(TypeError):
        checkpoint.write(path, fresh(), {b"k": None})  # type: ignore[dict-item]
    assert load(path) == {b"k": b"old"}


def test_only_what_is_too_old_is_deleted(tmp_path: Path) -> None:
    old, young = tmp_path / "t-1.checkpoint", tmp_path / "t-2.checkpoint"
    for path in (old, young):
        written(path, {b"d": b"state"})
    long_ago = time.time() - checkpoint.MAX_AGE_S - 60
    os.utime(old, (long_ago, long_ago))
    checkpoint.delete_old(tmp_path)
    assert list(tmp_path.iterdir()) == [young]
    checkpoint.delete_old(tmp_path / "not there")
