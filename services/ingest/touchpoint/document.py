"""From bytes to one JSON object per touchpoint; one that cannot be read is rejected by itself.

JSON is parsed once: the envelope into slices of the body, each slice into a plain object. What JSON allows and nobody
downstream could keep is rejected here: NUL and halves of surrogate pairs (PostgreSQL's text knows neither), numbers
that are not finite or longer than 64 bits, doubled members, nesting beyond the limit.
`services.ingest.touchpoint.contract` gives the object its type.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec

from schemas.codec import holds_nul
from services.ingest.reasons import RequestRefusal, RequestRefusedError, TouchpointRejection
from services.ingest.results.item_result import ItemResult, reject

JsonObject = dict[str, Any]

_BOM = b"\xef\xbb\xbf"
_BLANKS = b" \t\r\n"
_INT64: Final = 1 << 63

_KEY_IN_BODY = re.compile(rb',\s*"(?:writeKey|api_key)"\s*:\s*"[^"]*"|"(?:writeKey|api_key)"\s*:\s*"[^"]*"\s*,?')
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u([dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)
_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)

_BLANK_BEFORE_COLON = re.compile(rb"[ \t\r\n]:")


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemLimits:
    """Limits of a request: its touchpoints, the bytes of each, and its levels of nesting."""

    items: int
    item_bytes: int
    depth: int


class _Outer(msgspec.Struct, rename={"write_key": "writeKey"}):
    """The object that holds many touchpoints, or one touchpoint by itself (then `touchpoints` is absent)."""

    touchpoints: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET
    write_key: str | None = None


_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_OUTER = msgspec.json.Decoder(_Outer)
_ANY = msgspec.json.Decoder()


def stripped_body(body: bytes) -> bytes:
    """Return a body without byte order mark and blanks; raises `RequestRefusedError` when nothing is left."""
    stripped = body.removeprefix(_BOM).strip(_BLANKS)
    if not stripped:
        raise RequestRefusedError(RequestRefusal.EMPTY_BODY)
    return stripped


def open_envelope(body: bytes, limits: ItemLimits) -> tuple[tuple[bytes, ...], str | None]:
    """Take the body apart: `{…}`, `[{…}, …]` or `{"touchpoints": [{…}, …], "writeKey": …}`.

    Returns the touchpoints as they were sent, one slice of bytes each, and the API key if the body carried one.

    Raises:
        RequestRefusedError: the whole is no such document, is empty, or holds more than `limits.items`.
    """
    items, write_key = _split(stripped_body(body), limits)
    if not items:
        raise RequestRefusedError(RequestRefusal.NO_TOUCHPOINTS)
    if len(items) > limits.items:
        raise RequestRefusedError(RequestRefusal.TOO_MANY_ITEMS, limit=limits.items)
    return items, write_key


def _split(body: bytes, limits: ItemLimits) -> tuple[tuple[bytes, ...], str | None]:
    # Half a surrogate pair is JSON by its grammar, but the parser stops at it and would lose the whole list for one
    # cut-off emoji. A NUL of the same length stands in for it, which then refuses that touchpoint alone.
    readable = without_lone_surrogates(body)
    try:
        if readable.startswith(b"["):
            return slices(body, readable, _LIST.decode(readable)), None
        if not readable.startswith(b"{"):
            _ANY.decode(readable)
            raise RequestRefusedError(RequestRefusal.INVALID_ENVELOPE)
        outer = _OUTER.decode(readable)
    except RecursionError:
        raise RequestRefusedError(RequestRefusal.BODY_TOO_DEEP, limit=limits.depth) from None
    except msgspec.ValidationError:
        raise RequestRefusedError(RequestRefusal.INVALID_ENVELOPE) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise RequestRefusedError(RequestRefusal.BODY_NOT_JSON) from None
    if isinstance(outer.touchpoints, msgspec.UnsetType):
        return (body,), outer.write_key
    return slices(body, readable, outer.touchpoints), outer.write_key


def slices(body: bytes, readable: bytes, raws: list[msgspec.Raw]) -> tuple[bytes, ...]:
    """Return the parts of `body` that the `raws`, decoded from `readable`, stand for; the two are equally long."""
    if readable is body:
        return tuple(bytes(raw) for raw in raws)
    items = []
    end = 0
    for raw in raws:  # the two bodies are equally long, so a slice of the one has its place in the other
        start = readable.index(bytes(raw), end)
        end = start + len(bytes(raw))
        items.append(body[start:end])
    return tuple(items)


def without_lone_surrogates(text: bytes) -> bytes:
    """Return `text` with a NUL in the place of every half of a surrogate pair, as long as before."""
    if _SURROGATE.search(text) is None or _LONE_SURROGATE.search(text) is None:
        return text
    return _ESCAPE.sub(lambda escape: b"\\u0000" if escape[1] else escape[0], text)


def without_key(item: bytes) -> bytes:
    """Return an item without the API key that a producer put into it: items are kept and shown, keys are not."""
    return _KEY_IN_BODY.sub(b"", item) if b"writeKey" in item or b"api_key" in item else item


def read_item(item: bytes, limits: ItemLimits) -> JsonObject | ItemResult:
    """Parse the bytes of one touchpoint into an object that can be kept, or reject them."""
    if len(item) > limits.item_bytes:
        return reject(TouchpointRejection.ITEM_TOO_LARGE, limit=limits.item_bytes)
    try:
        found = _ANY.decode(item)
    except RecursionError:
        return reject(TouchpointRejection.TOO_DEEP, limit=limits.depth)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return reject(_why_not_json(item, error))
    reason = _unkeepable(item, found, limits.depth) if type(found) is dict else TouchpointRejection.NOT_AN_OBJECT
    if reason is None:
        return cast("JsonObject", found)
    return reject(reason, limit=limits.depth) if reason is TouchpointRejection.TOO_DEEP else reject(reason)


def _why_not_json(item: bytes, error: Exception) -> TouchpointRejection:
    if isinstance(error, msgspec.ValidationError):  # the parser's word for a number that is no finite double
        return TouchpointRejection.NUMBER_OUT_OF_RANGE
    return (
        TouchpointRejection.INVALID_JSON
        if without_lone_surrogates(item) is item
        else TouchpointRejection.TEXT_NOT_ALLOWED
    )


def _unkeepable(item: bytes, found: JsonObject, depth: int) -> TouchpointRejection | None:
    deepest, members, long_number = _shape(found, depth)
    if deepest > depth:
        return TouchpointRejection.TOO_DEEP
    if long_number:
        return TouchpointRejection.NUMBER_OUT_OF_RANGE
    if b"\\u0000" in item and holds_nul(found):
        return TouchpointRejection.TEXT_NOT_ALLOWED
    if _may_double_a_member(item, members) and _doubles_a_member(item):
        return TouchpointRejection.DUPLICATE_MEMBER
    return None


def _shape(found: JsonObject, depth: int) -> tuple[int, int, bool]:
    """Return how deep `found` is nested (or one level too many), its members, and whether a number is too long."""
    deepest, members, long_number = 0, 0, False
    level: list[Any] = [found]
    while level and deepest <= depth:
        deepest += 1
        below = []
        for node in level:
            if type(node) is dict:
                members += len(node)
            for child in node.values() if type(node) is dict else node:
                kind = type(child)
                if kind is dict or kind is list:
                    below.append(child)
                elif kind is int and not -_INT64 <= child < _INT64:
                    long_number = True
        level = below
    return deepest, members, long_number


def _may_double_a_member(item: bytes, members: int) -> bool:
    """Whether there can be more names in the text than members in the object: quick, and wrong only towards yes.

    A name ends in a quotation mark and a colon; with a blank between them it escapes the count, so any blank before a
    colon, be it inside a text, asks for the close look as well.
    """
    return item.count(b'":') > members or _BLANK_BEFORE_COLON.search(item) is not None


class _DoubledError(Exception):
    """A member's name came twice."""


def _doubles_a_member(item: bytes) -> bool:
    def object_of(pairs: list[tuple[str, Any]]) -> None:
        if len({name for name, _ in pairs}) != len(pairs):
            raise _DoubledError

    try:
        json.loads(item, object_pairs_hook=object_of)
    except _DoubledError:
        return True
    return False
