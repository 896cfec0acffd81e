"""Decides about the touchpoints of one request, publishes the accepted ones, and returns one result for each item.

A touchpoint is *accepted* only after Kafka has acknowledged it. One that was not acknowledged is *unavailable*, and the
producer sends the same id again. Leaves HTTP to `services.ingest.forms`, the bytes of rejected touchpoints to
`dead_letters`.
"""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from schemas.documents.touchpoint import PostedTouchpoint
from services.ingest.inspector.logbook import Logbook
from services.ingest.metrics import CachedCounter, IngestMetrics
from services.ingest.privacy.screen import PrivacyScreen
from services.ingest.protection.rate_limits import RateLimiter
from services.ingest.publish import records
from services.ingest.publish.dead_letters import DeadLetterWriter
from services.ingest.publish.duplicates import DuplicateMemory, payload_digest
from services.ingest.publish.intake_request import IntakeRequest
from services.ingest.reasons import OUTCOMES, ItemOutcome, UnavailabilityReason
from services.ingest.results.item_result import ItemResult, MemberRepair
from services.ingest.sentiment.sentiment_filler import SentimentFiller
from services.ingest.sources.source import Source
from services.ingest.timing.device_clocks import DeviceClocks
from services.ingest.timing.touchpoint_time import TouchpointTime, time_of_receipt
from services.ingest.touchpoint import acceptance, contract, document, normalisation, repair
from services.ingest.touchpoint.acceptance import AcceptanceRules, AcceptedTouchpoint
from services.ingest.touchpoint.document import ItemLimits
from services.runtime.clock import Clock, new_trace_id
from services.runtime.kafka.producer import PublishError, RecordPublisher
from services.runtime.kafka.record import ProducerRecord
from services.runtime.telemetry.logs import get_logger
from services.runtime.telemetry.tracing import NO_TRACING, SpanRecorder, SpanRole, trace_id

_log = get_logger(__name__)

_PAUSE_EVERY_BYTES = 128 * 1024
"""After deciding about so many bytes others get their turn: about 5 ms of work."""


@dataclass(slots=True)
class _Plan:
    """What one request comes to: a result for each item, and the records to publish, by the position of their item.

    `digests` are the payloads of the ids to publish, with their positions; `repeats` lead from the position of an item
    that repeats another one of its request to that one's; `unread` are those that a model of the house is to read.
    """

    results: list[ItemResult] = field(default_factory=list)
    records: dict[int, ProducerRecord] = field(default_factory=dict)
    digests: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    repeats: dict[int, int] = field(default_factory=dict)
    unread: dict[int, AcceptedTouchpoint] = field(default_factory=dict)

    def positions(self, records: Collection[int]) -> frozenset[int]:
        """Return the positions of the items whose records are these, counted in the order of `records`."""
        items = [*self.records]
        return frozenset(items[at] for at in records)


@dataclass(kw_only=True)
class TouchpointIntake:
    """Processes intake requests, many at once if need be."""

    publisher: RecordPublisher
    dead_letters: DeadLetterWriter
    limits: ItemLimits
    rules: AcceptanceRules
    key_secret: bytes
    rates: RateLimiter
    clocks: DeviceClocks
    sentiment: SentimentFiller
    screen: PrivacyScreen
    duplicates: DuplicateMemory
    logbook: Logbook
    metrics: IngestMetrics
    clock: Clock
    tracing: SpanRecorder = NO_TRACING

    def __post_init__(self) -> None:
        self._counter = CachedCounter(self.metrics.touchpoints)
        self._failing = False

    async def take(self, request: IntakeRequest, *, dry_run: bool = False) -> list[ItemResult]:
        """Return one result for each item of `request`, in order; raises `RequestRefusedError` beyond a rate limit.

        A dry run only decides: nothing is written, remembered or counted, except for rate limits.
        """
        self.rates.take_touchpoints(request.source, len(request.items))
        with self.tracing.span("accept touchpoints", SpanRole.SERVER, request.traceparent) as span:
            trace = span.traceparent or records.traceparent(request.traceparent, new_trace_id)
            plan, decided_bytes = _Plan(), 0
            for item in request.items:
                if isinstance(item, ItemResult):  # its wire form rejected it
                    plan.results.append(item)
                    continue
                plan.results.append(self._decide(request, plan, item, trace))
                decided_bytes += len(item)
                if decided_bytes > _PAUSE_EVERY_BYTES:
                    decided_bytes = 0
                    await asyncio.sleep(0)
            if dry_run:
                return plan.results
            await self._hear_model(plan, trace)
            rejected = self.dead_letters.keepable(request, plan.results)
            if rejected:
                writing = self.dead_letters.write(request, plan.results, rejected, trace)
                failed, _ = await asyncio.gather(self._publish(plan, trace), writing)
            else:
                failed = await self._publish(plan, trace)
            self._conclude(request.source.name, plan, failed)
            self.logbook.record_results(request.source.name, self.clock.now(), plan.results, plan.records, rejected)
            return plan.results

    def _decide(self, request: IntakeRequest, plan: _Plan, item: bytes, trace: str) -> ItemResult:
        """Return the result that the next item of `plan` will have, and schedule its record if it is accepted."""
        found = document.read_item(item, self.limits)
        if isinstance(found, ItemResult):
            return found
        if request.carries_key:
            found.pop("writeKey", None)
        source, now = request.source, self.clock.now()
        undated = len(plan.results) in request.untimed and "occurred_at" not in found
        if undated:
            found["occurred_at"] = now.isoformat()
        composed = normalisation.is_composed(item)
        read = contract.read(found, source.defaults, composed=composed, shallow=True)
        repairs: tuple[MemberRepair, ...] = ()
        if isinstance(read, ItemResult) and request.allows_repairs:
            read, repairs = repair.read_again(found, read, source.defaults, composed=composed)
        if isinstance(read, ItemResult):
            return read
        timed = self._time(read, source, now, undated=undated)
        decided = acceptance.accept(read, source, timed, now, self.rules)
        if isinstance(decided, AcceptedTouchpoint):
            decided = self._treat(plan, decided)
        if isinstance(decided, ItemResult):
            return decided
        result = ItemResult(outcome=ItemOutcome.ACCEPTED, id=read.id, dropped=decided.dropped, repairs=repairs)
        return self._schedule(request, plan, decided, result, item, trace)

    def _treat(self, plan: _Plan, accepted: AcceptedTouchpoint) -> AcceptedTouchpoint | ItemResult:
        """Return what may be published of the next item of `plan`, with what the word lists say of its text."""
        published = self.screen.screen(self.sentiment.fill(accepted))
        if isinstance(published, AcceptedTouchpoint) and self.sentiment.asks_about(accepted, published):
            plan.unread[len(plan.results)] = published
        return published

    async def _hear_model(self, plan: _Plan, trace: str) -> None:
        """Have a model of the house read the texts that it may, and put its word into their records."""
        asked = {at: one for at, one in plan.unread.items() if at in plan.records}
        if not asked:
            return
        told = await self.sentiment.ask(one.touchpoint.text or "" for one in asked.values())
        for at, one in asked.items():
            if (text := one.touchpoint.text or "") in told:
                plan.records[at] = records.touchpoint_record(
                    self.sentiment.heard(one, told[text]), self.key_secret, trace
                )

    def _time(self, posted: PostedTouchpoint, source: Source, now: datetime, *, undated: bool) -> TouchpointTime:
        """Return when a touchpoint happened, by what is known of the clock that it was dated by."""
        timed = time_of_receipt(now) if undated else self.clocks.time(posted, source.name, source.clock, now)
        if timed.quality is not None:
            self.metrics.times.labels(str(timed.quality)).inc()
        return timed

    def _schedule(
        self,
        request: IntakeRequest,
        plan: _Plan,
        accepted: AcceptedTouchpoint,
        result: ItemResult,
        item: bytes,
        trace: str,
    ) -> ItemResult:
        """Put the record of an accepted touchpoint into `plan`, unless it is a duplicate; return its result."""
        at, found, digest = len(plan.results), accepted.touchpoint, payload_digest(item)
        if self.duplicates.holds(request.source.name, found.id, digest):
            return msgspec.structs.replace(result, outcome=ItemOutcome.DUPLICATE)
        first_digest, first = plan.digests.setdefault(found.id, (digest, at))
        if first != at and first_digest == digest:
            plan.repeats[at] = first
            return msgspec.structs.replace(result, outcome=ItemOutcome.DUPLICATE)
        plan.records[at] = records.touchpoint_record(accepted, self.key_secret, trace)
        if not found.replay:
            self.metrics.received_age_seconds.observe((found.received_at - found.occurred_at).total_seconds())
        return result

    async def _publish(self, plan: _Plan, trace: str) -> frozenset[int]:
        """Write the records of `plan`; return the positions of the items that Kafka did not acknowledge."""
        if not plan.records:
            return frozenset()
        try:
            with self._measured(trace):
                await self.publisher.publish([*plan.records.values()])
        except PublishError as error:
            self.metrics.publish_failures.inc()
            if not self._failing:  # once an outage, not once a request
                _log.warning("touchpoints not acknowledged", reason=error.reason, count=len(error.failed))
            self._failing = True
            return plan.positions(error.failed)
        if self._failing:
            _log.info("touchpoints acknowledged again")
            self._failing = False
        return frozenset()

    @contextmanager
    def _measured(self, trace: str) -> Iterator[None]:
        """Measure how long Kafka takes to acknowledge or to fail, with a span of it."""
        started = self.clock.monotonic()
        try:
            with self.tracing.span("publish touchpoints", SpanRole.PRODUCER, trace):
                yield
        finally:
            exemplar = trace_id(trace) if self.tracing.on else None
            self.metrics.publish_seconds.observe(self.clock.monotonic() - started, exemplar)

    def _conclude(self, source: str, plan: _Plan, failed: frozenset[int]) -> None:
        """Make what was not acknowledged unavailable, remember what was, and count all results."""
        for at in failed:
            plan.results[at] = ItemResult(
                outcome=ItemOutcome.UNAVAILABLE, id=plan.results[at].id, reason=UnavailabilityReason.NOT_ACKNOWLEDGED
            )
        for id_, (digest, at) in plan.digests.items():
            if at not in failed:
                self.duplicates.remember(source, id_, digest)
        for at, earlier in plan.repeats.items():
            if earlier in failed:
                plan.results[at] = plan.results[earlier]
        self._count(plan.results)

    def _count(self, results: list[ItemResult]) -> None:
        plain = [result.outcome for result in results if result.reason is None]
        for outcome in OUTCOMES:
            if count := plain.count(outcome):
                self._counter.add((outcome, ""), count)
        for result in results:
            if result.reason is not None:
                self._counter.add((result.outcome, result.reason), 1)
            for dropped in result.dropped:
                self.metrics.identifiers_dropped.labels(str(dropped.reason)).inc()
