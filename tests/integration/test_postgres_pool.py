"""What a session of our pools is like, whatever the server's own defaults are."""

import asyncpg
import pytest

from services.runtime.postgres import acquire, close_pool, create_pool

pytestmark = pytest.mark.local


async def test_sessions_compile_no_plans_and_count_in_utc(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        name = await connection.fetchval("SELECT current_database()")
        for default in ("jit = on", "timezone = 'Asia/Seoul'"):
            await connection.execute(f'ALTER DATABASE "{name}" SET {default}')
    finally:
        await connection.close()
    pool = await create_pool(database, application_name="test", size=1)
    try:
        async with acquire(pool) as lent:
            assert await lent.fetchval("SHOW jit") == "off"
            assert await lent.fetchval("SHOW timezone") == "UTC"
    finally:
        await close_pool(pool)
