"""Sessions with PostgreSQL: opened on the first server fit for the work, closed when it no longer is.

There are three kinds of connection: one that the pool resets, one whose users leave no state on it, and one for a
pooler that lends a server for one transaction only. Leaves pools and transactions to `services.runtime.postgres.pools`.
"""

import asyncio
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, cast

import asyncpg
from asyncpg.transaction import Transaction

from services.runtime.postgres.address import DatabaseAddress, PoolerMode, ServerAddress, read
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

UNANSWERED_MS: Final = 10_000
"""Milliseconds after which what was sent and never acknowledged ends a connection: the machine behind it is gone. The
kernel's own patience is a quarter of an hour."""

KEEPALIVE_S: Final = 10
KEEPALIVE_EVERY_S: Final = 5
KEEPALIVE_COUNT: Final = 3

KNOWN_TO_POOLERS: Final = frozenset({"application_name", "timezone"})
"""Settings that PgBouncer keeps apart for each client; any other it refuses, or drops if it is told to."""

WRITABLE: Final = "read-write"
NEXT_SERVER: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientResourcesError,
    asyncpg.TargetServerAttributeNotMatched,
)
"""Failures of one server, after which the next one of the URL is asked."""

CONNECT_FAILURES: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""What an attempt to connect may end with: the network, the server's refusal, a URL that the driver cannot follow."""


NO_FIT_SERVER: Final = asyncpg.TargetServerAttributeNotMatched
"""What it ends with where servers answer, and none of them is what is asked for."""


class _Transaction(Transaction):
    """A transaction that sends no ROLLBACK to a server that has just shown that it answers nothing."""

    def __init__(self, session: asyncpg.Connection, isolation: Any, readonly: bool, deferrable: bool) -> None:
        super().__init__(session, isolation, readonly, deferrable)
        self._session = session

    async def __aexit__(self, kind: Any, error: Any, trace: Any) -> None:
        if isinstance(error, TimeoutError):
            self._session.terminate()
            return
        await super().__aexit__(kind, error, trace)


class DatabaseSession(asyncpg.Connection):
    """A connection that notices the death of the other machine within seconds, where the kernel allows it."""

    demands_writing: bool = False
    """Whether it is to be given up once its server takes no writes any more."""

    def __init__(self, protocol: Any, transport: asyncio.Transport, *rest: Any) -> None:
        super().__init__(protocol, transport, *rest)
        end = transport.get_extra_info("socket")
        if end is not None and end.family != getattr(socket, "AF_UNIX", None):
            _watch(end)

    def transaction(self, *, isolation: Any = None, readonly: bool = False, deferrable: bool = False) -> Transaction:
        """Begin a transaction as asyncpg does."""
        return _Transaction(self, isolation, readonly, deferrable)

    held: str = ""
    """Statements that set what holds for the session and could not be asked for at its opening."""

    async def hold(self, settings: Mapping[str, str]) -> None:
        """Let `settings` hold from now on."""
        if settings:
            self.held = _assignments("SET", settings)
            await self.execute(self.held)

    def get_reset_query(self) -> str:
        """Return what is sent when the connection comes back: asyncpg's, and then what it forgets."""
        return f"{super().get_reset_query()} {self.held}"


class UnmarkedSession(DatabaseSession):
    """A connection of a pool whose users leave no marks on it: no session locks, settings, cursors, channels.

    It is lent again as it is, which spares a round trip and four statements each time; an open transaction is ended
    before all the same.
    """

    def get_reset_query(self) -> str:
        """Return what is sent when the connection comes back: nothing."""
        return ""


class TransactionSession(UnmarkedSession):
    """A connection to a pooler that lends a server for one transaction.

    Nothing may outlive a transaction, and a statement with arguments is two exchanges (asyncpg names its types first):
    alone, the second could reach another server. So every statement outside a transaction gets one of its own, and
    each transaction begins with the settings that would otherwise hold for the session, in the same message.
    """

    local: str = ""

    async def hold(self, settings: Mapping[str, str]) -> None:
        """Let `settings` hold in every transaction from now on."""
        self.local = _assignments("SET LOCAL", settings)

    async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
        """As asyncpg's; what begins a transaction brings the settings along."""
        if query.startswith("BEGIN"):  # what `transaction` sends; nobody writes it by hand
            return await super().execute(f"{query} {self.local}", timeout=timeout)
        async with self._in_transaction():
            return await super().execute(query, *args, timeout=timeout)

    async def executemany(self, command: str, args: Any, *, timeout: float | None = None) -> None:
        """Do what asyncpg's `executemany` does."""
        async with self._in_transaction():
            await super().executemany(command, args, timeout=timeout)

    async def fetch(self, query: str, *args: Any, **how: Any) -> list[Any]:
        """Do what asyncpg's `fetch` does."""
        async with self._in_transaction():
            return cast(list[Any], await super().fetch(query, *args, **how))

    async def fetchrow(self, query: str, *args: Any, **how: Any) -> Any:
        """Do what asyncpg's `fetchrow` does."""
        async with self._in_transaction():
            return await super().fetchrow(query, *args, **how)

    async def fetchval(self, query: str, *args: Any, **how: Any) -> Any:
        """Do what asyncpg's `fetchval` does."""
        async with self._in_transaction():
            return await super().fetchval(query, *args, **how)

    async def copy_records_to_table(self, table_name: str, **how: Any) -> str:
        """Do what asyncpg's `copy_records_to_table` does."""
        async with self._in_transaction():
            return await super().copy_records_to_table(table_name, **how)

    def _in_transaction(self) -> Any:
        return _Nothing() if self.is_in_transaction() else self.transaction()


class _Nothing:
    """No transaction beside the one that is there."""

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(self, *_: object) -> None:
        return None


@dataclass(slots=True, kw_only=True)
class SessionOpener:
    """Opens sessions for a pool. `settings` hold for each of them, or for each of its transactions."""

    address: DatabaseAddress
    pooler: PoolerMode
    settings: Mapping[str, str]
    writes: bool
    _first: int = field(default=0, init=False)
    """The server asked first: the one that served last."""

    async def connect(self, *_: object, **how: Any) -> DatabaseSession:
        """Open a session on the first server that takes one and is good for it.

        Raises:
            asyncpg.TargetServerAttributeNotMatched: servers answer, and none of them is.
            OSError, TimeoutError, asyncpg.PostgresError: what the last server said, where none answers.
        """
        failures: list[BaseException] = []
        for place, server in self._in_turn():
            try:
                async with asyncio.timeout(self.address.within_s):
                    session = await self._open(server, how)
            except NEXT_SERVER as error:
                failures.append(error)
                continue
            self._settle_on(place)
            return session
        raise _most_telling(failures)

    def _in_turn(self) -> Iterator[tuple[int, ServerAddress | None]]:
        servers: tuple[ServerAddress | None, ...] = self.address.servers if len(self.address.servers) > 1 else (None,)
        for step in range(len(servers)):
            place = (self._first + step) % len(servers)
            yield place, servers[place]

    def _settle_on(self, place: int) -> None:
        if place != self._first:
            self._first = place
            server = self.address.servers[place]
            _log.warning("another database server is used", host=server.host, port=server.port)

    async def _open(self, server: ServerAddress | None, how: dict[str, Any]) -> DatabaseSession:
        through = self.pooler is not PoolerMode.NONE
        given = {n: v for n, v in self.settings.items() if not through or n in KNOWN_TO_POOLERS}
        rest = {n: v for n, v in self.settings.items() if n not in given}
        where: dict[str, Any] = {"host": server.host, "port": server.port} if server is not None else {}
        how = {**how, **where, "server_settings": given, "target_session_attrs": self._target()}
        if self.address.tls is not None:
            how["ssl"] = self.address.tls
        if self.pooler is PoolerMode.TRANSACTION:
            how["statement_cache_size"] = 0  # a prepared statement stays with the server, for whoever gets it next
        session: DatabaseSession = await asyncpg.connect(self.address.dsn, **how)
        session.demands_writing = not through and self._target() in {WRITABLE, "primary"}
        try:
            await session.hold(rest)
        except BaseException:
            session.terminate()
            raise
        return session

    def _target(self) -> str | None:
        """What a server has to be good for; a pooler cannot be asked, it answers for servers that it has not chosen."""
        if self.pooler is not PoolerMode.NONE:
            return "any"
        return self.address.target or (WRITABLE if self.writes else None)


class CommandSessionOpener(SessionOpener):
    """Opens sessions as for a pooler that lends transactions, which are good for any other server as well.

    A server has to be good for what is asked all the same: what a pooler answers for is the one that is asked here.
    """

    def _target(self) -> str:
        return self.address.target or (WRITABLE if self.writes else "any")


async def open_command_session(url: str, *, application_name: str, writes: bool) -> DatabaseSession:
    """Open one session for a command, which is not told whether a pooler stands there; `writes` as for a pool.

    Raises:
        CONNECT_FAILURES: no server of the URL is good for it.
    """
    opener = CommandSessionOpener(
        address=read(url),
        pooler=PoolerMode.TRANSACTION,
        settings={"application_name": application_name},
        writes=writes,
    )
    return await opener.connect(connection_class=TransactionSession)


def demands_writing(connection: Any) -> bool:
    """Return whether a session, or the connection that a pool lends of it, must be able to write."""
    return bool(connection.demands_writing)


def has_lost_writing(connection: Any) -> bool:
    """Return whether a session must be able to write and its server takes no writes any more, as far as it has told.

    PostgreSQL reports each change without being asked, with whatever it sends next.
    """
    told = connection.get_settings()
    limits = {getattr(told, name, "off") for name in ("in_hot_standby", "default_transaction_read_only")}
    return demands_writing(connection) and "on" in limits


def _assignments(verb: str, settings: Mapping[str, str]) -> str:
    """Statements of SQL; names and values are our own constants."""
    return " ".join(f"{verb} {name} = '{value}';" for name, value in settings.items())


def _most_telling(failures: list[BaseException]) -> BaseException:
    """A server that answers and may not be written to says more than one that is away."""
    chosen = [one for one in failures if isinstance(one, asyncpg.TargetServerAttributeNotMatched)]
    return (chosen or failures)[-1]


def _watch(end: Any) -> None:
    options = {
        "TCP_KEEPIDLE": KEEPALIVE_S,
        "TCP_KEEPINTVL": KEEPALIVE_EVERY_S,
        "TCP_KEEPCNT": KEEPALIVE_COUNT,
        "TCP_USER_TIMEOUT": UNANSWERED_MS,
    }
    with suppress(OSError):  # a socket that is closing; whoever uses it finds that out
        end.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in options.items():
            option = getattr(socket, name, None)  # not every kernel has all of them
            if option is not None:
                end.setsockopt(socket.IPPROTO_TCP, option, value)
