"""Decides about the touchpoints of one request, publishes the accepted ones, and returns one result for each item.

A touchpoint is *accepted* only after Kafka has acknowledged it. One that was not acknowledged is *unavailable*, and the
producer sends the same id again. Rejected ones go to `touchpoints-rejected` with their bytes: best effort, bounded in
time, and losses are counted. Leaves HTTP to `services.ingest.forms.native.post_touchpoints`.
"""

import asyncio
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import msgspec

from schemas.documents.dead_letter import DeadLetterError
from schemas.languages import Language
from services.ingest.inspector.logbook import Logbook
from services.ingest.inspector.other_replicas import MAPPED_HEADER, REPLICA_HEADER
from services.ingest.metrics import CachedCounter, IngestMetrics
from services.ingest.privacy.screen import PrivacyScreen
from services.ingest.protection.rate_limits import RateLimiter
from services.ingest.publish import records
from services.ingest.publish.duplicates import DuplicateMemory, payload_digest
from services.ingest.reasons import OUTCOMES, ItemOutcome, TouchpointRejection, UnavailabilityReason
from services.ingest.results.item_result import ItemResult, reject, reject_fields, reject_unreadable
from services.ingest.results.messages import say
from services.ingest.sources.source import Source
from services.ingest.timing import touchpoint_time
from services.ingest.timing.device_clocks import DeviceClocks
from services.ingest.timing.touchpoint_time import TouchpointTime
from services.ingest.touchpoint import acceptance, contract, document, normalisation, repair
from services.ingest.touchpoint.acceptance import (
    AcceptanceRules,
    AcceptedTouchpoint,
    RejectedTouchpoint,
    TouchpointArrival,
)
from services.ingest.touchpoint.document import ItemLimits, UnreadableItem
from services.ingest.touchpoint.repair import MemberRepair
from services.runtime.clock import Clock, new_trace_id
from services.runtime.kafka.producer import PublishError, RecordPublisher
from services.runtime.kafka.record import ProducerRecord
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

_PAUSE_EVERY_BYTES = 128 * 1024
"""After deciding about so many bytes others get their turn: about 5 ms of work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeRules:
    """The settings of the intake."""

    limits: ItemLimits
    policy: AcceptanceRules
    key_secret: bytes
    dead_letter_timeout_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class IntakeDependencies:
    """The parts that the intake shares with the rest of the process."""

    metrics: IngestMetrics
    clock: Clock
    new_id: Callable[[], UUID]
    rates: RateLimiter
    logbook: Logbook
    replica: str = ""
    clocks: DeviceClocks
    screen: PrivacyScreen


class IntakeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The touchpoints of one request, and their source.

    An item is the JSON of a native touchpoint, or the result of a wire form that could not make one. `originals` are
    the bytes as sent, one for each item, if a wire form mapped them; dead letters carry these.
    """

    items: Sequence[bytes | ItemResult]
    source: Source
    originals: Sequence[bytes] | None = None
    traceparent: str = ""
    carries_key: bool = False
    """Whether a bare touchpoint has `writeKey` beside its own members."""
    untimed: Container[int] = frozenset()
    """Positions of items that happened when they came if they say no `occurred_at`: their producers need not say it."""

    allows_repairs: bool = False
    """Whether invalid optional members are repaired and reported: the producers of this wire form do not read
    responses."""

    dry_run: bool = False
    """Whether only the results are wanted: nothing is written, remembered or counted, except for rate limits."""

    def original(self, at: int) -> bytes:
        """Return the bytes that were sent for the item at `at`; a key among them is left out."""
        item = self.items[at] if self.originals is None else self.originals[at]
        if isinstance(item, ItemResult):
            return b""
        return document.without_key(item) if self.carries_key else item


@dataclass(slots=True)
class _Plan:
    """What is to be published for one request. Positions are those of the items."""

    results: list[ItemResult | None]
    records: list[ProducerRecord]
    positions: list[int]
    digests: dict[str, tuple[bytes, int]]
    repeats: list[tuple[int, int]]
    rejected: dict[int, bytes] = field(default_factory=dict)
    """What may be kept of the bytes that were sent."""


class TouchpointIntake:
    """Processes intake requests, many at once if need be."""

    def __init__(
        self,
        publisher: RecordPublisher,
        rules: IntakeRules,
        duplicates: DuplicateMemory,
        dependencies: IntakeDependencies,
    ) -> None:
        self._publisher = publisher
        self._rules = rules
        self._duplicates = duplicates
        self._rates = dependencies.rates
        self._logbook = dependencies.logbook
        self._letter_headers = {REPLICA_HEADER: dependencies.replica} if dependencies.replica else {}
        self._clocks = dependencies.clocks
        self._screen = dependencies.screen
        self._metrics = dependencies.metrics
        self._clock = dependencies.clock
        self._new_id = dependencies.new_id
        self._failing = False
        self._counter = CachedCounter(dependencies.metrics.touchpoints)

    async def take(self, request: IntakeRequest) -> list[ItemResult]:
        """Return one result for each item of `request`, in order; raises `RequestRefusedError` beyond a rate limit."""
        self._rates.take_touchpoints(request.source, len(request.items))
        trace = records.traceparent(request.traceparent, new_trace_id)
        plan = await self._decide(request, trace)
        if request.dry_run:
            return _dry_run_results(plan)
        letters = self._dead_letters(request, plan, trace)
        if letters:
            failed, _ = await asyncio.gather(self._publish(plan), self._publish_dead_letters(letters, request.source))
        else:
            failed = await self._publish(plan)
        return self._finish(request, plan, failed)

    async def _decide(self, request: IntakeRequest, trace: str) -> _Plan:
        plan = _Plan([None] * len(request.items), [], [], {}, [])
        decided_bytes = 0
        for at, item in enumerate(request.items):
            if isinstance(item, ItemResult):
                plan.results[at] = item
                continue
            self._decide_one(request, at, item, plan, trace)
            decided_bytes += len(item)
            if decided_bytes > _PAUSE_EVERY_BYTES:
                decided_bytes = 0
                await asyncio.sleep(0)
        return plan

    def _decide_one(self, request: IntakeRequest, at: int, item: bytes, plan: _Plan, trace: str) -> None:
        decision, repairs = self._decision(request, at, item)
        if isinstance(decision, ItemResult):
            plan.results[at] = decision
            return
        id_, digest = decision.touchpoint.id, payload_digest(item)
        if self._duplicates.holds(request.source.name, id_, digest):
            plan.results[at] = ItemResult(
                outcome=ItemOutcome.DUPLICATE, id=id_, dropped=decision.dropped, repairs=repairs
            )
            return
        earlier = plan.digests.setdefault(id_, (digest, at))
        if earlier != (digest, at) and earlier[0] == digest:
            plan.repeats.append((at, earlier[1]))
            return
        plan.results[at] = ItemResult(outcome=ItemOutcome.ACCEPTED, id=id_, dropped=decision.dropped, repairs=repairs)
        plan.records.append(records.touchpoint_record(decision, self._rules.key_secret, trace))
        plan.positions.append(at)
        if not decision.touchpoint.replay:
            age = decision.touchpoint.received_at - decision.touchpoint.occurred_at
            self._metrics.received_age_seconds.observe(age.total_seconds())

    def _decision(
        self, request: IntakeRequest, at: int, item: bytes
    ) -> tuple[AcceptedTouchpoint | ItemResult, tuple[MemberRepair, ...]]:
        found = document.read_item(item, self._rules.limits)
        if isinstance(found, UnreadableItem):
            return reject_unreadable(found), ()
        if request.carries_key:
            found.pop("writeKey", None)
        now = self._clock.now()
        timed: TouchpointTime | None = None
        if at in request.untimed and "occurred_at" not in found:
            found["occurred_at"] = now.isoformat()
            timed = touchpoint_time.time_of_receipt(now)
        id_ = found.get("id")
        known_id = id_ if isinstance(id_, str) else None
        composed = normalisation.is_composed(item)
        defaults = request.source.defaults
        read = contract.read(found, defaults, composed=composed, shallow=True)
        repairs: tuple[MemberRepair, ...] = ()
        if isinstance(read, list) and request.allows_repairs:
            repairs = repair.repair_members(found, read)
            read = contract.read(found, defaults, composed=composed, shallow=True) if repairs else read
        if isinstance(read, list):
            return reject_fields(known_id, read), ()
        source = request.source
        timed = timed or self._clocks.time(read, source.name, source.clock, now)
        if timed.quality is not None:
            self._metrics.times.labels(str(timed.quality)).inc()
        decided = acceptance.accept(read, source, TouchpointArrival(at=now, timed=timed), self._rules.policy)
        if not self._screen.open and isinstance(decided, AcceptedTouchpoint):
            decided = self._screen.screen(decided)
        return (reject(read.id, decided) if isinstance(decided, RejectedTouchpoint) else decided), repairs

    async def _publish(self, plan: _Plan) -> frozenset[int]:
        """Return the positions of the items that Kafka did not acknowledge."""
        if not plan.records:
            return frozenset()
        started = self._clock.monotonic()
        try:
            await self._publisher.publish(plan.records)
        except PublishError as error:
            self._metrics.publish_failures.inc()
            if not self._failing:  # once an outage, not once a request
                _log.warning("touchpoints not acknowledged", reason=error.reason, count=len(error.failed))
            self._failing = True
            return frozenset(plan.positions[at] for at in error.failed)
        finally:
            self._metrics.publish_seconds.observe(self._clock.monotonic() - started)
        if self._failing:
            _log.info("touchpoints acknowledged again")
            self._failing = False
        return frozenset()

    async def _publish_dead_letters(self, letters: list[ProducerRecord], source: Source) -> None:
        lost = 0
        try:
            async with asyncio.timeout(self._rules.dead_letter_timeout_s):
                await self._publisher.publish(letters)
        except PublishError as error:
            lost = len(error.failed)
        except TimeoutError:
            lost = len(letters)
        if lost:
            _log.debug("dead letters lost", source=source.name, count=lost)
            self._metrics.dead_letters.labels("lost").inc(lost)
        self._metrics.dead_letters.labels("written").inc(len(letters) - lost)

    def _dead_letters(self, request: IntakeRequest, plan: _Plan, trace: str) -> list[ProducerRecord]:
        refused = [
            (at, result)
            for at, result in enumerate(plan.results)
            if result is not None and result.outcome is ItemOutcome.REJECTED
        ]
        if not refused:
            return []
        name = request.source.name
        mapped = {MAPPED_HEADER: "true"} if request.originals is not None else {}
        plan.rejected = {at: self._screen.keepable_bytes(request.original(at), one.reason, name) for at, one in refused}
        return [
            records.dead_letter_record(
                id_=self._new_id().hex,
                item=plan.rejected[at],
                source=name,
                code=str(result.reason),
                errors=_errors(result),
                now=self._clock.now(),
                headers={"traceparent": trace, **self._letter_headers, **mapped},
                trace=trace,
            )
            for at, result in refused
        ]

    def _finish(self, request: IntakeRequest, plan: _Plan, failed: frozenset[int]) -> list[ItemResult]:
        for at in failed:
            plan.results[at] = self._unavailable(plan.results[at])
        for id_, (digest, at) in plan.digests.items():
            if at not in failed:
                self._duplicates.remember(request.source.name, id_, digest)
        for at, earlier in plan.repeats:
            first = plan.results[earlier]
            assert first is not None  # noqa: S101  an earlier item with this id was planned, so it has its result
            again = ItemResult(outcome=ItemOutcome.DUPLICATE, id=first.id, dropped=first.dropped, repairs=first.repairs)
            plan.results[at] = first if earlier in failed else again
        results = [result for result in plan.results if result is not None]
        self._count(results)
        self._logbook.record_results(
            request.source.name,
            self._clock.now(),
            results,
            dict(zip(plan.positions, plan.records, strict=True)),
            plan.rejected,
        )
        return results

    def _unavailable(self, result: ItemResult | None) -> ItemResult:
        return ItemResult(
            outcome=ItemOutcome.UNAVAILABLE,
            id=result.id if result is not None else None,
            reason=UnavailabilityReason.NOT_ACKNOWLEDGED,
        )

    def _count(self, results: list[ItemResult]) -> None:
        plain = [result.outcome for result in results if result.reason is None]
        for outcome in OUTCOMES:
            if count := plain.count(outcome):
                self._counter.add((outcome, ""), count)
        for result in results:
            if result.reason is not None:
                self._counter.add((result.outcome, result.reason), 1)
            for dropped in result.dropped:
                self._metrics.identifiers_dropped.labels(str(dropped.reason)).inc()


def _dry_run_results(plan: _Plan) -> list[ItemResult]:
    for at, earlier in plan.repeats:
        first = plan.results[earlier]
        plan.results[at] = ItemResult(outcome=ItemOutcome.DUPLICATE, id=first.id if first is not None else None)
    return [result for result in plan.results if result is not None]


def _errors(result: ItemResult) -> tuple[DeadLetterError, ...]:
    if result.errors:
        return tuple(DeadLetterError(path=e.path, code=str(e.code), message=e.message) for e in result.errors)
    assert isinstance(result.reason, TouchpointRejection)  # noqa: S101  only rejected touchpoints come here
    sentence = say(result.reason, Language.EN, **result.facts)
    return (DeadLetterError(path=result.field, code=str(result.reason), message=sentence),)
