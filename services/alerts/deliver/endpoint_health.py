"""How endpoints are doing, kept in the database: breakers open and close, endpoints are disabled, others are told.

Leaves the rules to `retry`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import msgspec

from schemas.codec import utc_text
from services.alerts.deliver import delivery_store, endpoint_store
from services.alerts.deliver.endpoint_store import Endpoint
from services.alerts.deliver.retry import Health, Outcome, Turn, Verdict, after
from services.alerts.issues.model import SYSTEM
from services.alerts.metrics import DeliveryMetrics
from services.runtime.logs import get_logger
from services.runtime.postgres import Connection

_log = get_logger(__name__)

_DISABLING = frozenset({Turn.DISABLED_GONE, Turn.DISABLED_FAILING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Writes what attempts do to their endpoints, in the transaction of the result."""

    new_id: Callable[[], UUID]
    metrics: DeliveryMetrics

    async def well(self, connection: Connection, endpoint_ids: Iterable[UUID], now: datetime) -> set[UUID]:
        """Return those for which one more success would change nothing worth writing: almost always all of them."""
        return await endpoint_store.well(connection, endpoint_ids, now)

    async def after(
        self, connection: Connection, endpoint_id: UUID, verdicts: Sequence[Verdict], now: datetime
    ) -> list[Turn]:
        """Write the endpoint's health after attempts, in their order; return what each turned."""
        endpoint = await endpoint_store.endpoint(connection, endpoint_id)
        if endpoint is None:
            return [Turn.UNCHANGED] * len(verdicts)
        turns: list[Turn] = []
        before = endpoint
        for verdict in verdicts:
            health, turn = after(endpoint.health, verdict, now=now)
            endpoint = _changed(endpoint, health, verdict, turn, now)
            turns.append(turn)
            if turn is not Turn.UNCHANGED:
                detail = {"reason": verdict.failure, "failures": health.consecutive_failures}
                await endpoint_store.note(connection, endpoint_id, turn, actor=SYSTEM, now=now, detail=detail)
        await endpoint_store.save_endpoint(connection, endpoint)
        if before.enabled and not endpoint.enabled:
            disabling = next(turn for turn in turns if turn in _DISABLING)
            await self._tell_others(connection, endpoint, disabling, now)
        return turns

    async def _tell_others(self, connection: Connection, endpoint: Endpoint, turn: Turn, now: datetime) -> None:
        """An endpoint that was disabled cannot tell so itself: the catch-all ones that work do."""
        _log.error("endpoint disabled", endpoint=str(endpoint.id), reason=turn)
        self.metrics.disabled.labels(turn).inc()
        others = [
            other.id
            for other in await endpoint_store.endpoints(connection)
            if other.catch_all and other.enabled and other.id != endpoint.id
        ]
        body = msgspec.json.encode(
            {
                "type": "endpoint.disabled",
                "timestamp": utc_text(now),
                "data": {"endpoint": str(endpoint.id), "name": endpoint.name, "reason": turn},
            }
        )
        ids = {other: delivery_store.delivery_id(self.new_id()) for other in others}
        if ids:
            await delivery_store.add_operational(
                connection, type_="endpoint.disabled", reason=turn, body=body, ids=ids, now=now
            )


def _changed(endpoint: Endpoint, health: Health, verdict: Verdict, turn: Turn, now: datetime) -> Endpoint:
    succeeded = now if verdict.outcome is Outcome.DELIVERED else endpoint.last_success_at
    changed = replace(endpoint, health=health, last_success_at=succeeded)
    if turn in _DISABLING and endpoint.enabled:
        return replace(changed, enabled=False, disabled_reason=turn, disabled_at=now)
    return changed
