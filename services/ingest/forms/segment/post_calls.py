"""The handler of the addresses that Segment's, RudderStack's and Jitsu's libraries call."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from services.ingest.forms.mapping.faults import MappingFileError
from services.ingest.forms.segment import batch, call_conversion, calls_response, cors, segment_mapping
from services.ingest.forms.segment.call_conversion import CallSender, NoTouchpointReason
from services.ingest.forms.segment.calls_response import MappedCall
from services.ingest.forms.segment.segment_mapping import CallType, SegmentMapping
from services.ingest.http.exchange import HttpRequest, HttpResponse
from services.ingest.http.presented_key import presented_key
from services.ingest.metrics import IngestMetrics
from services.ingest.publish.intake import TouchpointIntake
from services.ingest.publish.intake_request import IntakeRequest
from services.ingest.reasons import RequestRefusal, RequestRefusedError, TouchpointRejection
from services.ingest.results.item_result import ItemResult, MemberRepair, reject
from services.ingest.sources.source import Source, SourceScope
from services.ingest.sources.source_keys import SourceKeys
from services.ingest.touchpoint import document, repair
from services.ingest.touchpoint.document import ItemLimits
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

DIALECT = "segment"

_MEND_AFTER_S: Final = 60
"""Seconds until a source whose mapping is broken is worth another try: an operator has to come."""

_JSON = msgspec.json.Encoder()

PATHS: Final[Mapping[str, CallType | None]] = {
    "/v1/batch": None,
    "/v1/b": None,
    "/v1/import": None,
    **{f"/v1/{call}": call for call in CallType},
    **{f"/v1/{call[0]}": call for call in CallType},
    "/api/s/s2s/batch": None,
    **{f"/api/s/s2s/{call}": call for call in CallType},
    **{f"/api/s/{call}": call for call in CallType},
}
"""The call type of each address; None where each message names its own type."""

IMPORT_PATH: Final = "/v1/import"


class PostCalls:
    """Handles one call, or a batch of calls."""

    methods = ("POST", "OPTIONS")

    def __init__(
        self,
        sources: SourceKeys,
        intake: TouchpointIntake,
        metrics: IngestMetrics,
        limits: ItemLimits,
        retry_after_s: int,
    ) -> None:
        self._sources = sources
        self._intake = intake
        self._metrics = metrics
        self._limits = limits
        self._retry_after_s = retry_after_s
        self._mappings: dict[str, tuple[object, SegmentMapping]] = {}

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Answer 200 with what became of the calls; raises `RequestRefusedError`."""
        cors.allow_origin(request, self._sources.origins)
        if request.method == "OPTIONS":
            return cors.preflight(request)
        key = presented_key(request.headers)
        source = await request.authenticate(key) if key is not None else None
        calls = batch.open_calls(await request.body(), self._limits)
        source = source if source is not None else await request.authenticate(calls.write_key)
        cors.check_origin(request, source)
        sender = self._sender(source, request.path)
        by_path = PATHS[request.path] if not calls.is_batch else None
        mapped = [self._map(message, calls.shared, by_path, sender) for message in calls.messages]
        items = [item for call in mapped for item in call.items]
        results = iter(
            await self._intake.take(
                IntakeRequest(
                    items=items,
                    originals=[call.original for call in mapped for _ in call.items],
                    source=source,
                    traceparent=request.header(b"traceparent"),
                    untimed=range(len(items)),
                    allows_repairs=True,
                )
            )
            if items
            else ()
        )
        became = [[next(results) for _ in call.items] for call in mapped]
        return calls_response.respond(mapped, became, request.language, self._retry_after_s)

    def _map(self, original: bytes, shared: dict[str, Any], by_path: CallType | None, sender: CallSender) -> MappedCall:
        found, repairs = self._read(original)
        if isinstance(found, ItemResult):
            return MappedCall(original=document.without_key(original), items=(found,), repairs=repairs)
        whole = batch.with_batch_members(found, shared)
        return MappedCall(
            message_id=call_conversion.message_id(whole),
            original=document.without_key(original),
            items=self._made(whole, by_path, sender),
            repairs=repairs,
        )

    def _read(self, original: bytes) -> tuple[dict[str, Any] | ItemResult, tuple[MemberRepair, ...]]:
        """Return a message, repaired if it has content that cannot be kept: its sender does not read the response."""
        found = document.read_item(original, self._limits)
        repairs = repair.read_leniently(original, self._limits) if isinstance(found, ItemResult) else None
        return repairs if repairs is not None else (found, ())

    def _made(
        self, whole: dict[str, Any], by_path: CallType | None, sender: CallSender
    ) -> Sequence[bytes | ItemResult]:
        made = call_conversion.touchpoints(whole, call_conversion.call_type(whole, by_path), sender)
        if made is NoTouchpointReason.LEFT_OUT:
            self._metrics.ignored.labels(DIALECT).inc()
            return ()
        if isinstance(made, NoTouchpointReason):
            id_ = call_conversion.message_id(whole)
            return (reject(TouchpointRejection.UNKNOWN_CALL, id_=id_, field="type"),)
        return [_JSON.encode(touchpoint) for touchpoint in made]

    def _sender(self, source: Source, path: str) -> CallSender:
        channels = source.channels or ()
        return CallSender(
            mapping=self._mapping(source),
            only_channel=next(iter(channels)) if len(channels) == 1 else None,
            has_default_channel="channel" in source.defaults,
            replays=SourceScope.REPLAY in source.scopes
            and (path == IMPORT_PATH or SourceScope.WRITE not in source.scopes),
        )

    def _mapping(self, source: Source) -> SegmentMapping:
        document = source.dialects.get(DIALECT)
        if document is None:
            return segment_mapping.DEFAULT
        held = self._mappings.get(source.name)
        if held is not None and held[0] is document:  # the same object until sources are read again
            return held[1]
        try:
            read = segment_mapping.read(document)
        except MappingFileError as error:
            _log.error("segment mapping cannot be used", source=source.name, problem=str(error))
            raise RequestRefusedError(
                RequestRefusal.SOURCE_MISCONFIGURED,
                headers={"retry-after": str(_MEND_AFTER_S)},
                retry_after=_MEND_AFTER_S,
            ) from None
        self._mappings[source.name] = (document, read)
        return read
