"""Sessions with the database for one command, on the services' own driver, with errors that say what to do.

A session works through every kind of pooler and without one: it prepares nothing that outlives a transaction, and each
statement outside a transaction gets one of its own.
"""

import asyncio
import os
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar, cast

from services.runtime.postgres.pools import Connection, is_transient, retrying
from services.runtime.postgres.sessions import CONNECT_FAILURES, NO_FIT_SERVER, DatabaseSession, open_command_session
from services.runtime.process.startup import NOT_MIGRATED, find_refusal, refusal_of
from waymark.console import CommandError, masked, settings_wrong
from waymark.libpq import find_unmet_demand
from waymark.target import VARIABLE, check_url, find_target

CLOSE_S = 2.0

T = TypeVar("T")


class UnusableDatabaseError(CommandError):
    """The database refused us, or is away. `wrong` says what no waiting mends, in the services' own words.

    `reason` is the driver's, for everything else.
    """

    def __init__(self, url: str, *, wrong: str | None, reason: str, variable: str = VARIABLE) -> None:
        self.wrong = wrong
        self.reason = " ".join(reason.split())
        if wrong is not None:
            super().__init__(settings_wrong([f"{variable}: {wrong}"]), exit_code=2)
        else:
            super().__init__(f"{variable}: PostgreSQL cannot be used: {masked(url)}: {self.reason}")


def run_in_transaction(url: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Run `work` in one transaction, which is committed if it returns; raises `CommandError` as `open_transaction`."""

    async def run() -> T:
        async with open_transaction(url) as connection:
            return await work(connection)

    return asyncio.run(run())


CHECK_ATTEMPTS = 5


def run_check(application_name: str, check: Callable[[Connection], Awaitable[T]], *, writes: bool) -> T:
    """Run `check` on a direct session, again where workers came between; with `writes` it may repair.

    Raises:
        CommandError: exit code 2, it could not look.
    """
    target = find_target(os.environ)

    async def run() -> T:
        async with open_session(
            target.postgres_direct or target.postgres, application_name, writes=writes
        ) as connection:
            return await retrying(lambda: check(connection), attempts=CHECK_ATTEMPTS)

    try:
        return asyncio.run(run())
    except CommandError as error:
        raise CommandError(str(error), exit_code=2) from error


@asynccontextmanager
async def open_transaction(url: str) -> AsyncIterator[Connection]:
    """Open one transaction on Waymark's database.

    Raises:
        CommandError: it does not answer, or `waymark migrate` was never run there.
    """
    async with open_session(url, "waymark") as connection, connection.transaction():
        yield connection


@asynccontextmanager
async def open_session(url: str, name: str, *, writes: bool = True) -> AsyncIterator[Connection]:
    """Open a session under `name`; with `writes` only with a server that takes them, unless the URL says otherwise.

    Raises:
        CommandError: as `open_transaction`.
    """
    check_url(url)
    session = await _connect(url, name, writes=writes)
    try:
        yield cast(Connection, session)  # what a pool lends is a session behind a proxy; stores ask no more of it
    except NOT_MIGRATED as error:
        raise CommandError("the tables are missing: run `waymark migrate`") from error
    except Exception as error:
        if not is_transient(error):  # a bug: it ends the command as what it is
            raise
        raise UnusableDatabaseError(url, wrong=None, reason=_reason(error)) from error
    finally:
        with suppress(*CONNECT_FAILURES):
            await session.close(timeout=CLOSE_S)


async def _connect(url: str, name: str, *, writes: bool) -> DatabaseSession:
    if (unmet := find_unmet_demand(url)) is not None:
        raise UnusableDatabaseError(url, wrong=await find_refusal(url), reason=unmet)
    try:
        return await open_command_session(url, application_name=name, writes=writes)
    except CONNECT_FAILURES as error:
        raise UnusableDatabaseError(url, wrong=refusal_of(error), reason=_reason(error)) from error


def _reason(error: BaseException) -> str:
    """Return what an error says, in words; asyncio gives numbers for most of what a network does."""
    if isinstance(error, socket.gaierror):
        return "the host name is not known"
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, NO_FIT_SERVER):
        return "no server there takes writes, or is what target_session_attrs asks for"
    numbers = re.findall(r"\[Errno (\d+)\]", str(error)) if isinstance(error, OSError) else []
    words = dict.fromkeys(os.strerror(int(number)) for number in numbers)
    return ", ".join(words) or str(error).strip() or type(error).__name__
