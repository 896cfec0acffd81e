"""Finds the client's address behind trusted proxies. Pure.

`X-Forwarded-For` is believed as far as trusted proxies wrote it: from its end, up to the first address that is no
trusted proxy's. Anybody can write what stands further left.
"""

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Networks = tuple[IPv4Network | IPv6Network, ...]

NOWHERE = "unknown"
"""The address of who has none: a Unix socket, or a proxy that says nonsense."""


def client_address(peer: Sequence[object] | None, forwarded_for: str, trusted: Networks) -> str:
    """Return the client's address; of IPv6 the /64, which is one customer's of a provider."""
    address = str(peer[0]) if peer else ""
    if trusted and forwarded_for:
        for hop in reversed(forwarded_for.split(",")):
            if not _is_trusted(address, trusted):
                break
            address = hop.strip()
    return _shortened(address)


def _is_trusted(address: str, trusted: Networks) -> bool:
    try:
        found = ip_address(address)
    except ValueError:
        return False
    return any(found.version == network.version and found in network for network in trusted)


@lru_cache(maxsize=4096)
def _shortened(address: str) -> str:
    try:
        found = ip_address(address)
    except ValueError:
        return NOWHERE
    if isinstance(found, IPv6Address):
        mapped = found.ipv4_mapped
        return str(mapped) if mapped is not None else str(ip_network((found, 64), strict=False))
    return str(found)
