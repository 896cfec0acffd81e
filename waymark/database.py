"""Connections to the database for one command, with errors that say what to do."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import psycopg
from psycopg import conninfo

from waymark.console import CommandError, masked, settings_wrong
from waymark.target import VARIABLE, check_url

CONNECT_S = 5


def unusable(url: str, error: Exception | None, variable: str = VARIABLE) -> CommandError:
    """Return the error for a database that refused us: in the services' own words, else in the driver's."""
    if (wrong := find_refusal_reason(url)) is not None:
        return CommandError(settings_wrong([f"{variable}: {wrong}"]), exit_code=2)
    reason = " ".join(str(error).split())
    return CommandError(f"{variable}: PostgreSQL cannot be used: {masked(url)}: {reason}")


def find_refusal_reason(url: str) -> str | None:
    """Return what is wrong with a URL that a server refuses.

    libpq words it in the server's language, asyncpg gives a code.
    """
    from services.runtime.process.startup import find_refusal

    with ThreadPoolExecutor(max_workers=1) as beside:  # the caller may stand in a loop of its own
        return beside.submit(asyncio.run, find_refusal(url)).result()


def open_connection(url: str, name: str, *, writes: bool = True) -> psycopg.Connection:
    """Connect under `name`; with `writes` only to a server that takes them. What the URL itself says takes precedence.

    No statement is prepared: behind a pooler it would stay with a server that others get next.

    Raises:
        psycopg.OperationalError: no server of the URL answers and is good for it.
    """
    usual = {"connect_timeout": str(CONNECT_S), "target_session_attrs": "read-write" if writes else "any"}
    given = conninfo.conninfo_to_dict(url)
    settings = {name: value for name, value in usual.items() if name not in given}
    return psycopg.connect(url, application_name=name, prepare_threshold=None, **settings)  # type: ignore[arg-type]  # strings for libpq


@contextmanager
def open_transaction(url: str) -> Iterator[psycopg.Connection]:
    """Open one transaction on Waymark's database.

    Raises:
        CommandError: it does not answer, or `waymark migrate` was never run there.
    """
    check_url(url)
    try:
        with open_connection(url, "waymark") as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise unusable(url, error) from error
    except psycopg.errors.UndefinedTable as error:
        raise CommandError("the tables are missing: run `waymark migrate`") from error
