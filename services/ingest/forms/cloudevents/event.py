"""A valid CloudEvent, its data, and the check of its attributes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from schemas.validation import FieldError
from services.ingest.forms.cloudevents import attribute_types
from services.ingest.forms.cloudevents.event_faults import EventFault, field_error

AttributeValue = str | bool | int
Attributes = Mapping[str, AttributeValue]

SPEC_VERSION: Final = "1.0"
REQUIRED: Final = ("id", "source", "type")
CORE: Final = frozenset({"specversion", "id", "source", "type", "time", "subject", "dataschema", "datacontenttype"})


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonData:
    """Data of a JSON media type, as the parsed value."""

    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TextData:
    """Data of another media type, as text."""

    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryData:
    """Binary data, whose content is not kept."""


EventData = JsonData | TextData | BinaryData | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudEvent:
    """A valid CloudEvent 1.0. `time` is RFC 3339 as the contract spells it; `data` None is none at all."""

    id: str
    source: str
    type: str
    time: str | None = None
    subject: str | None = None
    extensions: Attributes = field(default_factory=lambda: MappingProxyType({}))
    data: EventData = None


_JUDGES: Mapping[str, Callable[[str], EventFault | None]] = {
    "source": attribute_types.uri_reference,
    "dataschema": attribute_types.uri,
    "datacontenttype": attribute_types.media_type,
}

_TIMES: Final = ("time", "recordedtime")


def errors_in(attributes: Attributes, prefix: str) -> list[FieldError]:
    """Return what is wrong with attributes that are present; `prefix` goes before their names (`ce-`)."""
    version = attributes.get("specversion")
    if version is None:
        return [field_error(f"{prefix}specversion", EventFault.MISSING)]
    if version != SPEC_VERSION:  # what another version means by the rest is not known
        return [field_error(f"{prefix}specversion", EventFault.SPEC_VERSION)]
    found = [field_error(f"{prefix}{name}", EventFault.MISSING) for name in REQUIRED if not attributes.get(name)]
    for name, value in attributes.items():
        kind = _fault_of(name, value)
        if kind is not None:
            found.append(field_error(f"{prefix}{name}", kind))
    return found


def event_of(attributes: Attributes, data: EventData) -> CloudEvent:
    """Return the event that valid `attributes` make."""
    time = attributes.get("time")
    subject = attributes.get("subject")
    return CloudEvent(
        id=str(attributes["id"]),
        source=str(attributes["source"]),
        type=str(attributes["type"]),
        time=_moment(time),
        subject=str(subject) if subject is not None else None,
        extensions={
            name: (_moment(value) or value) if name in _TIMES else value
            for name, value in attributes.items()
            if name not in CORE
        },
        data=data,
    )


def _moment(value: AttributeValue | None) -> str | None:
    judged = attribute_types.timestamp(value) if isinstance(value, str) else None
    return judged if isinstance(judged, str) else None


def _fault_of(name: str, value: AttributeValue) -> EventFault | None:
    if not attribute_types.is_name(name):
        return EventFault.NAME
    if not isinstance(value, str):
        return EventFault.TEXT if name in CORE or name in _TIMES else None
    if not value:
        return None if name in REQUIRED else EventFault.EMPTY if name in CORE else None
    if name in _TIMES:
        judged = attribute_types.timestamp(value)
        return judged if isinstance(judged, EventFault) else None
    return attribute_types.text(value) or _JUDGES.get(name, _anything)(value)


def _anything(_value: str) -> EventFault | None:
    return None
