"""Records the health of endpoints: breakers open and close, and an endpoint that fails for long is disabled.

The administrators of other endpoints are notified of a disabled one. The rules themselves are left to `retry`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from services.alerts.deliver import delivery_store, endpoint_store
from services.alerts.deliver.endpoint_store import Endpoint
from services.alerts.deliver.operational_messages import render_disabled_message
from services.alerts.deliver.retry import (
    AttemptFailure,
    AttemptOutcome,
    AttemptVerdict,
    EndpointHealth,
    HealthChange,
    health_after,
)
from services.alerts.issues.model import SYSTEM
from services.alerts.metrics import DeliveryMetrics
from services.runtime.postgres.pools import Connection
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

_DISABLING = frozenset({HealthChange.DISABLED_GONE, HealthChange.DISABLED_FAILING})


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRecorder:
    """Writes the effect of attempts on their endpoints, in the transaction of the results."""

    new_id: Callable[[], UUID]
    metrics: DeliveryMetrics

    async def unaffected(self, connection: Connection, endpoint_ids: Iterable[UUID], now: datetime) -> set[UUID]:
        """Return the endpoints whose health one more success does not change; that is nearly always all of them."""
        return await endpoint_store.recently_healthy(connection, endpoint_ids, now)

    async def record(
        self, connection: Connection, endpoint_id: UUID, verdicts: Sequence[AttemptVerdict], now: datetime
    ) -> list[HealthChange]:
        """Apply verdicts to an endpoint in their order, write its health, and return what each of them changed."""
        endpoint = await endpoint_store.find_endpoint(connection, endpoint_id)
        if endpoint is None:
            return [HealthChange.UNCHANGED] * len(verdicts)
        after, steps = apply_verdicts(endpoint, verdicts, now)
        for step in steps:
            if step.change is not HealthChange.UNCHANGED:
                detail = {"reason": step.reason, "failures": step.failures}
                await endpoint_store.add_event(
                    connection, endpoint_id, step.change, actor=SYSTEM, now=now, detail=detail
                )
        await endpoint_store.save_endpoint(connection, after)
        if endpoint.enabled and not after.enabled:
            disabling = next(step.change for step in steps if step.change in _DISABLING)
            await self._notify_others(connection, after, disabling, now)
        return [step.change for step in steps]

    async def _notify_others(
        self, connection: Connection, endpoint: Endpoint, change: HealthChange, now: datetime
    ) -> None:
        """Notify the enabled catch-all endpoints: a disabled endpoint cannot announce that itself."""
        _log.error("endpoint disabled", endpoint=str(endpoint.id), reason=change)
        self.metrics.disabled.labels(change).inc()
        others = [
            other.id
            for other in await endpoint_store.list_endpoints(connection)
            if other.catch_all and other.enabled and other.id != endpoint.id
        ]
        body = render_disabled_message(now, endpoint.id, endpoint.name, change)
        ids = {other: delivery_store.delivery_id(self.new_id()) for other in others}
        if ids:
            await delivery_store.add_operational(
                connection, type_="endpoint.disabled", reason=change, body=body, ids=ids, now=now
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthStep:
    """What one verdict changed: the reason of its failure, and the failures in a row after it."""

    change: HealthChange
    reason: AttemptFailure
    failures: int


def apply_verdicts(
    endpoint: Endpoint, verdicts: Sequence[AttemptVerdict], now: datetime
) -> tuple[Endpoint, list[HealthStep]]:
    """Return the endpoint after these verdicts, in their order, and what each of them changed."""
    steps = []
    for verdict in verdicts:
        health, change = health_after(endpoint.health, verdict, now=now)
        endpoint = _changed(endpoint, health, verdict, change, now)
        steps.append(HealthStep(change=change, reason=verdict.failure, failures=health.consecutive_failures))
    return endpoint, steps


def _changed(
    endpoint: Endpoint, health: EndpointHealth, verdict: AttemptVerdict, change: HealthChange, now: datetime
) -> Endpoint:
    succeeded = now if verdict.outcome is AttemptOutcome.DELIVERED else endpoint.last_success_at
    changed = replace(endpoint, health=health, last_success_at=succeeded)
    if change in _DISABLING and endpoint.enabled:
        return replace(changed, enabled=False, disabled_reason=change, disabled_at=now)
    return changed
