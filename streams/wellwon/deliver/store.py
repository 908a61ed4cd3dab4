"""The records in which deliver's state is kept: a prefix as detect's states have it, and a body."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec

from wellwon.core.state import PREFIX, read_prefix
from wellwon.deliver.directory import Address
from wellwon.deliver.state import DealFile, Held, Office, Page, Position

VERSION: Final = 1
OFFICE: Final = b"\0office"
PAGE: Final = b"\0page\0"
HELD: Final = b"\0held\0"
POSITION: Final = b"\0call\0"

Entry = DealFile | Page | Held | Office | Position
_T = TypeVar("_T", bound=Entry)

_encode: Final = msgspec.msgpack.Encoder().encode
_decoders: Final[dict[type, msgspec.msgpack.Decoder[Any]]] = {
    kind: msgspec.msgpack.Decoder(kind) for kind in (DealFile, Page, Held, Office, Position)
}


def encode(entry: Entry, *, epoch: int, generation: int, serial: int, wake_at: int) -> bytes:
    """An entry's record. ``serial`` rises with every record written, as the offset does in detect's states."""
    return PREFIX.pack(VERSION, epoch, generation, serial, wake_at) + _encode(entry)


def decode(kind: type[_T], value: bytes) -> _T:
    """Read a record. Raises NewerState for one of a later version."""
    read_prefix(value)
    found: _T = _decoders[kind].decode(memoryview(value)[PREFIX.size :])
    return found


def page_key(address: Address) -> bytes:
    """The key of an address's page."""
    return PAGE + str(address).encode()


def held_key(address: Address, held: Held) -> bytes:
    """The key of what is held back from an address."""
    return HELD + b"\0".join(part.encode() for part in (str(address), held.deal, held.mark))


def address_in(key: bytes) -> Address:
    """The address in the key of a page, or of what is held back."""
    return Address.parse(key.split(b"\0")[2].decode())
