"""Which machines a client speaks to."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

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
