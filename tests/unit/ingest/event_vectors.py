"""What both halves of the conformance suite read events with."""

import json
from typing import Any

from services.ingest.forms.cloudevents import binary_mode, structured_mode
from services.ingest.forms.cloudevents.binary_mode import EventReading
from services.ingest.forms.cloudevents.event import CloudEvent
from services.ingest.results.item_result import ItemResult
from services.ingest.touchpoint.document import ItemLimits

LIMITS = ItemLimits(items=10, item_bytes=64 * 1024, depth=16)


def the_event(**members: Any) -> dict[str, Any]:
    """Return a valid event in JSON with `members` put over it; one that is `...` is left out."""
    whole = {"specversion": "1.0", "id": "e-1", "source": "/crm", "type": "acme.contact", **members}
    return {name: value for name, value in whole.items() if value is not ...}


def read_json(**members: Any) -> EventReading:
    """Read an event in structured mode."""
    return structured_mode.read(json.dumps(the_event(**members)).encode(), LIMITS)


def read_headers(headers: dict[str, str | bytes], body: bytes = b"") -> EventReading:
    """Read an event in binary mode, `headers` put over those of a valid one; one that is `...` is left out."""
    whole: dict[str, Any] = {
        "ce-specversion": "1.0",
        "ce-id": "e-1",
        "ce-source": "/crm",
        "ce-type": "acme.contact",
        **headers,
    }
    raw = {
        name.encode(): value if isinstance(value, bytes) else value.encode("latin-1")
        for name, value in whole.items()
        if value is not ...
    }
    return binary_mode.read(raw, body, LIMITS)


def event_of(found: EventReading) -> CloudEvent:
    assert isinstance(found, CloudEvent), found
    return found


def faults_of(found: EventReading) -> list[tuple[str, str]]:
    assert isinstance(found, ItemResult), found
    return [(error.path, str(error.code)) for error in found.errors]
