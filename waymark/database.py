"""A connection for one command, with errors that say what to do."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from services.runtime.reach import postgres_url
from waymark.console import CommandError, masked, settings_wrong

CONNECT_S = 5


def check_url(url: str) -> None:
    """Refuse a URL that cannot be read; raises `CommandError`, whose text never quotes it."""
    if problems := postgres_url.problems(url):
        raise CommandError(settings_wrong([f"WAYMARK_POSTGRES: {problem}" for problem in problems]), exit_code=2)


@contextmanager
def connected(url: str) -> Iterator[psycopg.Connection]:
    """One transaction on the database of Waymark.

    Raises:
        CommandError: it does not answer, or `waymark migrate` was never run there.
    """
    check_url(url)
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_S, application_name="waymark") as connection:
            yield connection
    except psycopg.OperationalError as error:
        raise CommandError(f"PostgreSQL at {masked(url)} cannot be used: {str(error).strip()}") from error
    except psycopg.errors.UndefinedTable as error:
        raise CommandError("the tables are missing: run `waymark migrate`") from error
