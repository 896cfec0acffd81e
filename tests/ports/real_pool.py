"""The connections of the real side of a port in PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from services.runtime.postgres.pools import Pool, close_pool, create_pool


@asynccontextmanager
async def real_pool(request: pytest.FixtureRequest, *, size: int = 1) -> AsyncIterator[Pool]:
    """A pool for this test's database, which is made only for the case that asks for it."""
    pool = await create_pool(request.getfixturevalue("database"), application_name="test", size=size)
    yield pool
    await close_pool(pool)
