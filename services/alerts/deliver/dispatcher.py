"""Sends what is due: leases deliveries, carries each one out, and hands its result to `delivery_results`.

Any number of replicas share the work. HTTP requests are made outside any transaction. If a process dies between a
receiver's 2xx and the writing of the result, its lease stays behind; when the lease runs out, the delivery is sent once
more under the same `webhook-id`. The dispatcher leaves the request itself to `carrier`.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from services.alerts.deliver import carrier, delivery_store
from services.alerts.deliver.carrier import CarriedMessage, DeliveryAddress, MessageCarrier, Provision
from services.alerts.deliver.delivery_results import ResultWriter
from services.alerts.deliver.delivery_store import LeasedDelivery
from services.alerts.deliver.endpoint_health import HealthRecorder
from services.alerts.deliver.retry import AttemptOutcome
from services.alerts.failpoints import AlertsFailpoint, AlertsFailpoints
from services.alerts.metrics import DeliveryMetrics
from services.alerts.wakeups import Wakeups
from services.runtime.clock import Clock
from services.runtime.postgres.pools import Pool, acquire
from services.runtime.process.outages import tolerated
from services.runtime.process.tasks import TaskOwner
from services.runtime.telemetry.logs import get_logger
from services.runtime.telemetry.tracing import NO_TRACING, SpanRecorder, SpanRole

_log = get_logger(__name__)

GATHER_S = 0.002
"""Pause before deliveries are leased while others are in flight: it makes the batches fewer and larger."""

Provisions = Mapping[DeliveryAddress, Provision]


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatcherSettings:
    """Settings of the dispatcher, as values."""

    owner: str
    lease: timedelta
    in_flight: int
    poll_s: float


class _Way:
    """What one attempt takes along, and what came of it."""

    carried: CarriedMessage

    def __init__(self, provision: Provision) -> None:
        self.provision = provision


@dataclass(slots=True, kw_only=True)
class Dispatcher:
    """Leases and sends deliveries until it drains.

    `jitter` returns numbers from 0 to 1; `tasks` owns the webhooks in flight.
    """

    settings: DispatcherSettings
    pool: Pool
    clock: Clock
    carrier: MessageCarrier
    health: HealthRecorder
    wakeups: Wakeups
    metrics: DeliveryMetrics
    failpoints: AlertsFailpoints
    jitter: Callable[[], float]
    tasks: TaskOwner
    tracing: SpanRecorder = NO_TRACING
    _in_flight: set[str] = field(default_factory=set, init=False)
    _draining: bool = field(default=False, init=False)
    _finished: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _results: ResultWriter = field(init=False)

    def __post_init__(self) -> None:
        self._results = ResultWriter(
            pool=self.pool,
            clock=self.clock,
            health=self.health,
            metrics=self.metrics,
            failpoints=self.failpoints,
            jitter=self.jitter,
            done=self._release,
        )

    async def run(self) -> None:
        """Lease deliveries and send them until `drain` is called."""
        self.tasks.start("results", self._results.run)
        while not self._draining:
            await self._start_due()  # as much as there is room for; a finished delivery makes room and wakes this loop
            await self.wakeups.wait(delivery_store.WAKE, self.settings.poll_s)
            if self._in_flight:
                await asyncio.sleep(GATHER_S)

    async def drain(self, within_s: float) -> None:
        """Lease nothing more and wait for what is in flight; what takes longer is sent again after its lease."""
        self._draining = True
        self.wakeups.wake(delivery_store.WAKE)
        try:
            async with asyncio.timeout(within_s):
                while self._in_flight:
                    self._finished.clear()
                    await self._finished.wait()
        except TimeoutError:
            _log.warning("webhooks left in flight", count=len(self._in_flight))

    async def _start_due(self) -> None:
        """Start deliveries that are due, as many as there is room for."""
        room = self.settings.in_flight - len(self._in_flight)
        if room <= 0 or not self.wakeups.alive:
            return
        with tolerated(_log, "deliveries not leased") as outage:
            leased, found = await self._lease(room)
        if outage:
            return
        if leased:
            await self.failpoints.reached(AlertsFailpoint.DELIVERIES_LEASED)
        for delivery in leased:
            self._in_flight.add(delivery.id)
            sending = partial(self._carry_out, delivery, found[_address_of(delivery)])
            self.tasks.start(f"webhook {delivery.id}", sending, may_end=True)
        self.metrics.in_flight.set(len(self._in_flight))

    async def _lease(self, room: int) -> tuple[list[LeasedDelivery], Provisions]:
        """Lease up to `room` deliveries and read what they need to be sent."""
        now = self.clock.now()
        async with acquire(self.pool) as connection:
            leased = await delivery_store.lease_due(
                connection, owner=self.settings.owner, limit=room, now=now, lease=self.settings.lease
            )
            if not leased:
                return [], {}
            return leased, await carrier.provisions(connection, {_address_of(one) for one in leased}, now)

    async def _carry_out(self, delivery: LeasedDelivery, provision: Provision) -> None:
        """Send one delivery, and pass on its result."""
        if self.clock.now() >= delivery.lease_until:  # this process was frozen: another one may have it by now
            _log.warning("lease ran out before sending", delivery=delivery.id, attempt=delivery.attempt)
            self._release([delivery])
            return
        with self._spanning(delivery, provision) as way:
            way.carried = await self.carrier.carry(delivery.id, delivery.body, way.provision)
        await self.failpoints.reached(AlertsFailpoint.WEBHOOK_ANSWERED)
        self._results.add(delivery, way.carried)

    @contextmanager
    def _spanning(self, delivery: LeasedDelivery, provision: Provision) -> Iterator["_Way"]:
        """Open the span of an attempt, where what it tells of is traced."""
        if not self.tracing.on or delivery.trace is None:
            yield _Way(provision)
            return
        with self.tracing.span("deliver notification", SpanRole.CLIENT, delivery.trace) as span:
            span.describe({"waymark.kind": delivery.kind, "waymark.type": delivery.type})
            way = _Way(replace(provision, handed_on={"traceparent": span.traceparent or delivery.trace}))
            yield way
            verdict = way.carried.verdict
            if verdict.outcome is not AttemptOutcome.DELIVERED:
                span.failed(verdict.failure or verdict.outcome)

    def _release(self, done: Sequence[LeasedDelivery]) -> None:
        """Forget deliveries whose result is written or given up, and wake whoever waits for that."""
        self._in_flight.difference_update(delivery.id for delivery in done)
        self.metrics.in_flight.set(len(self._in_flight))
        self._finished.set()
        self.wakeups.wake(delivery_store.WAKE)


def _address_of(delivery: LeasedDelivery) -> DeliveryAddress:
    return DeliveryAddress(
        endpoint_id=delivery.endpoint_id, kind=delivery.kind, url=delivery.url, issue_id=delivery.issue_id
    )
