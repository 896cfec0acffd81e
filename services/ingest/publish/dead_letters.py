"""Writes rejected touchpoints to `touchpoints-rejected` with the bytes that were sent.

Best effort, bounded in time: a dead letter that Kafka does not take is counted, and its touchpoint stays rejected.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from schemas.documents import dead_letter
from schemas.documents.dead_letter import DeadLetterDocument, DeadLetterError, DeadLetterStage
from schemas.languages import Language
from services.ingest.inspector.other_replicas import MAPPED_HEADER, REPLICA_HEADER
from services.ingest.metrics import IngestMetrics
from services.ingest.privacy.screen import PrivacyScreen
from services.ingest.publish.intake_request import IntakeRequest
from services.ingest.reasons import ItemOutcome, TouchpointRejection
from services.ingest.results.item_result import ItemResult
from services.ingest.results.messages import say
from services.runtime.clock import Clock
from services.runtime.kafka.producer import PublishError, RecordPublisher
from services.runtime.kafka.record import ProducerRecord
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetterWriter:
    """Writes the dead letters of this replica, each batch within `timeout_s`."""

    publisher: RecordPublisher
    screen: PrivacyScreen
    metrics: IngestMetrics
    clock: Clock
    new_id: Callable[[], UUID]
    replica: str
    timeout_s: float

    def keepable(self, request: IntakeRequest, results: Sequence[ItemResult]) -> dict[int, bytes]:
        """Return what may be kept of the bytes of each rejected item, by its position."""
        source = request.source.name
        return {
            at: self.screen.keepable_bytes(request.original(at), result.reason, source)
            for at, result in enumerate(results)
            if result.outcome is ItemOutcome.REJECTED
        }

    async def write(
        self, request: IntakeRequest, results: Sequence[ItemResult], kept: Mapping[int, bytes], trace: str
    ) -> None:
        """Write a dead letter for each item of `kept`, and count those that were lost."""
        letters = [self._letter(request, results[at], item, trace) for at, item in kept.items()]
        lost = 0
        try:
            async with asyncio.timeout(self.timeout_s):
                await self.publisher.publish(letters)
        except PublishError as error:
            lost = len(error.failed)
        except TimeoutError:
            lost = len(letters)
        if lost:
            _log.debug("dead letters lost", source=request.source.name, count=lost)
            self.metrics.dead_letters.labels("lost").inc(lost)
        self.metrics.dead_letters.labels("written").inc(len(letters) - lost)

    def _letter(self, request: IntakeRequest, result: ItemResult, item: bytes, trace: str) -> ProducerRecord:
        headers = {"traceparent": trace}
        if self.replica:
            headers[REPLICA_HEADER] = self.replica
        if request.originals is not None:
            headers[MAPPED_HEADER] = "true"
        value_base64, value_bytes = dead_letter.preserve(item)
        letter = DeadLetterDocument(
            id=self.new_id().hex,
            stage=DeadLetterStage.INGEST,
            code=str(result.reason),
            value_base64=value_base64,
            value_bytes=value_bytes,
            first_seen=self.clock.now(),
            errors=_errors(result),
            headers=headers,
            source=request.source.name,
        )
        return ProducerRecord(
            topic=dead_letter.TOPIC,
            key=request.source.name.encode(),
            value=dead_letter.encode(letter),
            headers=dead_letter.headers(letter, trace),
        )


def _errors(result: ItemResult) -> tuple[DeadLetterError, ...]:
    if result.errors:
        return tuple(DeadLetterError(path=e.path, code=str(e.code), message=e.message) for e in result.errors)
    assert isinstance(result.reason, TouchpointRejection)  # noqa: S101  only rejected touchpoints come here
    sentence = say(result.reason, Language.EN, **result.facts)
    return (DeadLetterError(path=result.field, code=str(result.reason), message=sentence),)
