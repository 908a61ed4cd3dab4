"""A partition's states on local disk, so that a restart need not read the whole changelog.

A checkpoint holds what the changelog holds up to an offset, never more: it is taken from the store, and written only
once everything in it has been acknowledged by the changelog. A file that is damaged, of another topic, or too old is
ignored, and the changelog is read from its beginning.
"""

from __future__ import annotations

import itertools
import json
import os
import struct
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

MAGIC = b"wellwon-checkpoint 1\n"
HEAD = struct.Struct("<II")
"""Bytes and CRC-32 of the header that follows."""
BLOCK = struct.Struct("<III")
"""Records, bytes and CRC-32 of the block that follows; all zero at the end of the file."""
BLOCK_RECORDS = 4096
MAX_AGE_S = 12 * 3600
"""Half of the changelog's ``delete.retention.ms``: an older file could bring back deals whose tombstones are gone."""


class BadCheckpoint(Exception):
    """The file cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Header:
    """Which changelog, and how far, a checkpoint stands for."""

    topic_id: str
    """Id of the changelog topic; a topic made anew has another."""
    partition: int
    offset: int
    """The first changelog offset that the checkpoint does not contain."""
    written_at: float
    """Seconds since the epoch."""


def path_of(folder: Path, topic: str, partition: int) -> Path:
    """Return where the checkpoint of a changelog partition is kept."""
    return folder / f"{topic}-{partition}.checkpoint"


def write(path: Path, header: Header, store: Mapping[bytes, bytes]) -> None:
    """Write atomically: the old file stays until the new one is complete and on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        head = json.dumps(asdict(header)).encode()
        file.write(MAGIC + HEAD.pack(len(head), zlib.crc32(head)) + head)
        records = iter(store.items())
        while block := list(itertools.islice(records, BLOCK_RECORDS)):
            _write_block(file, block)
        file.write(BLOCK.pack(0, 0, 0))
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def _write_block(file: BinaryIO, block: list[tuple[bytes, bytes]]) -> None:
    parts = list(itertools.chain.from_iterable(block))
    body = struct.pack(f"<{len(parts)}I", *map(len, parts)) + b"".join(parts)
    file.write(BLOCK.pack(len(block), len(body), zlib.crc32(body)))
    file.write(body)


def delete_old(folder: Path) -> None:
    """Delete the checkpoints that are too old to be used, of partitions that others own by now among them.

    What was deleted elsewhere must not stay in them.
    """
    for path in folder.glob("*.checkpoint"):
        if time.time() - path.stat().st_mtime > MAX_AGE_S:
            path.unlink()


def load(path: Path, *, topic_id: str, partition: int) -> tuple[Header, dict[bytes, bytes]]:
    """Read a checkpoint. Raises BadCheckpoint when there is none that can be used."""
    try:
        with path.open("rb") as file:
            header = _header(file, topic_id, partition)
            store: dict[bytes, bytes] = {}
            for block in _blocks(file):
                store.update(block)
            return header, store
    except (OSError, struct.error, ValueError, TypeError) as error:
        raise BadCheckpoint(f"{path.name}: {error}") from error


def _header(file: BinaryIO, topic_id: str, partition: int) -> Header:
    if file.readline(len(MAGIC)) != MAGIC:
        raise BadCheckpoint(f"{file.name}: not a checkpoint of this version")
    size, crc = HEAD.unpack(file.read(HEAD.size))
    head = file.read(min(size, 4096))
    if zlib.crc32(head) != crc:
        raise BadCheckpoint(f"{file.name}: damaged")
    header = Header(**json.loads(head))
    if (header.topic_id, header.partition) != (topic_id, partition):
        raise BadCheckpoint(f"{file.name}: belongs to another changelog")
    if not 0 <= time.time() - header.written_at <= MAX_AGE_S:
        raise BadCheckpoint(f"{file.name}: older than {MAX_AGE_S // 3600} hours")
    return header


def _blocks(file: BinaryIO) -> Iterator[Iterator[tuple[bytes, bytes]]]:
    while True:
        count, size, crc = BLOCK.unpack(file.read(BLOCK.size))
        if not (count or size or crc):
            return
        body = file.read(size)
        if len(body) != size or zlib.crc32(body) != crc:
            raise BadCheckpoint(f"{file.name}: damaged")
        yield _records(body, count)


def _records(body: bytes, count: int) -> Iterator[tuple[bytes, bytes]]:
    lengths = struct.unpack_from(f"<{2 * count}I", body)
    ends = list(itertools.accumulate(lengths, initial=8 * count))
    parts = [body[start:end] for start, end in itertools.pairwise(ends)]
    return zip(parts[::2], parts[1::2], strict=True)
