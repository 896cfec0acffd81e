"""Reads a database URL: the servers it names, what a session must be able to do, and what the driver may read.

Leaves connecting to `sessions`. A wrong URL passes unchanged; `services.runtime.addresses.postgres_url` reports it.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from services.runtime.addresses import tls_files
from services.runtime.addresses.libpq import SYSTEM, is_followed_by_services, is_for_commands

PORT: Final = 5432
WHOLE_CONNECT_S: Final = 9.0
"""Seconds for all servers of a URL together; the pool gives up on a connection after ten."""

ONE_OF_SEVERAL_S: Final = 3.0
"""Seconds for one server of several: a machine that died answers nothing at all, and the next one waits behind it."""


class PoolerMode(StrEnum):
    """Which pooler stands between the services and PostgreSQL."""

    NONE = "none"
    SESSION = "session"
    TRANSACTION = "transaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """One server that a URL names."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseAddress:
    """Where the database is. `servers` is empty where the driver reads them from the URL by itself."""

    dsn: str = field(repr=False)
    servers: tuple[ServerAddress, ...]
    target: str | None
    """`target_session_attrs` of the URL."""

    within_s: float
    """Seconds in which one server has to take a connection."""

    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """In place of what the URL says of TLS, where the driver cannot follow that."""

    for_commands: tuple[str, ...] = ()
    """Parameters that demand something of which only commands take care."""


def read(url: str) -> DatabaseAddress:
    """Split a URL into its parts; one that cannot be read is left to the driver as a whole."""
    try:
        parts = urlsplit(url)
        parameters = parse_qsl(parts.query, keep_blank_values=True)
        servers = _servers(parts.netloc)
    except ValueError:
        return DatabaseAddress(dsn=url, servers=(), target=None, within_s=WHOLE_CONNECT_S)
    given = dict(parameters)
    if "host" in given or "port" in given:
        servers = ()
    tls = tls_files.context(given) if given.get("sslrootcert") == SYSTEM else None
    kept = [(name, value) for name, value in parameters if _is_for_the_driver(name, replaced=tls is not None)]
    if len(kept) < len(parameters):
        url = urlunsplit(parts._replace(query=urlencode(kept)))
    return DatabaseAddress(
        dsn=url,
        servers=servers,
        target=given.get("target_session_attrs"),
        within_s=_connect_timeout_s(given.get("connect_timeout", ""), len(servers)),
        tls=tls,
        for_commands=_for_commands(given),
    )


def _is_for_the_driver(name: str, *, replaced: bool) -> bool:
    return is_followed_by_services(name) and not (replaced and name in tls_files.PARAMETERS)


def _for_commands(given: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(sorted(name for name, value in given.items() if is_for_commands(name, value)))


def _servers(netloc: str) -> tuple[ServerAddress, ...]:
    places = netloc.rpartition("@")[2]
    return tuple(_server(place) for place in places.split(",")) if places else ()


def _server(place: str) -> ServerAddress:
    if place.startswith("["):
        host, _, port = place[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = place.partition(":")
    return ServerAddress(host=unquote(host), port=int(port) if port else PORT)


def _connect_timeout_s(timeout: str, servers: int) -> float:
    most = WHOLE_CONNECT_S / max(1, servers)
    asked = float(timeout) if timeout.isdigit() and int(timeout) > 0 else None
    usual = ONE_OF_SEVERAL_S if servers > 1 else WHOLE_CONNECT_S
    return min(most, asked or usual)
