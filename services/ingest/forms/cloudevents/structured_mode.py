"""Structured mode: one event as a JSON object (JSON format, sections 2 and 3); an element of a batch is the same."""

import base64
import binascii
from dataclasses import replace
from typing import Any

from schemas.validation import FieldError
from services.ingest.forms.cloudevents import attribute_types
from services.ingest.forms.cloudevents.binary_mode import EventReading, json_of, text_of
from services.ingest.forms.cloudevents.event import (
    CORE,
    AttributeValue,
    BinaryData,
    EventData,
    JsonData,
    TextData,
    errors_in,
    event_of,
)
from services.ingest.forms.cloudevents.event_faults import EventFault, field_error
from services.ingest.results.item_result import ItemResult, reject_fields
from services.ingest.touchpoint.document import ItemLimits, JsonObject, read_item

_DATA = ("data", "data_base64")
_BROKEN: AttributeValue = "?"
"""Stands in for a value that is complained of already."""


def read(raw: bytes, limits: ItemLimits) -> EventReading:
    """Return the event that a JSON object is."""
    found = read_item(raw, replace(limits, depth=limits.depth + 1))  # the data may be as deep as a bare touchpoint
    if isinstance(found, ItemResult):
        return found
    attributes, complaints = _attributes(found)
    known = {error.path for error in complaints}
    complaints += [error for error in errors_in(attributes, "") if error.path not in known]
    if complaints:
        return reject_fields(None, complaints)
    data = _data(found, str(attributes.get("datacontenttype", "")), limits)
    if isinstance(data, ItemResult):
        return data
    return reject_fields(None, data) if isinstance(data, list) else event_of(attributes, data)


def _attributes(found: JsonObject) -> tuple[dict[str, AttributeValue], list[FieldError]]:
    """Return the attributes that are set (null is unset) and complaints about values of no CloudEvents type."""
    attributes: dict[str, AttributeValue] = {}
    complaints: list[FieldError] = []
    for name, value in found.items():
        if value is None or name in _DATA:
            continue
        kind = _type_fault(name, value)
        if kind is not None:
            complaints.append(field_error(name, kind))
        attributes[name] = value if kind is None else _BROKEN
    return attributes, complaints


def _type_fault(name: str, value: Any) -> EventFault | None:
    if isinstance(value, str):
        return None
    if name in CORE:
        return EventFault.TEXT
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return None if attribute_types.MIN_INTEGER <= value <= attribute_types.MAX_INTEGER else EventFault.INTEGER
    return EventFault.EXTENSION_TYPE


def _data(found: JsonObject, content_type: str, limits: ItemLimits) -> EventData | ItemResult | list[FieldError]:
    encoded = found.get("data_base64")
    if encoded is not None:
        return (
            [field_error("data_base64", EventFault.DATA_TWICE)]
            if "data" in found
            else _decoded(encoded, content_type, limits)
        )
    if "data" not in found:
        return None
    data = found["data"]
    if not content_type or attribute_types.is_json(content_type):
        return JsonData(value=data)
    return TextData(value=data) if isinstance(data, str) else [field_error("data", EventFault.DATA_NOT_TEXT)]


def _decoded(
    encoded: Any, content_type: str, limits: ItemLimits
) -> JsonData | TextData | BinaryData | ItemResult | list[FieldError]:
    if not isinstance(encoded, str):
        return [field_error("data_base64", EventFault.TEXT)]
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return [field_error("data_base64", EventFault.BASE64)]
    if content_type and attribute_types.is_json(content_type):  # without one, nothing is assumed (section 3.1.2)
        return json_of(raw, limits)
    return text_of(raw)
