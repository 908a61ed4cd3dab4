"""What every answer carries and every request must show, so that other sites cannot speak for who is signed in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def is_local_host(host: str) -> bool:
    """Whether a Host header names this machine: a name of somebody else's that leads here does not."""
    return (urlsplit(f"//{host}").hostname or "") in _LOCAL


def is_our_own(headers: Mapping[str, str], page: str) -> bool:
    """Whether a request that changes something comes from our own page, as the browser says.

    ``page``: the address of the page as people know it, where a proxy gives us another host.
    """
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("Origin", "")
    if page and origin == "{0.scheme}://{0.netloc}".format(urlsplit(page)):
        return True
    return bool(origin) and urlsplit(origin).netloc == headers.get("Host", "")


def safe_path(text: str) -> str:
    """Where to go after signing in: a path of ours, whatever was asked for."""
    ours = text.startswith("/") and not text.startswith("//") and "\\" not in text and text.isprintable()
    return text if ours else "/"
