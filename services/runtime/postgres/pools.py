"""PostgreSQL: pools that cannot wait for ever, transactions that end, and which failures are worth another try.

Leaves all SQL to the stores of the services.
"""

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncpg
import stamina
from asyncpg.pool import PoolConnectionProxy

from services.runtime.postgres.address import PoolerMode, read
from services.runtime.postgres.sessions import (
    DatabaseSession,
    SessionOpener,
    TransactionSession,
    demands_writing,
    has_lost_writing,
)
from services.runtime.settings import CommonSettings, SettingsError
from services.runtime.telemetry.health import CheckResult
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

Pool = asyncpg.Pool
Connection = PoolConnectionProxy

ACQUIRE_TIMEOUT_S = 10.0
"""How long to wait for a free connection; asyncpg's own default is for ever."""

LOCK_TIMEOUT_S = 8.0
IDLE_IN_TRANSACTION_S = 3.0
"""A frozen process must not block its successor: the server ends a transaction that idles for so long (measured: it is
below the time in which a group evicts a silent member)."""

LOST: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.ReadOnlySQLTransactionError,
)
"""Failures after which the other sessions of a pool are worth no more than the one that met them.

SQLSTATE classes 08 and 57P01 to 57P03, 25006, and silence beyond the server's own limit for a statement."""

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


class ConcurrentChangeError(Exception):
    """Another transaction moved rows before they were locked: roll back, and begin again with what stands there now."""


def is_transient(error: BaseException) -> bool:
    """Return whether the same work may succeed when it is tried again."""
    if isinstance(error, asyncpg.DataError | asyncpg.exceptions.UnsupportedClientFeatureError):
        return False
    if isinstance(error, ValueError) and isinstance(error, asyncpg.InterfaceError):
        return False
    return isinstance(error, TRANSIENT)


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabasePlace:
    """Where the database is, which pooler stands before it, and which variable said so."""

    url: str = field(repr=False)
    pooler: PoolerMode = PoolerMode.NONE
    variable: str = CommonSettings.variable_of("postgres")


def place_of(common: CommonSettings) -> DatabasePlace:
    """Return where sessions for ordinary work go: through a pooler where there is one."""
    return DatabasePlace(url=common.postgres.get_secret_value(), pooler=PoolerMode(common.postgres_pooler))


def direct_place_of(common: CommonSettings) -> DatabasePlace:
    """Return where sessions go that outlive a transaction: past the pooler.

    Raises:
        SettingsError: the pooler lends no sessions, and the address past it is not set.
    """
    usual, direct = place_of(common), common.postgres_direct.get_secret_value()
    variable = CommonSettings.variable_of("postgres_direct")
    if direct:
        return DatabasePlace(url=direct, variable=variable)
    if usual.pooler is PoolerMode.TRANSACTION:
        raise SettingsError(
            [
                f"{variable}: is not set. LISTEN and locks need a session of their own, which a pooler in transaction "
                "mode does not lend: set it to the URL of PostgreSQL itself"
            ]
        )
    return usual


async def create_pool(
    place: DatabasePlace | str,
    *,
    application_name: str,
    size: int = 8,
    kind: type[DatabaseSession] = DatabaseSession,
    statement_timeout_s: float = 30.0,
    writes: bool = False,
) -> Pool:
    """Open a pool of `size` connections named `application_name`, of this `kind`.

    With `writes`, sessions that can only read are of no use: none is opened, and those that become so are given up.
    Plans are not compiled: over partitions their cost is overestimated, and compiling takes longer than running them.

    Raises:
        SettingsError: a pooler stands there that the settings do not speak of, or not rightly; or a server whose
            certificate is not to be believed.
    """
    place = DatabasePlace(url=place) if isinstance(place, str) else place
    settings = {
        "application_name": application_name,
        "timezone": "UTC",
        "jit": "off",
        "statement_timeout": _milliseconds(statement_timeout_s),
        "lock_timeout": _milliseconds(LOCK_TIMEOUT_S),
        "idle_in_transaction_session_timeout": _milliseconds(IDLE_IN_TRANSACTION_S),
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
    }
    address = read(place.url)
    if address.for_commands:
        _log.warning("only commands follow these parameters of the URL", parameters=address.for_commands)
    opener = SessionOpener(address=address, pooler=place.pooler, settings=settings, writes=writes)
    try:
        pool = await asyncpg.create_pool(
            connect=opener.connect,
            min_size=1,
            max_size=size,
            connection_class=TransactionSession if place.pooler is PoolerMode.TRANSACTION else kind,
            command_timeout=statement_timeout_s + 5.0,
        )
    except asyncpg.ProtocolViolationError as error:
        if "startup parameter" in str(error):
            raise SettingsError([_unexpected_pooler(place)]) from error
        raise
    except ssl.SSLCertVerificationError as error:  # an OSError, but no later try will be believed either
        raise SettingsError([f"{place.variable}: {not_believed(error)}"]) from error
    await _examine(pool, place)
    return pool


def not_believed(error: ssl.SSLCertVerificationError) -> str:
    """Return why a server's certificate proves nothing, and which parameters decide that."""
    return f"the server's certificate is refused: {error.verify_message} (see sslrootcert, sslmode)"


@asynccontextmanager
async def acquire(pool: Pool) -> AsyncIterator[Connection]:
    """Lend a connection, waiting for it no longer than `ACQUIRE_TIMEOUT_S`.

    A failure that says that the server is gone, silent or takes no writes any more discards all sessions with it: the
    next ones are opened anew, wherever the database is by then.
    """
    connection = await _lend(pool)
    try:
        yield connection
    except LOST as error:
        if isinstance(error, TimeoutError):  # past the server's own limit: it is silent, to a farewell too
            connection.terminate()
        await _discard(pool, error)
        raise
    finally:
        await pool.release(connection)


async def _lend(pool: Pool) -> Connection:
    """Lend a connection whose server has not said meanwhile that it only reads; finding that out costs nothing."""
    connection = await pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
    try:
        check_writable(connection)
    except asyncpg.ReadOnlySQLTransactionError as error:
        await _discard(pool, error)
        await pool.release(connection)
        return await pool.acquire(timeout=ACQUIRE_TIMEOUT_S)
    return connection


async def _discard(pool: Pool, error: BaseException) -> None:
    _log.warning("database sessions discarded", reason=type(error).__name__)
    await pool.expire_connections()


def check_writable(connection: Connection) -> None:
    """Read the parameters that the server reports by itself.

    Raises:
        asyncpg.ReadOnlySQLTransactionError: the session is there for writing, and the server takes no writes now.
    """
    if has_lost_writing(connection):
        raise asyncpg.ReadOnlySQLTransactionError("the server takes no writes any more")


@asynccontextmanager
async def transaction(pool: Pool) -> AsyncIterator[Connection]:
    """Lend a connection inside a READ COMMITTED transaction."""
    async with acquire(pool) as connection, connection.transaction():
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


async def ping(pool: Pool, *, within_s: float = 2.0, writes: bool = True) -> CheckResult:
    """Check that the database answers, and takes writes unless they do not matter; for `/readyz`."""
    try:
        async with asyncio.timeout(within_s), pool.acquire(timeout=within_s) as connection:
            limits: str = await connection.fetchval(_LIMITS)
            if limits and (writes or demands_writing(connection)):
                await pool.expire_connections()
    except (TimeoutError, OSError, *_UNANSWERED) as error:
        return CheckResult(name="postgres", ok=False, detail=type(error).__name__)
    return CheckResult(name="postgres", ok=not (limits and writes), detail=limits)


_UNANSWERED = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_LIMITS = """
SELECT CASE WHEN pg_is_in_recovery() THEN 'a standby answers, it takes no writes'
            WHEN current_setting('transaction_read_only')::boolean THEN 'it is read-only'
            ELSE '' END
"""


async def _examine(pool: Pool, place: DatabasePlace) -> None:
    """Find out whether what stands there keeps sessions as the settings say; once, at the start.

    Raises:
        SettingsError: it does not.
    """
    try:
        if place.pooler is PoolerMode.NONE:
            async with acquire(pool) as connection:
                await connection.execute(_failing_where(f"current_setting('lock_timeout') <> '{LOCK_TIMEOUT_S:g}s'"))
        elif place.pooler is PoolerMode.SESSION and pool.get_max_size() > 1:
            mark = secrets.token_hex(8)
            async with acquire(pool) as one, acquire(pool) as other:
                await one.execute(f"SET {_MARK} = '{mark}'")
                await other.execute(_failing_where(f"current_setting('{_MARK}', true) = '{mark}'"))
    except BaseException as error:
        pool.terminate()
        if getattr(error, "sqlstate", None) == _FOUND_OUT:
            found = _unexpected_pooler(place) if place.pooler is PoolerMode.NONE else _shared_sessions(place)
            raise SettingsError([found]) from None
        raise


_MARK = "waymark.session"
_FOUND_OUT = "WM001"


def _failing_where(condition: str) -> str:
    """A statement that fails where `condition` holds; it prepares nothing, which a pooler might lend to others."""
    return f"DO $$ BEGIN IF {condition} THEN RAISE SQLSTATE '{_FOUND_OUT}'; END IF; END $$"


def _unexpected_pooler(place: DatabasePlace) -> str:
    if place.variable != CommonSettings.variable_of("postgres"):
        return f"{place.variable}: leads to a pooler such as PgBouncer; set it to the URL of PostgreSQL itself"
    return (
        f"{place.variable}: leads to a pooler such as PgBouncer, which keeps sessions in its own way: set "
        f"{CommonSettings.variable_of('postgres_pooler')} to its pool_mode, session or transaction"
    )


def _shared_sessions(place: DatabasePlace) -> str:
    pooler = CommonSettings.variable_of("postgres_pooler")
    return (
        f"{pooler}: is session, but the pooler at {place.variable} lends one session to several: set it to transaction"
    )


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
