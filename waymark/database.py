"""A connection for one command, with errors that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import conninfo

from services.runtime.reach import postgres_url
from waymark.console import CommandError, masked, settings_wrong

CONNECT_S = 5


def check_url(url: str) -> None:
    """Refuse a URL that cannot be read; raises `CommandError`, whose text never quotes it."""
    if problems := postgres_url.problems(url):
        raise CommandError(settings_wrong([f"WAYMARK_POSTGRES: {problem}" for problem in problems]), exit_code=2)


def opened(url: str, name: str, *, writes: bool = True) -> psycopg.Connection:
    """Connect under a name; with `writes` only to a server that takes them. What the URL itself says comes first.

    No statement is prepared: behind a pooler it would stay with a server that others get next.

    Raises:
        psycopg.OperationalError: no server of the URL answers and is good for it.
    """
    usual = {"connect_timeout": str(CONNECT_S), "target_session_attrs": "read-write" if writes else "any"}
    given = conninfo.conninfo_to_dict(url)
    settings = {name: value for name, value in usual.items() if name not in given}
    return psycopg.connect(url, application_name=name, prepare_threshold=None, **settings)  # type: ignore[arg-type]  # strings for libpq


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    """One transaction on the database of Waymark.

    Raises:
        CommandError: it does not answer, or `waymark migrate` was never run there.
    """
    check_url(url)
    try:
        with opened(url, "waymark") as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise CommandError(f"PostgreSQL at {masked(url)} cannot be used: {str(error).strip()}") from error
    except psycopg.errors.UndefinedTable as error:
        raise CommandError("the tables are missing: run `waymark migrate`") from error
