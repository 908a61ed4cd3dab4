"""A record as a signed webhook, by the Standard Webhooks convention."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import Final

import msgspec

from wellwon.deliver.cards import RawCard

PREFIX: Final = "whsec_"
KEY_BYTES: Final = (24, 64)


class _When(msgspec.Struct):
    at: str


_WHEN: Final = msgspec.json.Decoder(_When)


class BadSecret(ValueError):
    """A signing secret that is none; the text says what one looks like, never what it was."""


def key_of(secret: str) -> bytes:
    """The key in a ``whsec_`` secret. Raises BadSecret."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    least, most = KEY_BYTES
    if not secret.startswith(PREFIX) or not least <= len(key) <= most:
        raise BadSecret(f"a signing secret is {PREFIX} and {least} to {most} bytes in base64")
    return key


def body(card: RawCard) -> bytes:
    """What is posted: the record as it was published, with its kind and time."""
    at = _WHEN.decode(card.record).at.encode()
    return b'{"type":"%b","timestamp":"%b","data":%b}' % (card.schema.encode(), at, card.record)


def headers(id_: str, at: int, content: bytes, keys: list[bytes]) -> dict[str, str]:
    """The headers, signed with each key (two while a secret is being changed); ``at`` in epoch seconds.

    ``id_`` is the same whenever it is sent again: the receiver recognises a repeat by it.
    """
    signed = f"{id_}.{at}.".encode() + content
    signatures = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode() for key in keys]
    return {
        "Content-Type": "application/json",
        "webhook-id": id_,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }
