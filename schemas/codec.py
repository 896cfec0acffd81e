"""Bytes to values and back, the same way for every document of the contract.

Reading is tolerant (unknown members are ignored, so an old reader survives a new writer), writing is exact: times are
UTC with six digits (`2026-11-22T00:15:00.000000Z`, so text order is time order), text stands as it is (no `\\uXXXX`).
What a document may hold is the JSON Schemas' business (`schemas.validation`); this module never echoes a value.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import Enum
from types import NoneType
from typing import Any, Generic, TypeVar, get_args
from uuid import UUID

import msgspec

T = TypeVar("T", bound=msgspec.Struct)

_WHERE = re.compile(r"`\$(?P<path>[^`]*)`")
_NOT_JSON = "Send one JSON document in UTF-8, not nested too deeply, and nothing after it."
_MISSING = re.compile(r"missing required field `(?P<name>[^`]*)`")


class UndecodableError(ValueError):
    """The bytes are not this document.

    `path` points to the member (`customer.phone`, empty: the whole document); `message` is safe to log and to
    dead-letter, because it never quotes what was sent.
    """

    def __init__(self, path: str, message: str) -> None:
        """`path` and `message` as described for the class."""
        super().__init__(f"{path}: {message}" if path else message)
        self.path = path
        self.message = message


class Codec(Generic[T]):
    """Reads and writes one type of document; built once, since msgspec compiles the type."""

    def __init__(self, document: type[T]) -> None:
        """`document` is the msgspec Struct that the bytes hold."""
        self._document = document
        self._decoder = msgspec.json.Decoder(document)
        self._encoder = msgspec.json.Encoder()
        self._timed = [field.encode_name for field in msgspec.structs.fields(document) if _may_hold_times(field.type)]

    def decode(self, raw: bytes) -> T:
        """Return the document in `raw` (UTF-8 JSON); raises `UndecodableError`."""
        try:
            return self._decoder.decode(raw)
        except msgspec.ValidationError:
            return self._decode_slowly(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UndecodableError("", _NOT_JSON) from error

    def encode(self, value: T) -> bytes:
        """Return `value` as UTF-8 JSON in its published form."""
        tree = msgspec.to_builtins(value, builtin_types=(datetime,))
        for name in self._timed:
            if name in tree:
                tree[name] = _published(tree[name])
        return self._encoder.encode(tree)

    def _decode_slowly(self, raw: bytes) -> T:
        """A second try that takes `2.0` for the whole number 2, as JSON Schema does and msgspec does not."""
        try:
            return msgspec.convert(_whole(msgspec.json.decode(raw)), self._document)
        except msgspec.ValidationError as error:
            raise _undecodable(str(error)) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise UndecodableError("", _NOT_JSON) from error


_encoded = msgspec.json.Encoder().encode


def utc_text(moment: datetime) -> str:
    """Return an aware `moment` as `2026-11-22T00:15:00.000000Z`."""
    if moment.tzinfo is None:
        msg = "A time without an offset says nothing: give an aware datetime."
        raise ValueError(msg)
    utc = moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    text = _encoded(utc)[1:-1].decode()  # ten times as fast as isoformat, and the same but for a missing `.000000`
    return text if utc.microsecond else f"{text[:-1]}.000000Z"


def holds_nul(node: Any) -> bool:
    """Return whether a text or a name in a tree of plain values has U+0000, which PostgreSQL's text cannot hold."""
    if isinstance(node, str):
        return "\0" in node
    if isinstance(node, dict):
        return any("\0" in name or holds_nul(member) for name, member in node.items())
    return isinstance(node, list) and any(holds_nul(element) for element in node)


_HOLDERS = frozenset({datetime, dict, list, tuple})
_TIMELESS = frozenset({str, int, float, bool, bytes, UUID, NoneType})


def _may_hold_times(kind: Any) -> bool:
    """Whether a value of this type may be a time or hold one: asked once for each field, not for each value."""
    if kind in _TIMELESS or (isinstance(kind, type) and issubclass(kind, Enum)):
        return False
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return any(_may_hold_times(field.type) for field in msgspec.structs.fields(kind))
    parts = [part for part in get_args(kind) if isinstance(part, type) or get_args(part) or part is Any]
    return any(_may_hold_times(part) for part in parts) if parts else True


def _published(node: Any) -> Any:
    """The same tree, times as text; what is changed is changed in place."""
    if type(node) is datetime:
        return utc_text(node)
    if type(node) is dict:
        for name, member in node.items():
            if type(member) in _HOLDERS:
                node[name] = _published(member)
    elif type(node) in (list, tuple):
        return [_published(element) if type(element) in _HOLDERS else element for element in node]
    return node


def _whole(node: Any) -> Any:
    """The same tree with 2.0 as 2; the two are one number in JSON."""
    if isinstance(node, float):
        return int(node) if node.is_integer() else node
    if isinstance(node, dict):
        return {name: _whole(member) for name, member in node.items()}
    if isinstance(node, list):
        return [_whole(element) for element in node]
    return node


def _undecodable(complaint: str) -> UndecodableError:
    """What msgspec complained of, without the value that it may quote."""
    where = _WHERE.search(complaint)
    path = where["path"].lstrip(".") if where else ""
    if missing := _MISSING.search(complaint):
        return UndecodableError(f"{path}.{missing['name']}".lstrip("."), "Add this member.")
    return UndecodableError(path, "Send this member with the type that the schema says.")


def holds_half_a_pair(node: object) -> bool:
    """Return whether a text anywhere in `node`, names included, holds half of a surrogate pair: no UTF-8 can say it."""
    if isinstance(node, str):
        return not node.isascii() and any("\ud800" <= character <= "\udfff" for character in node)
    if isinstance(node, dict):
        return any(map(holds_half_a_pair, (*node.keys(), *node.values())))
    return isinstance(node, list | tuple) and any(map(holds_half_a_pair, node))
