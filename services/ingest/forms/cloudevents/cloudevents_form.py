"""CloudEvents as a form of `POST /v1/touchpoints`: which requests are events, and what their items are.

Satisfies `services.ingest.forms.wire_form.WireForm`.
"""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from services.ingest.forms.cloudevents import binary_mode, event_conversion, structured_mode
from services.ingest.forms.cloudevents.binary_mode import EventReading
from services.ingest.forms.cloudevents.event import CloudEvent
from services.ingest.forms.cloudevents.event_rules import EventRules
from services.ingest.forms.mapping.faults import MappingFileError
from services.ingest.http.exchange import Headers, HttpRequest
from services.ingest.http.presented_key import presented_key
from services.ingest.publish.intake_request import IntakeRequest
from services.ingest.reasons import RequestRefusal, RequestRefusedError, TouchpointRejection
from services.ingest.results.item_result import ItemResult, reject_fields
from services.ingest.sources.source import Source
from services.ingest.touchpoint import document
from services.ingest.touchpoint.document import ItemLimits
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

DIALECT: Final = "cloudevents"

_FAMILY: Final = b"application/cloudevents"
_STRUCTURED: Final = b"application/cloudevents+json"
_BATCHED: Final = b"application/cloudevents-batch+json"
_NOT_JSON: Final = frozenset({TouchpointRejection.INVALID_JSON, TouchpointRejection.NOT_AN_OBJECT})

ACCEPTED: Final = f"application/json, {_STRUCTURED.decode()}, {_BATCHED.decode()}"


_NO_RULES = EventRules()


class CloudEventsForm:
    """Requests in any of the three modes."""

    def __init__(self, limits: ItemLimits) -> None:
        self._limits = limits
        self._rules: dict[str, tuple[Any, EventRules]] = {}

    def claims(self, headers: Headers) -> bool:
        """Return whether a request is an event or a batch of them, by Content-Type or a required attribute's header."""
        if headers.get(b"content-type", b"")[:23].lower() == _FAMILY:
            return True
        # Spelt out: this is asked of every request, and a loop costs more than all the rest of it.
        return b"ce-specversion" in headers or b"ce-id" in headers or b"ce-type" in headers or b"ce-source" in headers

    async def open(self, request: HttpRequest) -> IntakeRequest:
        """Split the events; raises `RequestRefusedError` when the body is empty, not JSON, or in an unknown format."""
        source = await request.authenticate(presented_key(request.headers))
        body = await request.body()
        rules = self._rules_of(source)
        events, originals = self._events(request.headers, body)
        traced = _trace(events[0]) if len(events) == 1 else ""
        return IntakeRequest(
            items=[_item(event, rules) for event in events],
            originals=originals,
            source=source,
            traceparent=request.header(b"traceparent") or traced,
        )

    def _events(self, headers: Headers, body: bytes) -> tuple[list[EventReading], Sequence[bytes]]:
        """Return the events of a request, with the bytes of each as it can be sent again."""
        content_type = headers.get(b"content-type", b"").lower()
        if not content_type.startswith(_FAMILY):
            return [binary_mode.read(headers, body, self._limits)], [binary_mode.structured_bytes(headers, body)]
        _check_charset(content_type)
        match content_type.partition(b";")[0].strip():
            case media_type if media_type == _STRUCTURED:
                return self._structured(body)
            case media_type if media_type == _BATCHED:
                return self._batched(body)
        raise _unsupported()

    def _rules_of(self, source: Source) -> EventRules:
        dialect = source.dialects.get(DIALECT)
        if dialect is None:
            return _NO_RULES
        held = self._rules.get(source.name)
        if held is None or held[0] != dialect:
            held = self._rules[source.name] = (dialect, _rules(dialect, source.name))
        return held[1]

    def _structured(self, body: bytes) -> tuple[list[EventReading], Sequence[bytes]]:
        raw = body.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n")
        if not raw:
            raise RequestRefusedError(RequestRefusal.EMPTY_BODY)
        found = structured_mode.read(raw, self._limits)
        if isinstance(found, ItemResult) and found.reason in _NOT_JSON:
            raise RequestRefusedError(RequestRefusal.INVALID_EVENT)
        return [found], [raw]

    def _batched(self, body: bytes) -> tuple[list[EventReading], Sequence[bytes]]:
        raw = body.removeprefix(b"\xef\xbb\xbf").strip(b" \t\r\n")
        if raw[:1] == b"[" and raw[1:].strip(b" \t\r\n") == b"]":  # a batch of none is one (section 4.3)
            return [], ()
        if raw and raw[:1] != b"[":
            raise RequestRefusedError(RequestRefusal.INVALID_BATCH)
        events, _ = document.open_envelope(body, self._limits)
        return [structured_mode.read(one, self._limits) for one in events], events


def _rules(dialect: Any, source: str) -> EventRules:
    try:
        return EventRules(dialect)
    except MappingFileError:  # it is checked when it is set, so somebody wrote to the table
        _log.exception("a source's dialect is not valid; its events are taken without rules", source=source)
        return _NO_RULES


def _trace(found: EventReading) -> str:
    """Return the trace context that an event carries (extension "Distributed SpanRecorder")."""
    return str(found.extensions.get("traceparent", "")) if isinstance(found, CloudEvent) else ""


def _item(found: EventReading, rules: EventRules) -> bytes | ItemResult:
    if isinstance(found, ItemResult):
        return found
    mapped = event_conversion.convert(found, rules)
    return reject_fields(found.id, mapped) if isinstance(mapped, list) else msgspec.json.encode(mapped)


def _check_charset(content_type: bytes) -> None:
    for parameter in content_type.split(b";")[1:]:
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"charset" and value.strip().strip(b'"') not in {b"utf-8", b"utf8", b"us-ascii"}:
            raise _unsupported()


def _unsupported() -> RequestRefusedError:
    return RequestRefusedError(RequestRefusal.UNSUPPORTED_MEDIA_TYPE, headers={"accept": ACCEPTED})
