"""Where webhooks may go. An endpoint's address is somebody's input: it must not reach into the network we stand in.

Two lines of defence. `check_url` refuses what cannot be right when an endpoint is saved. `Guard.dial` is asked with the
concrete address of every connection at the moment it is made, so a name that resolves to something else later (DNS
rebinding) gains nothing. One forbidden address in an answer refuses all of them. The tables are explicit:
`ipaddress.is_global` lets 6to4, NAT64, site-local and others through (measured). Leaves sending to `sender`.
"""

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from yarl import URL

Network = IPv4Network | IPv6Network
MAX_URL = 2048
MAX_ADDRESSES = 16


class Refusal(StrEnum):
    """Why a target is not allowed; safe to show to whoever gave it."""

    MALFORMED = "malformed"
    SCHEME = "scheme"
    USERINFO = "userinfo"
    FRAGMENT = "fragment"
    HOST = "host"
    PORT = "port"
    LOOPBACK = "loopback"
    PRIVATE = "private"
    LINK_LOCAL = "link_local"
    METADATA = "metadata"
    MULTICAST = "multicast"
    RESERVED = "reserved"
    TRANSITION = "transition"
    """IPv6 ranges that carry an IPv4 address inside."""
    TOO_MANY_ADDRESSES = "too_many_addresses"


class ForbiddenTargetError(OSError):
    """The target is not allowed. An `OSError`, because it also has to travel out of a connector."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"webhooks may not go there: {refusal}")
        self.refusal = refusal


_METADATA = {
    ip_address(text)
    for text in ("168.63.129.16", "100.100.100.200", "169.254.169.254", "169.254.170.2", "fd00:ec2::254")
}
"""Cloud metadata; refused even where an operator allows the network around it."""

_TABLE: tuple[tuple[str, Refusal], ...] = (
    ("0.0.0.0/8", Refusal.RESERVED),
    ("10.0.0.0/8", Refusal.PRIVATE),
    ("100.64.0.0/10", Refusal.PRIVATE),
    ("127.0.0.0/8", Refusal.LOOPBACK),
    ("169.254.0.0/16", Refusal.LINK_LOCAL),
    ("172.16.0.0/12", Refusal.PRIVATE),
    ("192.0.0.0/24", Refusal.RESERVED),
    ("192.0.2.0/24", Refusal.RESERVED),
    ("192.31.196.0/24", Refusal.RESERVED),
    ("192.52.193.0/24", Refusal.RESERVED),
    ("192.88.99.0/24", Refusal.TRANSITION),
    ("192.168.0.0/16", Refusal.PRIVATE),
    ("192.175.48.0/24", Refusal.RESERVED),
    ("198.18.0.0/15", Refusal.PRIVATE),
    ("198.51.100.0/24", Refusal.RESERVED),
    ("203.0.113.0/24", Refusal.RESERVED),
    ("224.0.0.0/4", Refusal.MULTICAST),
    ("240.0.0.0/4", Refusal.RESERVED),
    ("::1/128", Refusal.LOOPBACK),
    ("fc00::/7", Refusal.PRIVATE),
    ("fe80::/10", Refusal.LINK_LOCAL),
    ("fec0::/10", Refusal.PRIVATE),
    ("ff00::/8", Refusal.MULTICAST),
    ("::/96", Refusal.TRANSITION),
    ("::ffff:0:0/96", Refusal.TRANSITION),
    ("64:ff9b::/96", Refusal.TRANSITION),
    ("64:ff9b:1::/48", Refusal.TRANSITION),
    ("2001::/23", Refusal.RESERVED),
    ("2001:db8::/32", Refusal.RESERVED),
    ("2002::/16", Refusal.TRANSITION),
    ("3fff::/20", Refusal.RESERVED),
)
_NETWORKS: tuple[tuple[Network, Refusal], ...] = tuple((ip_network(text), refusal) for text, refusal in _TABLE)
_GLOBAL_UNICAST = ip_network("2000::/3")
_LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

_USERINFO = re.compile(r"[^/?#]*//[^/?#]*@")
_HOST = re.compile(r"(?=.{1,253}\Z)(?:(?!-)[a-z0-9_-]{1,63}(?<!-)\.)*(?!-)[a-z0-9-]{1,63}(?<!-)\.?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPolicy:
    """What the operator allows beyond public addresses over https."""

    loopback: bool = False
    http: bool = False
    networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset({80, 443, 8443})


def classify(address: IPv4Address | IPv6Address) -> Refusal | None:
    """Return why an address is not on the public internet, None where it is."""
    if address in _METADATA:
        return Refusal.METADATA
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return Refusal.LINK_LOCAL
    for network, refusal in _NETWORKS:
        if address.version == network.version and address in network:
            return refusal
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return Refusal.RESERVED
    return None


class Guard:
    """The policy, applied to URLs and to addresses."""

    def __init__(self, policy: TargetPolicy) -> None:
        self._policy = policy
        self._allowed = policy.networks + (_LOOPBACK if policy.loopback else ())

    def refusal(self, address: IPv4Address | IPv6Address) -> Refusal | None:
        """Return why `address` may not be dialled, None where it may."""
        found = classify(address)
        if found is None or found is Refusal.METADATA:
            return found
        allowed = any(address.version == network.version and address in network for network in self._allowed)
        return None if allowed else found

    def check_addresses(self, addresses: Sequence[str]) -> None:
        """Refuse a DNS answer that holds a single forbidden address, or suspiciously many.

        Raises:
            ForbiddenTargetError: it does.
        """
        if len(addresses) > MAX_ADDRESSES:
            raise ForbiddenTargetError(Refusal.TOO_MANY_ADDRESSES)
        for text in addresses:
            refusal = self.refusal(ip_address(text))
            if refusal is not None:
                raise ForbiddenTargetError(refusal)

    def dial(self, target: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
        """Make the socket for one concrete address, or refuse it; aiohttp's `socket_factory`.

        Raises:
            ForbiddenTargetError: the address is not allowed.
        """
        family, kind, protocol, _, address = target
        self.check_addresses([str(address[0])])
        return socket.socket(family, kind, protocol)

    def check_url(self, url: str) -> URL:
        """Refuse a URL that can never be allowed, before any name is resolved; return it as the client will read it.

        Raises:
            ForbiddenTargetError: with the first thing that is wrong.
        """
        if not url or len(url) > MAX_URL or "\\" in url or any(ord(c) <= 0x20 or 0x7F <= ord(c) < 0xA0 for c in url):
            raise ForbiddenTargetError(Refusal.MALFORMED)  # parsers disagree about exactly these
        try:
            parsed = URL(url)
            refusal = self._of_parts(parsed, url)
        except ValueError:
            raise ForbiddenTargetError(Refusal.MALFORMED) from None
        if refusal is not None:
            raise ForbiddenTargetError(refusal)
        return parsed

    def _of_parts(self, url: URL, text: str) -> Refusal | None:
        host = url.raw_host  # punycode already, where it was not ASCII
        if url.scheme not in {"https", "http"} or (url.scheme == "http" and not self._http_allowed(host)):
            return Refusal.SCHEME
        if _USERINFO.match(text):
            return Refusal.USERINFO
        if "#" in text:
            return Refusal.FRAGMENT
        return self._of_host(host, url.port or 0)

    def _of_host(self, host: str | None, port: int) -> Refusal | None:
        if not host:
            return Refusal.HOST
        try:
            address = ip_address(host)
        except ValueError:
            return self._of_name(host, port)
        refusal = self.refusal(address)
        if refusal is not None:
            return refusal
        return self._of_port(port, local=classify(address) is not None)

    def _of_name(self, host: str, port: int) -> Refusal | None:
        name = host.casefold()
        labels = name.rstrip(".").split(".")
        if not _HOST.match(name) or _is_numeric(labels[-1]):
            return Refusal.HOST  # 127.1, 0x7f000001 and their like are addresses to some resolvers
        if labels[-1] == "localhost":
            return self._of_port(port, local=True) if self._policy.loopback else Refusal.LOOPBACK
        if name.rstrip(".") == "metadata.google.internal":
            return Refusal.METADATA
        return self._of_port(port, local=bool(self._policy.networks))

    def _of_port(self, port: int, *, local: bool) -> Refusal | None:
        """Receivers inside the operator's own networks listen where they like."""
        return None if local or port in self._policy.ports else Refusal.PORT

    def _http_allowed(self, host: str | None) -> bool:
        if self._policy.http:
            return True
        if not self._policy.loopback or not host:
            return False
        if host.casefold() == "localhost":
            return True
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False


def _is_numeric(label: str) -> bool:
    return label.isdigit() or re.fullmatch(r"0x[0-9a-f]*", label) is not None
