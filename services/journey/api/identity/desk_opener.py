"""Opens what operators' words are carried out with, when the first of them comes."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from services.journey.api.api_settings import ApiSettings
from services.journey.operate.identity_desk import IdentityDesk, build_desk
from services.journey.renewer import build_renewer, read_policy
from services.journey.settings import WorkerSettings
from services.journey.versions.in_force import PolicyCache
from services.runtime.clock import Clock
from services.runtime.postgres.pools import Pool, close_pool


@dataclass(slots=True, kw_only=True)
class DeskOpener:
    """Opens a pool that may write, once; until then this process is content with a database that can only be read.

    Customers are projected anew as a worker with the settings `worker` does.
    """

    open_pool: Callable[[], Awaitable[Pool]]
    api: ApiSettings
    worker: WorkerSettings
    clock: Clock
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _desk: IdentityDesk | None = None

    async def desk(self) -> IdentityDesk:
        """Return the desk. A failure to open the pool is the caller's; the next call tries again."""
        async with self._lock:
            if self._desk is None:
                pool = await self.open_pool()
                try:
                    policy = await read_policy(pool)
                except BaseException:
                    await close_pool(pool)
                    raise
                in_force = PolicyCache()
                self._desk = build_desk(
                    pool,
                    build_renewer(self.worker, policy, in_force),
                    in_force,
                    region=self.api.phone_region,
                    secret=self.api.privacy_secret.get_secret_value().encode(),
                )
            return self._desk

    async def close(self) -> None:
        """Close the pool if it was opened."""
        if self._desk is not None:
            await close_pool(self._desk.pool)


def _opener(request: Request) -> DeskOpener:
    opener = request.app.state.desk_opener
    assert isinstance(opener, DeskOpener)  # noqa: S101  the application puts it there before the first request
    return opener


Opener = Annotated[DeskOpener, Depends(_opener)]
