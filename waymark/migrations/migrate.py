"""Bring a database up to date: every service's migrations, one Alembic branch each, under one lock.

The version table stands in the schema `waymark`; what the migrations make stands in the services' own schemas.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.runtime.migration import RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

import services
from services.runtime.process.startup import find_refusal
from waymark.database import UnusableDatabaseError
from waymark.libpq import open_connection
from waymark.target import VARIABLE

SCHEMA = "waymark"
LOCK_KEY = 7_294_601  # any constant; it names this lock among the database's advisory locks
LOCK_WAIT_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationStatus:
    """The revisions that the database has, and those that the code expects (one for each service)."""

    current: tuple[str, ...]
    wanted: tuple[str, ...]

    @property
    def up_to_date(self) -> bool:
        """Whether the database is exactly where the code expects it."""
        return set(self.current) == set(self.wanted)


def migrate(url: str) -> MigrationStatus:
    """Apply what is missing, in one transaction, and return the status. Concurrent calls take turns."""
    scripts = _scripts()
    with _connected(url) as connection, connection.begin():
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_WAIT_S}s'"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})
        connection.execute(text("SET LOCAL lock_timeout = DEFAULT"))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        context = _context(connection, scripts)
        with Operations.context(context):
            context.run_migrations()
    return status(url)


def status(url: str) -> MigrationStatus:
    """Compare the database with the code, changing nothing."""
    scripts = _scripts()
    with _connected(url) as connection:
        current = _context(connection, scripts).get_current_heads()
    return MigrationStatus(current=tuple(sorted(current)), wanted=tuple(sorted(scripts.get_heads())))


def unusable(url: str, error: OperationalError, variable: str = VARIABLE) -> UnusableDatabaseError:
    """Return the error for a database that refused us, or went away: in the services' own words, else in libpq's."""
    wrong = asyncio.run(find_refusal(url))
    return UnusableDatabaseError(url, wrong=wrong, reason=str(error.orig), variable=variable)


def _context(connection: Connection, scripts: ScriptDirectory) -> MigrationContext:
    def steps(heads: tuple[str, ...], _: MigrationContext) -> list[RevisionStep]:
        # What alembic.command.upgrade calls.
        return scripts._upgrade_revs("heads", heads)  # type: ignore[arg-type]  # it forgets that there may be several

    return MigrationContext.configure(
        connection=connection,
        opts={"script": scripts, "fn": steps, "version_table_schema": SCHEMA},
    )


def _scripts() -> ScriptDirectory:
    root = Path(next(iter(services.__path__)))
    return ScriptDirectory(str(root), version_locations=sorted(str(folder) for folder in _folders(root)))


def _folders(root: Path) -> Iterator[Path]:
    """Yield where the services keep their migrations: a folder each, and one in it for every dozen more."""
    yield from (folder for folder in root.glob("*/migrations") if folder.is_dir())
    yield from (folder for folder in root.glob("*/migrations/from_*") if folder.is_dir())


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    # Not by SQLAlchemy's own reading of the URL: it knows no several hosts.
    engine: Engine = create_engine(
        "postgresql+psycopg://", creator=lambda: open_connection(url, "waymark-migrate"), poolclass=NullPool
    )
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()
