"""Pseudonyms of identifiers that nobody downstream may read: an HMAC, the same wherever it is made.

Part of the contract: ingest writes pseudonyms, and whoever looks a customer up by a clear identifier must make the same
one. The value is spelt first (`schemas.identifiers.spelling`), so two spellings of one number have one pseudonym. Pure.
"""

from __future__ import annotations

import hmac
import re
from functools import lru_cache
from typing import Final

PREFIX: Final = "hmac:"

_SEPARATOR: Final = "\x1f"
"""Between type and value; it stands in neither, since the contract allows no control characters there."""

_BYTES: Final = 20
_PSEUDONYM = re.compile(re.escape(PREFIX) + f"[0-9a-f]{{{2 * _BYTES}}}")


@lru_cache(maxsize=8192)  # the same people come again and again
def pseudonym(secret: bytes, type: str, value: str) -> str:  # noqa: A002 - an identifier is a type and a value
    """Return the pseudonym of the identifier whose spelt value is `value`: `hmac:` and 40 hexadecimal digits.

    `secret` is `WAYMARK_PRIVACY_SECRET`. Equal values of different types have different pseudonyms.
    """
    return PREFIX + hmac.digest(secret, f"{type}{_SEPARATOR}{value}".encode(), "sha256")[:_BYTES].hex()


def is_pseudonym(value: str) -> bool:
    """Whether `value` is a pseudonym already: what the read API shows of such an identifier can be looked up again."""
    return _PSEUDONYM.fullmatch(value) is not None
