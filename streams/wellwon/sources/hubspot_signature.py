"""Whether HubSpot sent a request: signature v3, and how old it is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from typing import Final

WINDOW_MS: Final = 5 * 60_000
"""A request may be this old, or this far ahead of our clock."""

_DECODED: Final = re.compile(r"%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)
"""The percent-escapes that HubSpot writes as characters before it signs an address."""


class Forged(Exception):
    """Not from HubSpot, or too old; the text says which."""


class Verifier:
    """Checks signatures in constant time. A request seen before is no harm: its events are known by their ids."""

    def __init__(self, secret: str, url: str) -> None:
        """``url``: the target as it is registered with HubSpot, not what a proxy makes of it."""
        self._secret = secret.encode()
        self._signed = b"POST" + _DECODED.sub(lambda escape: chr(int(escape[0][1:], 16)), url).encode()

    def check(self, timestamp: str, signature: str, body: bytes, now_ms: int) -> None:
        """Raise Forged unless HubSpot signed this body within `WINDOW_MS` of ``now_ms``."""
        if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > 15:
            raise Forged("no timestamp")
        if abs(now_ms - int(timestamp)) > WINDOW_MS:
            raise Forged("the timestamp is not of these minutes")
        mac = hmac.new(self._secret, self._signed + body + timestamp.encode(), hashlib.sha256).digest()
        if not hmac.compare_digest(base64.b64encode(mac), signature.encode(errors="replace")):
            raise Forged("the signature is wrong: are WELLWON_HUBSPOT_SECRET and WELLWON_HUBSPOT_URL the app's?")
