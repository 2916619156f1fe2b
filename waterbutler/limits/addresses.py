"""Which addresses count as one caller."""

from __future__ import annotations

import ipaddress

_SUBNET = 64
"""A provider gives each customer a network of this many bits at least (RFC 6177, RIPE-690)."""


def network_of(address: str) -> str:
    """What an address counts as.

    An IPv4 address counts as itself, also where it is written as an IPv6 one. An IPv6 address
    counts as its network of 64 bits: who has one address of it has all of them, and could come from
    another one with each request. What is no address counts as itself.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return f"{ipaddress.IPv6Address(int(found) >> _SUBNET << _SUBNET)}/{_SUBNET}"
