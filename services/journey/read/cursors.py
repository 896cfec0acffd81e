"""Cursors: the position at which a reader of a list stopped, as an opaque text.

The position is in an order that no later write changes, so a walk over pages sees everything that exists throughout the
walk exactly once. A cursor is bound to its list and filters and is always checked: a cursor that was cut, edited, or
used with another list or filter is refused. It is no secret, because it says nothing that the page did not say; its
seal guards against accidents, not against attackers.
"""

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

_SEAL_BYTES: Final = 8
_MAX_TEXT: Final = 4096
"""Characters; an id of 255 characters of four bytes each takes 1,500 of them."""


class CursorError(ValueError):
    """The cursor was not made here, was damaged, or belongs to another list or other filters."""


class CursorPosition(msgspec.Struct, frozen=True, array_like=True, kw_only=False):
    """The sort key of the last row of a page: texts and whole numbers, in the order of the columns."""

    scope: str
    key: tuple[str | int, ...]


def scope(list_name: str, filters: Sequence[tuple[str, object]]) -> str:
    """Return a short digest of a list and its filters; the page size is not among them."""
    canonical = "\x1f".join([list_name, *(f"{name}={value}" for name, value in sorted(filters, key=lambda f: f[0]))])
    return hashlib.blake2b(canonical.encode(), digest_size=6).hexdigest()


def encode(position: CursorPosition) -> str:
    """Return the opaque text of a position: URL-safe, without padding."""
    body = msgspec.msgpack.encode(position)
    return base64.urlsafe_b64encode(_seal(body) + body).rstrip(b"=").decode()


def decode(text: str, expected_scope: str, shape: tuple[type, ...]) -> tuple[str | int, ...]:
    """Return the sort key inside `text`.

    Args:
        text: what the caller sent back.
        expected_scope: `scope` of the list being read now.
        shape: the type of each part of the sort key.

    Raises:
        CursorError: see the class.
    """
    position = _open(text)
    if position.scope != expected_scope:
        raise CursorError("the cursor belongs to another list or other filters")
    if len(position.key) != len(shape) or not all(
        type(part) is kind for part, kind in zip(position.key, shape, strict=True)
    ):
        raise CursorError("the cursor has another shape")
    return position.key


def _open(text: str) -> CursorPosition:
    if not text or len(text) > _MAX_TEXT:
        raise CursorError("the cursor has an impossible length")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise CursorError("the cursor is not base64url") from error
    seal, body = raw[:_SEAL_BYTES], raw[_SEAL_BYTES:]
    if seal != _seal(body):
        raise CursorError("the cursor was damaged or edited")
    try:
        return msgspec.msgpack.decode(body, type=CursorPosition)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CursorError("the cursor cannot be read") from error


def _seal(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_SEAL_BYTES, person=b"waymark-cursor").digest()
