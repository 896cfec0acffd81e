"""Sends what is due: claims deliveries by lease, carries each out, writes the result under its fence.

Any number of replicas share the work. HTTP happens outside any transaction. A process that dies between a receiver's
2xx and the result leaves a lease behind; after it runs out the delivery is sent once more, under the same `webhook-id`.
Leaves what answers mean to `domain.retry`, the sending itself to `sender`.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.alerts.domain.retry import Answer, Failure, Outcome, Turn, Verdict, judge, next_try
from services.alerts.metrics import DeliveryMetrics
from services.alerts.sender import Sender, Sent
from services.alerts.signing import MissingMasterKeyError, Signer
from services.alerts.standing import Standing
from services.alerts.stores import deliveries, secrets
from services.alerts.stores.deliveries import Due, Settled
from services.alerts.stores.wakeups import Wakeups
from services.runtime.clock import Clock
from services.runtime.logs import get_logger
from services.runtime.postgres import Pool, acquire, is_transient, retrying
from services.runtime.tasks import TaskOwner

_log = get_logger(__name__)

SETTLE_WITHIN_S = 20.0
"""Seconds that a result is worth writing: the lease is longer than this and the 15 s of a try together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatcherSettings:
    """What the dispatcher needs to know."""

    owner: str
    lease: timedelta
    in_flight: int
    poll_s: float


@dataclass(slots=True, kw_only=True)
class Dispatcher:
    """Runs until told to drain. `jitter` gives numbers from 0 to 1; `tasks` owns the webhooks under way."""

    settings: DispatcherSettings
    pool: Pool
    clock: Clock
    sender: Sender
    signer: Signer
    standing: Standing
    wakeups: Wakeups
    metrics: DeliveryMetrics
    jitter: Callable[[], float]
    tasks: TaskOwner
    _flying: set[str] = field(default_factory=set, init=False)
    _draining: bool = field(default=False, init=False)
    _landed: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    async def run(self) -> None:
        """Claim and send until `drain`."""
        while not self._draining:
            taken = await self._take()
            if not taken:
                await self.wakeups.wait(deliveries.WAKE, self.settings.poll_s)

    async def drain(self, within_s: float) -> None:
        """Claim no more, and wait for what is under way; what does not end in time is sent again after its lease."""
        self._draining = True
        self.wakeups.wake(deliveries.WAKE)
        try:
            async with asyncio.timeout(within_s):
                while self._flying:
                    self._landed.clear()
                    await self._landed.wait()
        except TimeoutError:
            _log.warning("webhooks left under way", count=len(self._flying))

    async def _take(self) -> int:
        """Start what is due, as far as there is room; return how much that was."""
        room = self.settings.in_flight - len(self._flying)
        if room <= 0 or not self.wakeups.alive:
            return 0
        try:
            async with acquire(self.pool) as connection:
                taken = await deliveries.claim(
                    connection,
                    owner=self.settings.owner,
                    limit=room,
                    now=self.clock.now(),
                    lease=self.settings.lease,
                )
        except Exception as error:
            if not is_transient(error):
                raise
            _log.warning("deliveries not claimed", reason=type(error).__name__)
            return 0
        for due in taken:
            self._start(due)
        return len(taken)

    def _start(self, due: Due) -> None:
        self._flying.add(due.id)
        self.metrics.in_flight.set(len(self._flying))
        self.tasks.start(f"webhook {due.id}", lambda: self._carry_out(due), may_end=True)

    async def _carry_out(self, due: Due) -> None:
        try:
            sent = await self._send(due)
            await self._record(due, sent)
        except Exception as error:
            if not is_transient(error):
                raise
            _log.warning("result not written", delivery=due.id, attempt=due.attempt, reason=type(error).__name__)
        finally:
            self._flying.discard(due.id)
            self.metrics.in_flight.set(len(self._flying))
            self._landed.set()
            self.wakeups.wake(deliveries.WAKE)

    async def _send(self, due: Due) -> Sent:
        now = self.clock.now()
        async with acquire(self.pool) as connection:
            signing = await secrets.of_endpoint(connection, due.endpoint_id, now)
        try:
            headers = self.signer.headers(due.id, due.body, signing, now)
        except MissingMasterKeyError as error:
            _log.error("secret cannot be made", endpoint=str(due.endpoint_id), master_key=str(error))
            return Sent(answer=Answer(failure=Failure.SIGNING), seconds=0.0)
        return await self.sender.send(due.url, due.body, headers)

    async def _record(self, due: Due, sent: Sent) -> None:
        now = self.clock.now()
        verdict = judge(sent.answer)
        settled = _settled(due, sent, verdict, now=now, jitter=self.jitter())
        counted, turn = await retrying(lambda: self._write(due, settled, verdict, now), within_s=SETTLE_WITHIN_S)
        self._count(due, sent, verdict, now, counted=counted)
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

    async def _write(self, due: Due, settled: Settled, verdict: Verdict, now: datetime) -> tuple[bool, Turn]:
        """Write the result and what it does to the endpoint: together, but for a success that only confirms health."""
        async with acquire(self.pool) as connection:
            if verdict.outcome is Outcome.DELIVERED and await self.standing.is_well(connection, due.endpoint_id, now):
                return await deliveries.settle(connection, settled, now), Turn.UNCHANGED
            async with connection.transaction():
                counted = await deliveries.settle(connection, settled, now)
                turn = Turn.UNCHANGED
                if counted:
                    turn = await self.standing.after(connection, due.endpoint_id, verdict, now)
        return counted, turn

    def _count(self, due: Due, sent: Sent, verdict: Verdict, now: datetime, *, counted: bool) -> None:
        self.metrics.attempts.labels(verdict.outcome).inc()
        self.metrics.attempt_seconds.labels(due.kind).observe(sent.seconds)
        if not counted:
            self.metrics.late_results.inc()
        if verdict.outcome is not Outcome.DELIVERED:
            self.metrics.failures.labels(verdict.failure).inc()
        elif due.detected_at is not None:
            self.metrics.push_latency.observe(max(0.0, (now - due.detected_at).total_seconds()))


def _settled(due: Due, sent: Sent, verdict: Verdict, *, now: datetime, jitter: float) -> Settled:
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
        state=state,
        step=step,
        next_at=next_at,
        outcome=verdict.outcome,
        reason=sent.refusal or verdict.failure,
        status=sent.answer.status,
        seconds=sent.seconds,
        excerpt=sent.excerpt,
    )
