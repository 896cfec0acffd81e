"""What a session of our pools is like, whatever the server's own defaults are."""

import asyncpg
import pytest

from services.runtime.postgres.pools import acquire, close_pool, create_pool
from services.runtime.postgres.sessions import UnmarkedSession

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


async def test_an_unmarked_connection_comes_back_without_a_word_to_the_server(database: str) -> None:
    pool = await create_pool(database, application_name="test", size=1, kind=UnmarkedSession)
    try:
        async with acquire(pool) as lent:
            await lent.execute("SET work_mem = '5MB'")
        async with acquire(pool) as lent:
            assert await lent.fetchval("SHOW work_mem") == "5MB", "a reset would have forgotten it"
    finally:
        await close_pool(pool)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.logs_error("asyncio")
async def test_an_unmarked_connection_is_not_lent_again_with_its_transaction_open(database: str) -> None:
    pool = await create_pool(database, application_name="test", size=1, kind=UnmarkedSession)
    try:
        async with acquire(pool) as lent:
            await lent.execute("BEGIN")
            await lent.execute("CREATE TABLE half_done (n integer)")
        async with acquire(pool) as lent:
            assert await lent.fetchval("SELECT to_regclass('half_done')") is None
    finally:
        await close_pool(pool)
