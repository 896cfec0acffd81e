"""Finds what is wrong with a PostgreSQL URL before a driver sees it, without ever quoting it.

Each driver reads such a URL in its own way, and some put what they could not read (often a piece of the password) into
their error texts. Leaves connecting to `services.runtime.postgres`, and the meaning of parameters to `libpq`.
"""

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final
from urllib.parse import unquote_to_bytes

from services.runtime.addresses import libpq, tls_files, value_forms
from services.runtime.addresses.libpq import PARAMETERS, SYSTEM, ParameterForm

SHAPE: Final = "postgresql://USER:PASSWORD@HOST:5432/DATABASE"

_ENCODED: Final = {character: f"%{ord(character):02X}" for character in "/#?@[]% "}


def problems(url: str) -> list[str]:
    """Return what is wrong with `url`, one sentence each with its correction; nothing where drivers can read it."""
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
    return "@" not in path and not list(_hosts(authority)) and all(name in PARAMETERS for name in names)


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
        if port and not value_forms.is_port(port):
            yield f"the port of {which} is no number from 1 to 65535; leave it out for 5432"
        if not host and "," in text:
            yield f"{which} is empty; leave the comma out"
        elif host and not host.upper().startswith("%2F") and not value_forms.is_host(host):
            yield f"{which} is no address and no host name"


def _parameters(query: str) -> Iterator[str]:
    given: dict[str, str] = {}
    for pair in query.split("&") if query else ():
        name, equals, value = pair.partition("=")
        if not equals or not value:
            yield f"after `?` stand parameters as name=value, joined by `&`; write {_ENCODED['?']} for a `?` in a name"
        elif name not in PARAMETERS:
            close = [libpq.OTHER_NAMES[name]] if name in libpq.OTHER_NAMES else get_close_matches(name, PARAMETERS, n=1)
            yield "has a parameter that PostgreSQL does not know" + (f"; did you mean {close[0]}?" if close else "")
        else:
            given[name] = unquote_to_bytes(value).decode()
    wrong = [(name, problem) for name, value in given.items() for problem in _value(name, value)]
    yield from (problem for _, problem in wrong)
    yield from tls_files.problems({name: value for name, value in given.items() if name not in dict(wrong)})


def _value(name: str, value: str) -> Iterator[str]:
    parameter = PARAMETERS[name]
    if parameter.choices and value not in parameter.choices:
        yield f"{name} is none of {', '.join(parameter.choices)}"
    elif (instead := parameter.refusal(value)) is not None:
        yield f"has the parameter {name}{f'={value}' if parameter.choices else ''}: {instead}"
    if parameter.form is ParameterForm.NUMBER and not re.fullmatch(r"-?[0-9]{1,9}", value):
        yield f"{name} is no number"
    if parameter.form is ParameterForm.PORTS and not all(value_forms.is_port(port) for port in value.split(",")):
        yield "the parameter port is no number from 1 to 65535"
    if parameter.form is ParameterForm.FILE and not (name == "sslrootcert" and value == SYSTEM):
        try:
            value_forms.file(value)
        except ValueError as error:
            yield f"{name}: {error}"
