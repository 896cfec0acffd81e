"""PostgreSQL: pools that cannot wait for ever, transactions that end, and which failures are worth another try.

Leaves all SQL to the stores of the services.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
import stamina
from asyncpg.pool import PoolConnectionProxy

from services.runtime.health import CheckResult

Pool = asyncpg.Pool
Connection = PoolConnectionProxy

ACQUIRE_TIMEOUT_S = 10.0
"""How long to wait for a free connection; asyncpg's own default is for ever."""

LOCK_TIMEOUT_S = 8.0
IDLE_IN_TRANSACTION_S = 3.0
"""A frozen process must not block its successor: the server ends a transaction that idles for so long (measured: it is
below the time in which a group evicts a silent member)."""

TRANSIENT: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.LockNotAvailableError,
    asyncpg.InsufficientResourcesError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""Failures of the moment: connection, restart, failover, deadlock, serialization, locks, resources.

SQLSTATE classes 08, 40, 53, 57P and 55P03, 25P03, 25006. asyncpg's error for a value it cannot encode is an
`InterfaceError` too but will never succeed: `is_transient` tells them apart."""

T = TypeVar("T")


def is_transient(error: BaseException) -> bool:
    """Return whether the same work may succeed when it is tried again."""
    if isinstance(error, asyncpg.DataError | asyncpg.exceptions.UnsupportedClientFeatureError):
        return False
    if isinstance(error, ValueError) and isinstance(error, asyncpg.InterfaceError):
        return False
    return isinstance(error, TRANSIENT)


class Unmarked(asyncpg.Connection):
    """A connection of a pool whose users leave no marks on it: no session locks, settings, cursors, channels.

    It is lent again as it is, which spares a round trip and four statements each time; an open transaction is ended
    before all the same.
    """

    def get_reset_query(self) -> str:
        """Return what is sent when the connection comes back: nothing."""
        return ""


async def create_pool(
    url: str,
    *,
    application_name: str,
    size: int = 8,
    kind: type[asyncpg.Connection] = asyncpg.Connection,
    statement_timeout_s: float = 30.0,
) -> Pool:
    """Open a pool of `size` connections named `application_name`, of this `kind`.

    Plans are not compiled: over partitions their cost is overestimated, and compiling takes longer than running them.
    """
    return await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        connection_class=kind,
        timeout=ACQUIRE_TIMEOUT_S,
        command_timeout=statement_timeout_s + 5.0,
        server_settings={
            "application_name": application_name,
            "timezone": "UTC",
            "jit": "off",
            "statement_timeout": _milliseconds(statement_timeout_s),
            "lock_timeout": _milliseconds(LOCK_TIMEOUT_S),
            "idle_in_transaction_session_timeout": _milliseconds(IDLE_IN_TRANSACTION_S),
            "tcp_keepalives_idle": "10",
            "tcp_keepalives_interval": "5",
            "tcp_keepalives_count": "3",
        },
    )


@asynccontextmanager
async def acquire(pool: Pool) -> AsyncIterator[Connection]:
    """Lend a connection, waiting for it no longer than `ACQUIRE_TIMEOUT_S`."""
    async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
        yield connection


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Lend a connection inside a READ COMMITTED transaction."""
    async with pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection, connection.transaction():
        yield connection


async def retrying(
    work: Callable[[], Awaitable[T]],
    *,
    within_s: float | None = None,
    attempts: int | None = None,
    longest_wait_s: float = 5.0,
) -> T:
    """Run `work` until it succeeds or fails for a reason that will not pass; both bounds absent means for ever."""
    async for attempt in stamina.retry_context(
        on=is_transient_exception,
        attempts=attempts,
        timeout=within_s,
        wait_initial=0.05,
        wait_max=longest_wait_s,
        wait_jitter=0.2,
    ):
        with attempt:
            return await work()
    raise AssertionError("retry_context always runs at least once")


def is_transient_exception(error: Exception) -> bool:
    """`is_transient` in the shape that stamina asks for."""
    return is_transient(error)


async def ping(pool: Pool, *, within_s: float = 2.0) -> CheckResult:
    """Check that the database answers; for `/readyz`."""
    try:
        async with asyncio.timeout(within_s), pool.acquire(timeout=within_s) as connection:
            await connection.fetchval("SELECT 1")
    except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return CheckResult(name="postgres", ok=False, detail=type(error).__name__)
    return CheckResult(name="postgres", ok=True)


def columns(rows: Iterable[Sequence[object]]) -> list[list[object]]:
    """Turn rows into columns, for `unnest`: many rows in one statement, which is planned and executed once.

    Raises:
        ValueError: there is no row, so nobody knows how many columns there are.
    """
    turned = [list(column) for column in zip(*rows, strict=True)]
    if not turned:
        raise ValueError("no rows")
    return turned


async def close_pool(pool: Pool, *, within_s: float = 5.0) -> None:
    """Close politely, then by force: a close that hangs must not hold up a shutdown."""
    try:
        await asyncio.wait_for(pool.close(), within_s)
    except TimeoutError:
        pool.terminate()


def _milliseconds(seconds: float) -> str:
    return str(int(seconds * 1000))


Row = Any
"""One row as asyncpg returns it; stores turn it into their own types at once."""
