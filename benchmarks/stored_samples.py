"""Samples in a database: waiting until the worker is done with one, copying the database, warming it, counting it."""

import time

import psycopg
from psycopg import sql

from benchmarks import racing
from benchmarks.ground import Ground
from benchmarks.racing import RaceError

QUIET_S = 3.0
QUIET_WITHIN_S = 120.0
APPLIED = "SELECT coalesce(sum(next_offset), 0) FROM journey.progress WHERE topic = '{}'"
"""How many records of a topic are applied; to be formatted with the topic."""

_UNFINISHED = """
SELECT (SELECT count(*) FROM journey.outbox WHERE published_at IS NULL)
     + (SELECT count(*) FROM journey.timers WHERE state = 'pending' AND due_at < now())
     + (SELECT count(*) FROM journey.path_changes) + (SELECT count(*) FROM journey.funnel_changes)"""


def until_quiet(url: str) -> None:
    """Wait until every due timer has fired, everything is published, and all sums are folded. Raises RaceError."""
    deadline = time.monotonic() + QUIET_WITHIN_S
    with racing.stored_progress(url, _UNFINISHED) as unfinished:
        while left := unfinished():
            if time.monotonic() > deadline:
                raise RaceError(f"the sample does not come to rest: {left} timers, records and changes are left")
            time.sleep(0.2)
    time.sleep(QUIET_S)


def copy_database(here: Ground, name: str, copy: str) -> None:
    """Make a database that is a copy of another; nobody may be connected to that."""
    statement = "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY"
    with psycopg.connect(here.postgres.url(), autocommit=True) as connection:
        connection.execute(sql.SQL(statement).format(sql.Identifier(copy), sql.Identifier(name)))


_WARM = """
SELECT coalesce(sum(pg_prewarm(oid::regclass)), 0) FROM pg_class
 WHERE relnamespace = 'journey'::regnamespace AND relkind IN ('r', 'i') AND relname <> 'outbox'"""


def warm(here: Ground, database: str) -> None:
    """Have PostgreSQL hold what the service reads of a database, as far as it fits."""
    with psycopg.connect(here.postgres.url(database), autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
        connection.execute(_WARM)


def touchpoints_in(url: str) -> int:
    """Return how many touchpoints are stored."""
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM journey.touchpoints").fetchone()
    assert row is not None
    return int(row[0])
