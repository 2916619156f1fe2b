"""Which machines a client speaks to."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from waterbutler.core.errors import ProviderFault

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class NotPublic(OSError):
    """A name leads to addresses of private networks only."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Public addresses, and hosts that are named, wherever these are.

    What counts is the address that a connection is made to: a name is looked up once, and what is
    not public is left out of what was found.

    Attributes:
        named: Host names, with ``:`` and a port or without, in small letters.
    """

    named: frozenset[str] = frozenset()

    @classmethod
    def of(cls, hosts: Iterable[str]) -> Reach:
        """The reach with these hosts: names, ``name:port``, or whole addresses."""
        return cls(frozenset(name for host in hosts if (name := _name(host))))

    def names(self, host: str, port: int | None) -> bool:
        """Whether a host is one of those that are named."""
        bare = host.lower().strip("[]")
        return bare in self.named or f"{bare}:{port}" in self.named

    def check(self, address: URL) -> None:
        """Look at an address whose host is a number, which no name service is asked about.

        Raises:
            ProviderFault: It is not public, and not named.
        """
        host = address.raw_host or ""
        numeric = ":" in host or host.replace(".", "").isdigit()
        if numeric and not is_public(host) and not self.names(host, address.port):
            raise unreachable(host)


class ReachingResolver(AbstractResolver):
    """Looks names up, and leaves out what is not within reach.

    Args:
        reach: What is.
    """

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """See `aiohttp.abc.AbstractResolver.resolve`; raises `NotPublic` if nothing is left."""
        found = await self._inner.resolve(host, port, family)
        if self._reach.names(host, port):
            return found
        public = [each for each in found if is_public(each["host"])]
        if found and not public:
            raise NotPublic
        return public

    async def close(self) -> None:
        """See `aiohttp.abc.AbstractResolver.close`."""
        await self._inner.close()


def unreachable(host: str) -> ProviderFault:
    """The error for what is not within reach."""
    return ProviderFault(f"{host} is in a private network, where this server asks nobody.")


def is_public(text: str) -> bool:
    """Whether an address is one of the Internet, also if it is written inside of another one."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast and not address.is_reserved


def _name(host: str) -> str:
    """The name in an address, with its port if it says one."""
    try:
        address = URL(host if "://" in host else f"//{host}")
        name, port = (address.host or "").lower(), address.explicit_port
    except ValueError:
        return ""
    return f"{name}:{port}" if name and port is not None else name
