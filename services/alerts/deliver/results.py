"""Writes what attempts came to, many at a time: results under their fences, and what they do to their endpoints.

Results that land while a batch is being written form the next one, so a batch is as large as the load is high. A result
that cannot be written in time is given up: its lease runs out, and the delivery is sent again.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from services.alerts.deliver import delivery_store
from services.alerts.deliver.delivery_store import Due, Settled
from services.alerts.deliver.endpoint_health import Standing
from services.alerts.deliver.retry import Outcome, Turn, Verdict, judge, next_try
from services.alerts.deliver.webhook.sender import Sent
from services.alerts.failpoints import Failpoint, Failpoints
from services.alerts.metrics import DeliveryMetrics
from services.runtime.clock import Clock
from services.runtime.logs import get_logger
from services.runtime.postgres import Connection, Pool, acquire, is_transient, retrying

_log = get_logger(__name__)

SETTLE_WITHIN_S = 20.0
"""Seconds that a result is worth writing: the lease is longer than this and the 15 s of a try together."""

AT_ONCE = 200
GATHER_S = 0.002
"""A result waits so long for others: one statement and one commit for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """An attempt that is over: what it came to, and when."""

    due: Due
    sent: Sent
    verdict: Verdict
    at: datetime


@dataclass(slots=True, kw_only=True)
class Settling:
    """Runs until cancelled. `done` hears of every result that was written or given up; `jitter` gives 0 to 1."""

    pool: Pool
    clock: Clock
    standing: Standing
    metrics: DeliveryMetrics
    failpoints: Failpoints
    jitter: Callable[[], float]
    done: Callable[[Sequence[Due]], None]
    _landed: asyncio.Queue[Landed] = field(default_factory=asyncio.Queue, init=False)

    def land(self, due: Due, sent: Sent) -> None:
        """Hand a result over."""
        landed = Landed(due=due, sent=sent, verdict=judge(sent.answer), at=self.clock.now())
        self._landed.put_nowait(landed)

    async def run(self) -> None:
        """Write what lands, for ever."""
        while True:
            batch = [await self._landed.get()]
            await asyncio.sleep(GATHER_S)
            while len(batch) < AT_ONCE and not self._landed.empty():
                batch.append(self._landed.get_nowait())
            await self._settle(batch)
            self.done([one.due for one in batch])

    async def _settle(self, batch: Sequence[Landed]) -> None:
        results = [_settled(one, jitter=self.jitter()) for one in batch]
        try:
            counted, turns = await retrying(lambda: self._write(batch, results), within_s=SETTLE_WITHIN_S)
        except Exception as error:
            if not is_transient(error):
                raise
            _log.warning("results not written", count=len(batch), reason=type(error).__name__)
            return
        await self.failpoints.reached(Failpoint.RESULTS_WRITTEN)
        for one in batch:
            self._tell(one, counted=one.due.id in counted, turn=turns.get(one.due.id, Turn.UNCHANGED))

    async def _write(self, batch: Sequence[Landed], results: Sequence[Settled]) -> tuple[set[str], Mapping[str, Turn]]:
        """Write results and what they do to endpoints: together, but for successes that only confirm health."""
        async with acquire(self.pool) as connection:
            touched = await self._touched(connection, batch)
            if not touched:
                return await delivery_store.settle(connection, results), {}
            async with connection.transaction():
                counted = await delivery_store.settle(connection, results)
                return counted, await self._to_endpoints(connection, touched, counted)

    async def _touched(self, connection: Connection, batch: Iterable[Landed]) -> Mapping[UUID, list[Landed]]:
        """The results by endpoint, without the endpoints to which they make no difference."""
        by_endpoint: dict[UUID, list[Landed]] = {}
        for one in batch:
            by_endpoint.setdefault(one.due.endpoint_id, []).append(one)
        smooth = [e for e, found in by_endpoint.items() if all(o.verdict.outcome is Outcome.DELIVERED for o in found)]
        well = await self.standing.well(connection, smooth, self.clock.now())
        return {endpoint: found for endpoint, found in sorted(by_endpoint.items()) if endpoint not in well}

    async def _to_endpoints(
        self, connection: Connection, touched: Mapping[UUID, list[Landed]], counted: set[str]
    ) -> dict[str, Turn]:
        turns: dict[str, Turn] = {}
        for endpoint, found in touched.items():
            valid = [one for one in found if one.due.id in counted]
            if valid:
                verdicts = [one.verdict for one in valid]
                turned = await self.standing.after(connection, endpoint, verdicts, self.clock.now())
                turns |= {one.due.id: turn for one, turn in zip(valid, turned, strict=True)}
        return turns

    def _tell(self, one: Landed, *, counted: bool, turn: Turn) -> None:
        """Count and log a result."""
        due, sent, verdict = one.due, one.sent, one.verdict
        self.metrics.attempts.labels(verdict.outcome).inc()
        self.metrics.attempt_seconds.labels(due.kind).observe(sent.seconds)
        if not counted:
            self.metrics.late_results.inc()
        if verdict.outcome is not Outcome.DELIVERED:
            self.metrics.failures.labels(verdict.failure).inc()
        elif due.revised_at is not None:
            self.metrics.push_latency.observe(max(0.0, (one.at - due.revised_at).total_seconds()))
        _log.info(
            "webhook attempted",
            delivery=due.id,
            endpoint=str(due.endpoint_id),
            type=due.type,
            attempt=due.attempt,
            outcome=verdict.outcome,
            reason=verdict.failure,
            status=sent.answer.status,
            seconds=round(sent.seconds, 3),
            turn=turn,
        )


def _settled(one: Landed, *, jitter: float) -> Settled:
    due, verdict, now = one.due, one.verdict, one.at
    state, step, next_at = "delivered", due.step, now
    if verdict.outcome is Outcome.GONE:
        state = "pending"  # the endpoint is disabled: parked until somebody enables it
    elif verdict.outcome is not Outcome.DELIVERED:
        following = next_try(due.step, verdict, age=now - due.created_at, now=now, jitter=jitter)
        state = "exhausted" if following.at is None else "pending"
        step, next_at = following.step, following.at or now
    return Settled(
        delivery_id=due.id,
        attempt=due.attempt,
        at=now,
        state=state,
        step=step,
        next_at=next_at,
        outcome=verdict.outcome,
        reason=one.sent.refusal or verdict.failure,
        status=one.sent.answer.status,
        seconds=one.sent.seconds,
        excerpt=one.sent.excerpt,
    )
