"""The read API over a real database, without a port, and the keys that open it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from prometheus_client import CollectorRegistry

from services.journey.api.api_settings import ApiSettings
from services.journey.api.app import build
from services.runtime.clock import SystemClock
from services.runtime.credentials.api_keys import KeyKind, mint
from services.runtime.postgres.pools import Pool, acquire


@asynccontextmanager
async def stranger_to(pool: Pool) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a caller without a key."""
    app = build(pool, ApiSettings.load({}), SystemClock(), CollectorRegistry())
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://api.test") as client:
        yield client


@asynccontextmanager
async def reader_of(pool: Pool) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a caller with a reader's key."""
    async with stranger_to(pool) as client:
        client.headers["authorization"] = f"Bearer {await store_key(pool, KeyKind.READER)}"
        yield client


async def store_key(pool: Pool, kind: KeyKind, *, revoked: bool = False) -> str:
    """Store a new key and return its text."""
    key = mint(kind)
    async with acquire(pool) as connection:
        await connection.execute(
            "INSERT INTO journey.api_keys (key_id, kind, secret_hash, revoked_at) "
            "VALUES ($1, $2, $3, CASE WHEN $4 THEN now() END)",
            key.key_id,
            str(kind),
            key.secret_hash,
            revoked,
        )
    return key.text
