"""Writes the results of attempts in batches, each under the fence of its attempt, with their effect on endpoints.

Results that arrive while a batch is written form the next batch, so batches grow with the load. A result that cannot be
written in time is given up: its lease runs out and the delivery is sent again. The effect on an endpoint is left to
`endpoint_health`.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.alerts.deliver import delivery_store, reference_store
from services.alerts.deliver.carrier import CarriedMessage
from services.alerts.deliver.delivery_store import DeliveryResult, LeasedDelivery
from services.alerts.deliver.endpoint_health import HealthRecorder
from services.alerts.deliver.notifiers.notifier import ReferenceChange
from services.alerts.deliver.reference_store import IssueReference
from services.alerts.deliver.retry import AttemptOutcome, AttemptVerdict, HealthChange, next_attempt
from services.alerts.failpoints import AlertsFailpoint, AlertsFailpoints
from services.alerts.metrics import DeliveryMetrics
from services.runtime.clock import Clock
from services.runtime.postgres.pools import Connection, Pool, acquire, retrying
from services.runtime.process.outages import tolerated
from services.runtime.telemetry.logs import get_logger
from services.runtime.telemetry.tracing import trace_id

_log = get_logger(__name__)

WRITE_WITHIN_S = 20.0
"""Seconds after which writing a result is given up; a lease lasts longer than this and the 15 s of an attempt."""

AT_ONCE = 200
GATHER_S = 0.002
"""Seconds that a result waits for others, so that they share one statement and one commit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedAttempt:
    """An attempt that is over: its result with the verdict on it, and when it ended."""

    delivery: LeasedDelivery
    carried: CarriedMessage
    at: datetime

    @property
    def verdict(self) -> AttemptVerdict:
        """The verdict on the attempt."""
        return self.carried.verdict

    @property
    def reference(self) -> IssueReference | None:
        """The change of what the endpoint calls the issue; None if there is none."""
        delivery, change = self.delivery, self.carried.change
        if delivery.issue_id is None or change is ReferenceChange.KEEP:
            return None
        reference = self.carried.reference if change is ReferenceChange.SET else None
        return IssueReference(endpoint_id=delivery.endpoint_id, issue_id=delivery.issue_id, reference=reference)


@dataclass(slots=True, kw_only=True)
class ResultWriter:
    """Writes results until it is cancelled.

    `done` is called with the deliveries whose result was written or given up; `jitter` returns numbers from 0 to 1.
    """

    pool: Pool
    clock: Clock
    health: HealthRecorder
    metrics: DeliveryMetrics
    failpoints: AlertsFailpoints
    jitter: Callable[[], float]
    done: Callable[[Sequence[LeasedDelivery]], None]
    _waiting: asyncio.Queue[FinishedAttempt] = field(default_factory=asyncio.Queue, init=False)

    def add(self, delivery: LeasedDelivery, carried: CarriedMessage) -> None:
        """Take the result of an attempt; `run` writes it."""
        self._waiting.put_nowait(FinishedAttempt(delivery=delivery, carried=carried, at=self.clock.now()))

    async def run(self) -> None:
        """Write results as they arrive, until cancelled."""
        while True:
            batch = [await self._waiting.get()]
            await asyncio.sleep(GATHER_S)
            while len(batch) < AT_ONCE and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            await self._write_or_give_up(batch)
            self.done([one.delivery for one in batch])

    async def _write_or_give_up(self, batch: Sequence[FinishedAttempt]) -> None:
        results = [result_of(one, jitter=self.jitter()) for one in batch]
        with tolerated(_log, "results not written", count=len(batch)) as outage:
            counted, changes = await retrying(lambda: self._write(batch, results), within_s=WRITE_WITHIN_S)
        if outage:
            return
        await self.failpoints.reached(AlertsFailpoint.RESULTS_WRITTEN)
        for one in batch:
            change = changes.get(one.delivery.id, HealthChange.UNCHANGED)
            self._report(one, counted=one.delivery.id in counted, change=change)

    async def _write(
        self, batch: Sequence[FinishedAttempt], results: Sequence[DeliveryResult]
    ) -> tuple[set[str], Mapping[str, HealthChange]]:
        """Write results and their effect on endpoints in one transaction; most successes have no such effect."""
        async with acquire(self.pool) as connection:
            touched = await self._touched(connection, batch)
            if not touched and all(one.reference is None for one in batch):
                return await delivery_store.write_results(connection, results), {}
            async with connection.transaction():
                counted = await delivery_store.write_results(connection, results)
                known = [one.reference for one in batch if one.delivery.id in counted]
                if changes := [reference for reference in known if reference is not None]:
                    await reference_store.write(connection, changes, self.clock.now())
                return counted, await self._record_health(connection, touched, counted)

    async def _touched(
        self, connection: Connection, batch: Iterable[FinishedAttempt]
    ) -> Mapping[UUID, list[FinishedAttempt]]:
        """Group results by endpoint and leave out endpoints whose health they do not change."""
        by_endpoint: dict[UUID, list[FinishedAttempt]] = {}
        for one in batch:
            by_endpoint.setdefault(one.delivery.endpoint_id, []).append(one)
        successful = [
            e for e, found in by_endpoint.items() if all(o.verdict.outcome is AttemptOutcome.DELIVERED for o in found)
        ]
        healthy = await self.health.unaffected(connection, successful, self.clock.now())
        return {endpoint: found for endpoint, found in sorted(by_endpoint.items()) if endpoint not in healthy}

    async def _record_health(
        self, connection: Connection, touched: Mapping[UUID, list[FinishedAttempt]], counted: set[str]
    ) -> dict[str, HealthChange]:
        changes: dict[str, HealthChange] = {}
        for endpoint, found in touched.items():
            valid = [one for one in found if one.delivery.id in counted]
            if valid:
                verdicts = [one.verdict for one in valid]
                recorded = await self.health.record(connection, endpoint, verdicts, self.clock.now())
                changes |= {one.delivery.id: change for one, change in zip(valid, recorded, strict=True)}
        return changes

    def _report(self, one: FinishedAttempt, *, counted: bool, change: HealthChange) -> None:
        """Count and log a result."""
        delivery, sent, verdict = one.delivery, one.carried.sent, one.verdict
        self.metrics.attempts.labels(verdict.outcome).inc()
        self.metrics.attempt_seconds.labels(delivery.kind).observe(sent.seconds)
        if not counted:
            self.metrics.late_results.inc()
        if verdict.outcome is not AttemptOutcome.DELIVERED:
            self.metrics.failures.labels(verdict.failure).inc()
        elif delivery.revised_at is not None:
            trace = trace_id(delivery.trace)
            exemplar = None if trace is None else {"trace_id": trace}
            self.metrics.push_latency.observe(max(0.0, (one.at - delivery.revised_at).total_seconds()), exemplar)
        _log.info(
            "webhook attempted",
            delivery=delivery.id,
            endpoint=str(delivery.endpoint_id),
            type=delivery.type,
            attempt=delivery.attempt,
            outcome=verdict.outcome,
            reason=verdict.failure,
            status=sent.answer.status,
            seconds=round(sent.seconds, 3),
            health=change,
        )


def result_of(one: FinishedAttempt, *, jitter: float) -> DeliveryResult:
    """Return what to write about an attempt: whether its delivery is over, and when it is tried again."""
    delivery, verdict, sent, now = one.delivery, one.verdict, one.carried.sent, one.at
    state, step, next_at = "delivered", delivery.step, now
    if verdict.outcome is AttemptOutcome.REFUSED:
        state = "exhausted"
    elif verdict.outcome is AttemptOutcome.GONE:
        state = "pending"  # the endpoint is disabled: parked until somebody enables it
    elif verdict.outcome is not AttemptOutcome.DELIVERED:
        retry = next_attempt(delivery.step, verdict, age=now - delivery.created_at, now=now, jitter=jitter)
        state = "exhausted" if retry.at is None else "pending"
        step, next_at = retry.step, retry.at or now
    return DeliveryResult(
        delivery_id=delivery.id,
        attempt=delivery.attempt,
        at=now,
        state=state,
        step=step,
        next_at=next_at,
        outcome=verdict.outcome,
        reason=sent.refusal or verdict.failure,
        status=sent.answer.status,
        seconds=sent.seconds,
        excerpt=sent.excerpt,
    )
