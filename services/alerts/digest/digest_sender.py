"""Sends the digests that are due, each once: what records it and what sends it is one transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from services.alerts.deliver import delivery_store
from services.alerts.digest import digest_store
from services.alerts.digest.daily_digest import TYPE, DigestSubscription, day_due, render_digest
from services.runtime.clock import Clock
from services.runtime.postgres.pools import Pool, acquire, transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestSender:
    """Sends digests; every replica runs it, and what one has sent is sent."""

    pool: Pool
    clock: Clock
    new_id: Callable[[], UUID]
    public_url: str

    async def send_due(self) -> int:
        """Send every digest that is due and was not sent; return how many."""
        async with acquire(self.pool) as connection:
            subscriptions = await digest_store.list_subscriptions(connection)
        return sum([await self._send(one) for one in subscriptions])

    async def _send(self, subscription: DigestSubscription) -> bool:
        now = self.clock.now()
        day = day_due(subscription, now)
        if day is None:
            return False
        async with acquire(self.pool) as connection:
            if await digest_store.was_sent(connection, subscription.endpoint_id, day):
                return False
        async with transaction(self.pool) as connection:
            if not await digest_store.claim_day(connection, subscription.endpoint_id, day, now):
                return False
            digest = await digest_store.make_digest(
                connection, day=day, team=subscription.team, time_zone=subscription.time_zone, now=now
            )
            body = render_digest(digest, public_url=self.public_url, now=now)
            ids = {subscription.endpoint_id: delivery_store.delivery_id(self.new_id())}
            await delivery_store.add_operational(connection, type_=TYPE, reason="daily", body=body, ids=ids, now=now)
        return True
