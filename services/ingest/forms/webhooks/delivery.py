"""One delivery of a webhook as it arrived, and its parsed body. Pure.

The bytes are kept unchanged, because signatures cover bytes and dead letters contain them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import collapse_rfc2231_value
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

_MOST_FIELDS = 1000
"""Of a form; the longest that a channel system sends has about fifty."""


class BodyFormat(StrEnum):
    """The format of a body. `auto` decides by the media type, and reads the query of a GET as a form."""

    JSON = "json"
    FORM = "form"
    AUTO = "auto"


class MalformedDeliveryError(Exception):
    """The body is not in the format that its system sends; the message names that format."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InboundDelivery:
    """A request to a webhook. Header names are lower case; `url` is the configured public one, empty without it.

    `tail` is the segment of the path after `webhook/`, where a vendor that signs nothing carries its secret.
    """

    method: str = "POST"
    url: str = ""
    query: str = ""
    headers: Mapping[str, str]
    body: bytes
    address: str = ""
    tail: str = ""

    def header(self, name: str) -> str:
        """Return a header's value, empty when it did not come."""
        return self.headers.get(name.lower(), "")


def parameters(text: str) -> dict[str, list[str]]:
    """Return the fields of a form or a query, each with its values in order; raises ValueError beyond 1,000."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS):
        found.setdefault(name, []).append(value)
    return found


def parsed_body(delivery: InboundDelivery, form: BodyFormat, unwrap: str = "") -> Any:
    """Return the parsed body; `unwrap` names the field of a form that contains JSON.

    Raises:
        MalformedDeliveryError: the body is not in this format.
    """
    if _is_form(delivery, form):
        fields = _form(delivery)
        if not unwrap:
            return fields
        return _json(fields.get(unwrap, "").encode())
    return _json(delivery.body)


def slices(body: bytes, places: Sequence[Sequence[str]]) -> list[bytes]:
    """Return the elements of the arrays at `places` of a JSON body, each with the bytes it was sent with.

    A place is members one inside the other; arrays on the way are gone through. Of several places some may be missing.

    Raises:
        MalformedDeliveryError: there is no array at any of the places.
    """
    found = [_elements(msgspec.Raw(body), members) for members in places]
    if all(elements is None for elements in found):
        raise MalformedDeliveryError("json")
    return [bytes(element) for elements in found for element in elements or ()]


def _elements(raw: msgspec.Raw, members: Sequence[str]) -> list[msgspec.Raw] | None:
    """The elements of the array at `members`; None where there is no such array."""
    try:
        if bytes(raw).lstrip()[:1] == b"[" or not members:
            inside = msgspec.json.decode(raw, type=list[msgspec.Raw])
        else:
            return _elements(msgspec.json.decode(raw, type=dict[str, msgspec.Raw])[members[0]], members[1:])
    except (KeyError, RecursionError, UnicodeDecodeError, msgspec.MsgspecError):
        return None
    if not members:
        return inside
    below = [elements for one in inside if (elements := _elements(one, members)) is not None]
    return [element for elements in below for element in elements] if below or not inside else None


def _is_form(delivery: InboundDelivery, form: BodyFormat) -> bool:
    if form is not BodyFormat.AUTO:
        return form is BodyFormat.FORM
    if delivery.method == "GET":
        return True
    return delivery.header("content-type").lower().startswith("application/x-www-form-urlencoded") or _in_parts(
        delivery
    )


def _in_parts(delivery: InboundDelivery) -> bool:
    return delivery.header("content-type").lower().startswith("multipart/form-data")


def fields_of(delivery: InboundDelivery) -> dict[str, list[str]]:
    """Return the fields of a form, urlencoded or in parts; files among them are not read. Raises ValueError."""
    if _in_parts(delivery):
        return _parts(delivery)
    text = delivery.query.encode() if delivery.method == "GET" else delivery.body
    return parameters(text.decode("utf-8"))


def _parts(delivery: InboundDelivery) -> dict[str, list[str]]:
    """Cut the body at its boundaries, so that only the heads of its parts are read line by line: files are long."""
    boundary = _headers(f"Content-Type: {delivery.header('content-type')}".encode("latin-1", "replace")).get_boundary()
    if not boundary:
        raise ValueError("no boundary")
    before, *parts = (b"\r\n" + delivery.body).split(
        b"\r\n--" + boundary.encode("latin-1", "replace"), _MOST_FIELDS + 2
    )
    if not parts or len(parts) > _MOST_FIELDS + 1 or before.strip():
        raise ValueError("not a form in parts")
    found: dict[str, list[str]] = {}
    for part in parts:
        head, _, content = part.partition(b"\r\n\r\n")
        told = _headers(head.lstrip())
        name = told.get_param("name", header="content-disposition")
        if name and told.get_filename() is None:
            found.setdefault(collapse_rfc2231_value(name), []).append(content.decode("utf-8", "replace"))
    return found


def _headers(text: bytes) -> Message:
    return BytesHeaderParser().parsebytes(text)


def keepable_body(delivery: InboundDelivery) -> bytes:
    """Return the bytes that may be kept: all of them, but only the fields and no files of a multipart form."""
    if not _in_parts(delivery):
        return delivery.body
    try:
        return urlencode(_parts(delivery), doseq=True).encode()
    except ValueError:
        return b""


def _form(delivery: InboundDelivery) -> dict[str, str]:
    try:
        fields = fields_of(delivery)
    except ValueError:
        raise MalformedDeliveryError("form") from None
    if not fields:
        raise MalformedDeliveryError("form")
    return {name: values[0] for name, values in fields.items()}


def _json(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (RecursionError, UnicodeDecodeError, msgspec.MsgspecError):
        raise MalformedDeliveryError("json") from None
