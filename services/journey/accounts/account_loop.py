"""Renews accounts that new touchpoints name, and those whose deadlines the stream has passed, one by one.

Each account is renewed in a transaction of its own, which holds that account and nothing else that others wait for. So
several workers share the accounts, none waits for another, and no two can wait for each other. What a worker leaves
undone when it ends is done by the next look of any other.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from services.journey.accounts import account_rows
from services.journey.accounts.account_renewal import AccountRenewal
from services.journey.store.timer_rows import TimerReach
from services.runtime.postgres.pools import Connection, Pool, acquire, transaction
from services.runtime.process.outages import tolerated
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

AT_ONCE = 200
"""Accounts that are listed at once."""

Listing = Callable[[Connection, str], Awaitable[Sequence[str]]]
"""Returns the next accounts in order, from behind one on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLoop:
    """Renews accounts in rounds. `reach` says which timers may fire, `after_commit` is called where anything is new."""

    pool: Pool
    renewal: AccountRenewal
    reach: Callable[[], Awaitable[TimerReach | None]]
    after_commit: Callable[[], None]
    every_s: float

    async def run(self) -> None:
        """Renew round after round; never return."""
        while True:
            with tolerated(_log, "accounts not renewed"):
                await self.once()
            await asyncio.sleep(self.every_s)

    async def once(self) -> int:
        """Renew every account that something is new about, and return how many were."""
        reach = await self.reach()
        renewed = await self._all(lambda connection, after: account_rows.waiting(connection, after, AT_ONCE), reach)
        if reach is None:
            return renewed
        return renewed + await self._all(
            lambda connection, after: account_rows.due(connection, reach, after, AT_ONCE), reach
        )

    async def _all(self, listing: Listing, reach: TimerReach | None) -> int:
        renewed, after = 0, ""
        while True:
            async with acquire(self.pool) as connection:
                accounts = await listing(connection, after)
            for account_id in accounts:
                async with transaction(self.pool) as connection:
                    published = await self.renewal.renew(connection, account_id, reach)
                renewed += published is not None
                if published:
                    self.after_commit()
            if len(accounts) < AT_ONCE:
                return renewed
            after = accounts[-1]
