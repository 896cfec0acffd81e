"""Binary mode (HTTP binding, section 3.1): attributes in `ce-*` headers, the body is the data."""

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import msgspec

from schemas.validation import FieldError
from services.ingest.forms.cloudevents import attribute_types
from services.ingest.forms.cloudevents.event import (
    BinaryData,
    CloudEvent,
    EventData,
    JsonData,
    TextData,
    errors_in,
    event_of,
)
from services.ingest.forms.cloudevents.event_faults import EventFault, field_error
from services.ingest.reasons import TouchpointRejection
from services.ingest.results.item_result import ItemResult, reject, reject_fields
from services.ingest.touchpoint.document import ItemLimits, read_item

EventReading = CloudEvent | ItemResult
"""What reading an event comes to: the event, or its rejection for bytes that cannot be kept or for its attributes."""

PREFIX: Final = b"ce-"
_CONTENT_TYPE: Final = "Content-Type"

_QUOTED = re.compile(rb'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})?")


def read(headers: Mapping[bytes, bytes], body: bytes, limits: ItemLimits) -> EventReading:
    """Return the event that a request in binary mode is; header names are in lower case."""
    attributes: dict[str, str] = {}
    found: list[FieldError] = []
    for name, raw in headers.items():
        if name.startswith(PREFIX):
            shown = name.decode("latin-1")
            value = header_value(raw)
            if isinstance(value, EventFault):
                found.append(field_error(shown, value))
            attributes[shown.removeprefix("ce-")] = value if isinstance(value, str) else "?"
    if "datacontenttype" in attributes:
        found.append(field_error("ce-datacontenttype", EventFault.CONTENT_TYPE_TWICE))
    content_type = headers.get(b"content-type", b"").decode("latin-1").strip()
    if content_type and attribute_types.media_type(content_type) is not None:
        found.append(field_error(_CONTENT_TYPE, EventFault.MEDIA_TYPE))
    known = {error.path for error in found}
    found += [error for error in errors_in(attributes, "ce-") if error.path not in known]
    if found:
        return reject_fields(None, found)
    data = _data(body, content_type, limits)
    return data if isinstance(data, ItemResult) else event_of(attributes, data)


def structured_bytes(headers: Mapping[bytes, bytes], body: bytes) -> bytes:
    """Return the request in structured mode, so that what is kept of a refused event can be sent again by itself."""
    event_: dict[str, Any] = {}
    for name, raw in headers.items():
        if name.startswith(PREFIX):
            value = header_value(raw)
            event_[name.decode("latin-1").removeprefix("ce-")] = (
                value if isinstance(value, str) else raw.decode("latin-1")
            )
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    if content_type:
        event_["datacontenttype"] = content_type
    if body and attribute_types.is_json(content_type) and _is_valid_json(body):
        event_["data"] = msgspec.Raw(body)
    elif body:
        event_["data_base64"] = base64.b64encode(body).decode()
    return msgspec.json.encode(event_)


def _is_valid_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def header_value(raw: bytes) -> str | EventFault:
    """Return what a header's value means: quotes off first, then one round of percent-decoding (section 3.1.3.2)."""
    raw = raw.strip(b" \t")
    quoted = _QUOTED.fullmatch(raw)
    if quoted is not None:
        raw = _ESCAPED.sub(rb"\1", quoted[1])
    broken = False

    def octet(escape: re.Match[bytes]) -> bytes:
        nonlocal broken
        if escape[1] is None:
            broken = True
            return b""
        return bytes((int(escape[1], 16),))

    decoded = _PERCENT.sub(octet, raw) if b"%" in raw else raw
    try:
        return EventFault.ENCODING if broken else decoded.decode()
    except UnicodeDecodeError:
        return EventFault.ENCODING


def _data(body: bytes, content_type: str, limits: ItemLimits) -> EventData | ItemResult:
    if not body:
        return None
    if not attribute_types.is_json(content_type):
        return text_of(body)
    return json_of(body, limits)


def text_of(raw: bytes) -> TextData | BinaryData:
    """Return bytes that are not declared to be JSON, as text where they are UTF-8."""
    try:
        return TextData(value=raw.decode())
    except UnicodeDecodeError:
        return BinaryData()


def json_of(raw: bytes, limits: ItemLimits) -> JsonData | ItemResult:
    """Return the value of JSON that can be kept, of any type, or the reason why it cannot be kept."""
    if len(raw) > limits.item_bytes:
        return reject(TouchpointRejection.ITEM_TOO_LARGE, limit=limits.item_bytes)
    roomy = replace(limits, item_bytes=limits.item_bytes + 16, depth=limits.depth + 1)
    found = read_item(b'{"data":' + raw.removeprefix(b"\xef\xbb\xbf") + b"}", roomy)
    if isinstance(found, ItemResult):
        too_deep = found.reason is TouchpointRejection.TOO_DEEP
        return reject(TouchpointRejection.TOO_DEEP, limit=limits.depth) if too_deep else found
    if len(found) != 1:  # the bytes closed the object that was put around them
        return reject(TouchpointRejection.INVALID_JSON)
    return JsonData(value=found["data"])
