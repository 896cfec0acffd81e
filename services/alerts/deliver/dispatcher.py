"""Sends what is due: claims deliveries by lease, carries each out, hands the result to `results`.

Any number of replicas share the work. HTTP happens outside any transaction. A process that dies between a receiver's
2xx and the result leaves a lease behind; after it runs out the delivery is sent once more, under the same `webhook-id`.
Leaves the sending itself to `webhook`, and writing results to `results`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from services.alerts.deliver import delivery_store
from services.alerts.deliver.delivery_store import Due
from services.alerts.deliver.endpoint_health import Standing
from services.alerts.deliver.results import Settling
from services.alerts.deliver.retry import Answer, Failure
from services.alerts.deliver.webhook import secret_store
from services.alerts.deliver.webhook.secret_store import SecretMaterial
from services.alerts.deliver.webhook.sender import Sender, Sent
from services.alerts.deliver.webhook.signing import MissingMasterKeyError, Signer
from services.alerts.failpoints import Failpoint, Failpoints
from services.alerts.metrics import DeliveryMetrics
from services.alerts.wakeups import Wakeups
from services.runtime.clock import Clock
from services.runtime.logs import get_logger
from services.runtime.postgres import Pool, acquire, is_transient
from services.runtime.tasks import TaskOwner

_log = get_logger(__name__)

GATHER_S = 0.002
"""While webhooks are under way, a claim waits so long for more to become due or to make room: fewer, larger claims."""

Secrets = Mapping[UUID, Sequence[SecretMaterial]]


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
    failpoints: Failpoints
    jitter: Callable[[], float]
    tasks: TaskOwner
    _flying: set[str] = field(default_factory=set, init=False)
    _draining: bool = field(default=False, init=False)
    _landed: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _settling: Settling = field(init=False)

    def __post_init__(self) -> None:
        self._settling = Settling(
            pool=self.pool,
            clock=self.clock,
            standing=self.standing,
            metrics=self.metrics,
            failpoints=self.failpoints,
            jitter=self.jitter,
            done=self._landed_for_good,
        )

    async def run(self) -> None:
        """Claim and send until `drain`."""
        self.tasks.start("settling", self._settling.run)
        while not self._draining:
            await self._take()  # whatever is due, or all there is room for: what lands makes room, and wakes
            await self.wakeups.wait(delivery_store.WAKE, self.settings.poll_s)
            if self._flying:
                await asyncio.sleep(GATHER_S)

    async def drain(self, within_s: float) -> None:
        """Claim no more, and wait for what is under way; what does not end in time is sent again after its lease."""
        self._draining = True
        self.wakeups.wake(delivery_store.WAKE)
        try:
            async with asyncio.timeout(within_s):
                while self._flying:
                    self._landed.clear()
                    await self._landed.wait()
        except TimeoutError:
            _log.warning("webhooks left under way", count=len(self._flying))

    async def _take(self) -> None:
        """Start what is due, as far as there is room."""
        room = self.settings.in_flight - len(self._flying)
        if room <= 0 or not self.wakeups.alive:
            return
        try:
            taken, signing = await self._claim(room)
        except Exception as error:
            if not is_transient(error):
                raise
            _log.warning("deliveries not claimed", reason=type(error).__name__)
            return
        if taken:
            await self.failpoints.reached(Failpoint.DELIVERIES_CLAIMED)
        for due in taken:
            self._start(due, signing.get(due.endpoint_id, ()))

    async def _claim(self, room: int) -> tuple[list[Due], Secrets]:
        """Take up to `room` deliveries, with the secrets that sign them."""
        now = self.clock.now()
        async with acquire(self.pool) as connection:
            taken = await delivery_store.claim(
                connection, owner=self.settings.owner, limit=room, now=now, lease=self.settings.lease
            )
            if not taken:
                return [], {}
            return taken, await secret_store.of_endpoints(connection, {due.endpoint_id for due in taken}, now)

    def _start(self, due: Due, signing: Sequence[SecretMaterial]) -> None:
        self._flying.add(due.id)
        self.metrics.in_flight.set(len(self._flying))
        self.tasks.start(f"webhook {due.id}", lambda: self._carry_out(due, signing), may_end=True)

    async def _carry_out(self, due: Due, signing: Sequence[SecretMaterial]) -> None:
        if self.clock.now() >= due.lease_until:  # this process slept: it is somebody else's by now
            _log.warning("lease ran out before sending", delivery=due.id, attempt=due.attempt)
            self._landed_for_good([due])
            return
        self._settling.land(due, await self._send(due, signing))

    async def _send(self, due: Due, signing: Sequence[SecretMaterial]) -> Sent:
        try:
            headers = self.signer.headers(due.id, due.body, signing, self.clock.now())
        except MissingMasterKeyError as error:
            _log.error("secret cannot be made", endpoint=str(due.endpoint_id), master_key=str(error))
            return Sent(answer=Answer(failure=Failure.SIGNING), seconds=0.0)
        sent = await self.sender.send(due.url, due.body, headers)
        await self.failpoints.reached(Failpoint.WEBHOOK_ANSWERED)
        return sent

    def _landed_for_good(self, done: Sequence[Due]) -> None:
        self._flying.difference_update(due.id for due in done)
        self.metrics.in_flight.set(len(self._flying))
        self._landed.set()
        self.wakeups.wake(delivery_store.WAKE)
