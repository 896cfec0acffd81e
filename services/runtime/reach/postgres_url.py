"""What is wrong with the URL of a PostgreSQL database, said before a driver sees it and without ever quoting it.

Drivers read such a URL each in its own way, and some put what they could not read (a piece of the password, as a rule)
into the text of their errors. Leaves connecting, and what the parameters mean, to the drivers.
"""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final
from urllib.parse import unquote_to_bytes

from services.runtime.reach import forms

SHAPE: Final = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"

_CHOICES: Final = {
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "target_session_attrs": ("any", "read-write", "read-only", "primary", "standby", "prefer-standby"),
    "sslnegotiation": ("postgres", "direct"),
    "gssencmode": ("disable", "prefer", "require"),
    "channel_binding": ("disable", "prefer", "require"),
    "load_balance_hosts": ("disable", "random"),
    "ssl_min_protocol_version": ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
    "ssl_max_protocol_version": ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"),
}
_FILES: Final = frozenset({"sslcert", "sslkey", "sslrootcert", "sslcrl", "passfile"})
_NUMBERS: Final = frozenset(
    {"connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"}
)
_OTHERS: Final = frozenset(
    {
        *("host", "hostaddr", "port", "dbname", "database", "user", "password", "application_name", "options"),
        *("fallback_application_name", "client_encoding", "service", "sslpassword", "sslcompression", "sslcertmode"),
        *("sslcrldir", "sslsni", "requirepeer", "krbsrvname", "gsslib", "gssdelegation", "require_auth"),
    }
)
_KNOWN: Final = frozenset({*_CHOICES, *_FILES, *_NUMBERS, *_OTHERS})
_ENCODED: Final = {character: f"%{ord(character):02X}" for character in "/#?@[]% "}
_SYSTEM: Final = "system"
"""In place of a file of `sslrootcert`: what the machine trusts."""


def problems(url: str) -> list[str]:
    """Return what is wrong with `url`, one sentence each with the mend; none where drivers can read it."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in {"postgresql", "postgres"}:
        return [f"is no URL of PostgreSQL: it has to begin with postgresql:// and look like {SHAPE}"]
    if (misspelt := _misspelt(rest)) is not None:
        return [misspelt]
    before, _, query = rest.partition("?")
    authority, _, _ = before.partition("/")
    return [*_hosts(authority.rpartition("@")[2]), *_parameters(query)]


def _misspelt(rest: str) -> str | None:
    """Return what keeps the parts of the URL from being told apart."""
    if re.search(r"\s", rest):
        return f"holds a blank; write {_ENCODED[' ']} for one that belongs to the password"
    if (raw := _raw_character(rest)) is not None:
        return f"`{raw}` stands as it is in the user or the password; write {_ENCODED[raw]} there instead"
    if re.search(r"%(?![0-9A-Fa-f]{2})", rest):
        return f"holds a `%` that begins no encoded character; write {_ENCODED['%']} for a `%` of the password"
    if not _is_utf8(rest):
        return "holds encoded bytes that are not UTF-8; encode the characters of the password as UTF-8"
    return (
        f"holds a `#`, which begins a fragment; write {_ENCODED['#']} where it belongs to the password or name"
        if "#" in rest
        else None
    )


def _raw_character(rest: str) -> str | None:
    """Return the reserved character that ends the user and the password too early, None where none does."""
    cut = min((at for mark in "/?#" if (at := rest.find(mark)) >= 0), default=len(rest))
    authority, remainder = rest[:cut], rest[cut:]
    credentials, sign, _ = authority.rpartition("@")
    if sign:
        return next((mark for mark in "@[]" if mark in credentials), None)
    return rest[cut] if "@" in remainder and not _is_of_a_parameter(authority, remainder) else None


def _is_of_a_parameter(authority: str, remainder: str) -> bool:
    """Whether the `@` after the authority belongs to the value of a parameter, and the authority is hosts alone."""
    path, _, query = remainder.partition("?")
    names = [pair.partition("=")[0] for pair in query.split("&")]
    return "@" not in path and not list(_hosts(authority)) and all(name in _KNOWN for name in names)


def _is_utf8(rest: str) -> bool:
    try:
        unquote_to_bytes(rest).decode()
    except UnicodeDecodeError:
        return False
    return True


def _hosts(text: str) -> Iterator[str]:
    """Say what is wrong with `host:port,host:port`; a socket's folder is a host too, percent-encoded."""
    for number, place in enumerate(text.split(",") if text else (), start=1):
        which = "the host" if "," not in text else f"host {number}"
        found = re.fullmatch(r"(?P<host>\[[^\[\]]+\]|[^:\[\]]*)(:(?P<port>.*))?", place)
        if found is None:
            yield f"{which} cannot be read; write an IPv6 address in brackets, [::1]:5432"
            continue
        host, port = found["host"].strip("[]"), found["port"]
        if port and not forms.is_port(port):
            yield f"the port of {which} is no number from 1 to 65535; leave it out for 5432"
        if not host and "," in text:
            yield f"{which} is empty; leave the comma out"
        elif host and not host.upper().startswith("%2F") and not forms.is_host(host):
            yield f"{which} is no address and no host name"


def _parameters(query: str) -> Iterator[str]:
    for pair in query.split("&") if query else ():
        name, equals, value = pair.partition("=")
        if not equals or not value:
            yield f"after `?` stand parameters as name=value, joined by `&`; write {_ENCODED['?']} for a `?` in a name"
        elif name not in _KNOWN:
            close = get_close_matches(name, _KNOWN, n=1)
            yield "has a parameter that PostgreSQL does not know" + (f"; did you mean {close[0]}?" if close else "")
        else:
            yield from _value(name, unquote_to_bytes(value).decode())


def _value(name: str, value: str) -> Iterator[str]:
    if name in _CHOICES and value not in _CHOICES[name]:
        yield f"{name} is none of {', '.join(_CHOICES[name])}"
    if name in _NUMBERS and not re.fullmatch(r"-?[0-9]{1,9}", value):
        yield f"{name} is no number"
    if name == "port" and not all(forms.is_port(port) for port in value.split(",")):
        yield "the parameter port is no number from 1 to 65535"
    if name in _FILES and not (name == "sslrootcert" and value == _SYSTEM):
        try:
            forms.file(value)
        except ValueError as error:
            yield f"{name}: {error}"
