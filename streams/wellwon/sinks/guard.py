"""Addresses on our own network that a webhook must not reach, also where a name leads there."""

from __future__ import annotations

import ipaddress
import socket
from typing import Final
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")


class Forbidden(OSError):
    """The address is not public."""


def is_public(address: str) -> bool:
    """Whether an IP address may be anybody's on the internet."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        elif found in _NAT64:
            found = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        elif found.sixtofour is not None:
            found = found.sixtofour
    return found.is_global and not found.is_multicast


def check_url(url: str, *, private: bool) -> None:
    """Refuse what is no web address, or names a private one by its number. Raises ValueError; never shows the URL."""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise ValueError("an address such as https://example.com/... is needed")
    if private:
        return
    if parts.scheme != "https":
        raise ValueError("the address must begin with https:// (or set WELLWON_PRIVATE_WEBHOOKS=yes)")
    try:
        literal = socket.inet_ntoa(socket.inet_aton(parts.hostname)) if _numeric(parts.hostname) else parts.hostname
        public = is_public(literal)
    except (ValueError, OSError):
        return  # a name: the resolver looks at what it leads to
    if not public:
        raise ValueError("the address is on a private network (to allow it: WELLWON_PRIVATE_WEBHOOKS=yes)")


def _numeric(host: str) -> bool:
    """Whether a system would read it as an IPv4 number: 127.1 and 0x7f000001 are."""
    return all(part.isdigit() or part.lower().startswith("0x") for part in host.split("."))


class PublicResolver(AbstractResolver):
    """Resolves names, and refuses those that lead to a private address: what was looked at is what is connected to."""

    def __init__(self) -> None:
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a name. Raises Forbidden when one of them is private."""
        found = await self._resolver.resolve(host, port, family)
        if not all(is_public(one["host"]) for one in found):
            raise Forbidden("the name leads to a private network (to allow it: WELLWON_PRIVATE_WEBHOOKS=yes)")
        return found

    async def close(self) -> None:
        """Nothing is held."""
        await self._resolver.close()
