"""Checks the TLS files that a PostgreSQL URL names, and builds the context for servers that must prove who they are.

A driver opens the files with the first session, and mistakes what is wrong with them for a server that is away.
"""

import ssl
from collections.abc import Iterator, Mapping
from typing import Final

from services.runtime.addresses.libpq import SYSTEM

FULL: Final = "verify-full"
PARAMETERS: Final = frozenset(
    {
        *("sslmode", "sslcert", "sslkey", "sslpassword", "sslrootcert", "sslcrl"),
        *("ssl_min_protocol_version", "ssl_max_protocol_version"),
    }
)
"""What a context of our own stands for."""

_VERSIONS: Final = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


def problems(given: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with the files, alone and together; a value is never quoted."""
    if given.get("sslrootcert") == SYSTEM and given.get("sslmode", FULL) != FULL:
        yield f"sslrootcert={SYSTEM} believes every server of the world; it needs sslmode={FULL}"
    for name in ("sslrootcert", "sslcrl"):
        if (file := given.get(name)) is not None and file != SYSTEM:
            yield from _unreadable(name, file)
    if "sslcert" in given and "sslkey" in given:  # a key that is not named stands in the user's home
        yield from _unusable(given["sslcert"], given["sslkey"], given.get("sslpassword", ""))


def context(given: Mapping[str, str]) -> ssl.SSLContext:
    """Return a context that accepts only a server whose certificate this machine trusts.

    Raises:
        OSError: a file cannot be used.
    """
    made = ssl.create_default_context()
    if cert := given.get("sslcert"):
        made.load_cert_chain(cert, given.get("sslkey"), lambda: given.get("sslpassword", ""))
    if revoked := given.get("sslcrl"):
        made.load_verify_locations(cafile=revoked)
        made.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_CHAIN
    made.minimum_version = _VERSIONS[given.get("ssl_min_protocol_version", "TLSv1.2")]
    if most := given.get("ssl_max_protocol_version"):
        made.maximum_version = _VERSIONS[most]
    if ssl.HAS_ALPN:
        made.set_alpn_protocols(["postgresql"])
    return made


def _unreadable(name: str, file: str) -> Iterator[str]:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=file)
    except (ssl.SSLError, OSError):
        what = "certificate" if name == "sslrootcert" else "list of revoked certificates"
        yield f"{name} holds no {what} in PEM (a text that begins with -----BEGIN)"


def _unusable(cert: str, key: str, password: str) -> Iterator[str]:
    asked = False

    def answer() -> str:
        nonlocal asked
        asked = True
        return password

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(cert, key, answer)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            yield "sslkey is not the key of the certificate in sslcert"
        elif asked:
            yield "sslpassword does not open the key, which is encrypted"
        else:
            yield "sslcert or sslkey is not in PEM"
    except (OSError, ValueError):
        yield "sslcert or sslkey cannot be read"
