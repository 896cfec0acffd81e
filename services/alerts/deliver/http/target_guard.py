"""Decides where webhooks may go: the address of an endpoint is user input and must not reach into our own network.

There are two lines of defence. `check_url` refuses an impossible URL when an endpoint is saved. `TargetGuard.dial`
checks the concrete address of every connection when it is opened, so a name that later resolves to something else (DNS
rebinding) gains nothing. One forbidden address in a DNS answer refuses the whole answer. The tables are explicit,
because `ipaddress.is_global` accepts 6to4, NAT64, site-local and other ranges (measured). Sending is left to `sender`.
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
MAIL_PORTS = frozenset({25, 465, 587, 2525})
_MAIL_DEFAULTS = {"smtp": 587, "smtps": 465}


class TargetRefusal(StrEnum):
    """Why a target is refused; safe to show to the person who entered it."""

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
    """IPv6 ranges that contain an IPv4 address."""
    TOO_MANY_ADDRESSES = "too_many_addresses"


class ForbiddenTargetError(OSError):
    """The target is refused; an `OSError`, so that aiohttp's connector passes it on."""

    def __init__(self, refusal: TargetRefusal) -> None:
        super().__init__(f"webhooks may not go there: {refusal}")
        self.refusal = refusal


_METADATA = {
    ip_address(text)
    for text in ("168.63.129.16", "100.100.100.200", "169.254.169.254", "169.254.170.2", "fd00:ec2::254")
}
"""Addresses of cloud metadata services; refused even if an operator allows the network around them."""

_TABLE: tuple[tuple[str, TargetRefusal], ...] = (
    ("0.0.0.0/8", TargetRefusal.RESERVED),
    ("10.0.0.0/8", TargetRefusal.PRIVATE),
    ("100.64.0.0/10", TargetRefusal.PRIVATE),
    ("127.0.0.0/8", TargetRefusal.LOOPBACK),
    ("169.254.0.0/16", TargetRefusal.LINK_LOCAL),
    ("172.16.0.0/12", TargetRefusal.PRIVATE),
    ("192.0.0.0/24", TargetRefusal.RESERVED),
    ("192.0.2.0/24", TargetRefusal.RESERVED),
    ("192.31.196.0/24", TargetRefusal.RESERVED),
    ("192.52.193.0/24", TargetRefusal.RESERVED),
    ("192.88.99.0/24", TargetRefusal.TRANSITION),
    ("192.168.0.0/16", TargetRefusal.PRIVATE),
    ("192.175.48.0/24", TargetRefusal.RESERVED),
    ("198.18.0.0/15", TargetRefusal.PRIVATE),
    ("198.51.100.0/24", TargetRefusal.RESERVED),
    ("203.0.113.0/24", TargetRefusal.RESERVED),
    ("224.0.0.0/4", TargetRefusal.MULTICAST),
    ("240.0.0.0/4", TargetRefusal.RESERVED),
    ("::1/128", TargetRefusal.LOOPBACK),
    ("fc00::/7", TargetRefusal.PRIVATE),
    ("fe80::/10", TargetRefusal.LINK_LOCAL),
    ("fec0::/10", TargetRefusal.PRIVATE),
    ("ff00::/8", TargetRefusal.MULTICAST),
    ("::/96", TargetRefusal.TRANSITION),
    ("::ffff:0:0/96", TargetRefusal.TRANSITION),
    ("64:ff9b::/96", TargetRefusal.TRANSITION),
    ("64:ff9b:1::/48", TargetRefusal.TRANSITION),
    ("2001::/23", TargetRefusal.RESERVED),
    ("2001:db8::/32", TargetRefusal.RESERVED),
    ("2002::/16", TargetRefusal.TRANSITION),
    ("3fff::/20", TargetRefusal.RESERVED),
)
_NETWORKS: tuple[tuple[Network, TargetRefusal], ...] = tuple((ip_network(text), refusal) for text, refusal in _TABLE)
_GLOBAL_UNICAST = ip_network("2000::/3")
_LOOPBACK: tuple[Network, ...] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

_USERINFO = re.compile(r"[^/?#]*//[^/?#]*@")
_HOST = re.compile(r"(?=.{1,253}\Z)(?:(?!-)[a-z0-9_-]{1,63}(?<!-)\.)*(?!-)[a-z0-9-]{1,63}(?<!-)\.?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPolicy:
    """What the operator allows besides public addresses over https."""

    loopback: bool = False
    http: bool = False
    networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset({80, 443, 8443})


def classify(address: IPv4Address | IPv6Address) -> TargetRefusal | None:
    """Return why an address is not on the public internet, None if it is."""
    if address in _METADATA:
        return TargetRefusal.METADATA
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return TargetRefusal.LINK_LOCAL
    for network, refusal in _NETWORKS:
        if address.version == network.version and address in network:
            return refusal
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return TargetRefusal.RESERVED
    return None


class TargetGuard:
    """Applies the target policy to URLs and to addresses."""

    def __init__(self, policy: TargetPolicy) -> None:
        self._policy = policy
        self._allowed = policy.networks + (_LOOPBACK if policy.loopback else ())

    def refusal(self, address: IPv4Address | IPv6Address) -> TargetRefusal | None:
        """Return why `address` may not be dialled, None if it may."""
        found = classify(address)
        if found is None or found is TargetRefusal.METADATA:
            return found
        allowed = any(address.version == network.version and address in network for network in self._allowed)
        return None if allowed else found

    def check_addresses(self, addresses: Sequence[str]) -> None:
        """Refuse a DNS answer that contains a forbidden address or suspiciously many addresses.

        Raises:
            ForbiddenTargetError: it does.
        """
        if len(addresses) > MAX_ADDRESSES:
            raise ForbiddenTargetError(TargetRefusal.TOO_MANY_ADDRESSES)
        for text in addresses:
            refusal = self.refusal(ip_address(text))
            if refusal is not None:
                raise ForbiddenTargetError(refusal)

    def dial(self, target: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
        """Create the socket for one concrete address unless it is forbidden; aiohttp's `socket_factory`.

        Raises:
            ForbiddenTargetError: the address is not allowed.
        """
        family, kind, protocol, _, address = target
        self.check_addresses([str(address[0])])
        return socket.socket(family, kind, protocol)

    def check_url(self, url: str) -> URL:
        """Return a URL as the client will parse it, unless it can never be allowed; no name is resolved.

        Raises:
            ForbiddenTargetError: with the first thing that is wrong.
        """
        if not url or len(url) > MAX_URL or "\\" in url or any(ord(c) <= 0x20 or 0x7F <= ord(c) < 0xA0 for c in url):
            raise ForbiddenTargetError(TargetRefusal.MALFORMED)  # URL parsers disagree about exactly these
        try:
            parsed = URL(url)
            refusal = self._of_parts(parsed, url)
        except ValueError:
            raise ForbiddenTargetError(TargetRefusal.MALFORMED) from None
        if refusal is not None:
            raise ForbiddenTargetError(refusal)
        return parsed

    def check_mail_server(self, url: str) -> tuple[str, int]:
        """Return host and port of a mail server, `smtp://host:587` or `smtps://host:465`, unless it is never allowed.

        Raises:
            ForbiddenTargetError: with the first thing that is wrong.
        """
        if not url or len(url) > MAX_URL or any(ord(c) <= 0x20 or c == "\\" or 0x7F <= ord(c) < 0xA0 for c in url):
            raise ForbiddenTargetError(TargetRefusal.MALFORMED)
        try:
            parsed = URL(url)
            port = parsed.explicit_port or _MAIL_DEFAULTS.get(parsed.scheme, 0)
            refusal = self._of_mail_parts(parsed, url, port)
        except ValueError:
            raise ForbiddenTargetError(TargetRefusal.MALFORMED) from None
        if refusal is not None:
            raise ForbiddenTargetError(refusal)
        return str(parsed.raw_host), port

    def _of_mail_parts(self, url: URL, text: str, port: int) -> TargetRefusal | None:
        if url.scheme not in _MAIL_DEFAULTS:
            return TargetRefusal.SCHEME
        if _USERINFO.match(text):
            return TargetRefusal.USERINFO
        if url.raw_path not in {"", "/"} or url.raw_query_string or "#" in text:
            return TargetRefusal.MALFORMED
        refusal = self._of_host(url.raw_host, port)
        return None if refusal is TargetRefusal.PORT and port in MAIL_PORTS else refusal

    def _of_parts(self, url: URL, text: str) -> TargetRefusal | None:
        host = url.raw_host  # punycode already, where it was not ASCII
        if url.scheme not in {"https", "http"} or (url.scheme == "http" and not self._http_allowed(host)):
            return TargetRefusal.SCHEME
        if _USERINFO.match(text):
            return TargetRefusal.USERINFO
        if "#" in text:
            return TargetRefusal.FRAGMENT
        return self._of_host(host, url.port or 0)

    def _of_host(self, host: str | None, port: int) -> TargetRefusal | None:
        if not host:
            return TargetRefusal.HOST
        try:
            address = ip_address(host)
        except ValueError:
            return self._of_name(host, port)
        refusal = self.refusal(address)
        if refusal is not None:
            return refusal
        return self._of_port(port, local=classify(address) is not None)

    def _of_name(self, host: str, port: int) -> TargetRefusal | None:
        name = host.casefold()
        labels = name.rstrip(".").split(".")
        if not _HOST.match(name) or _is_numeric(labels[-1]):
            return TargetRefusal.HOST  # 127.1, 0x7f000001 and their like are addresses to some resolvers
        if labels[-1] == "localhost":
            return self._of_port(port, local=True) if self._policy.loopback else TargetRefusal.LOOPBACK
        if name.rstrip(".") == "metadata.google.internal":
            return TargetRefusal.METADATA
        return self._of_port(port, local=bool(self._policy.networks))

    def _of_port(self, port: int, *, local: bool) -> TargetRefusal | None:
        """Refuse an unusual port, except inside the operator's own networks."""
        return None if local or port in self._policy.ports else TargetRefusal.PORT

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
