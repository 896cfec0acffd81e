"""Fills a database with customers as the worker would have left them, without the hours that it would take.

The worker itself applies a sample; its rows are then copied, each copy with other customers: their names and telephone
numbers have the number of the copy in them (see `traffic`). Rows that hold what the domain makes of content, ids or
digests, are made by `twins`; everything else is copied by SQL. The sums of paths and funnels are those of all copies.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Self

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from benchmarks import twins
from benchmarks.racing import RaceError
from benchmarks.twins import NAME, PHONE, Row
from services.journey.store.path_rows import PATHS
from services.journey.store.rollups.funnel_rows import FUNNELS
from services.journey.store.rollups.rollup import Rollup

CHUNK = 25
"""Copies in one transaction."""

_FUNCTIONS = f"""
CREATE SCHEMA prefill;
CREATE FUNCTION prefill.named(t text, k integer) RETURNS text IMMUTABLE LANGUAGE sql AS
$$ SELECT replace(replace(t, '{NAME}', 'n' || lpad(k::text, 4, '0')),
                  '{PHONE}', '{PHONE[:-3]}' || lpad(k::text, 3, '0')) $$;
CREATE FUNCTION prefill.twin(id uuid, k integer) RETURNS uuid IMMUTABLE LANGUAGE sql AS
$$ SELECT md5(id::text || k::text)::uuid $$;
"""
_OUTBOX_VALUE = "convert_to(prefill.named(convert_from(s.value, 'UTF8'), k), 'UTF8')"

COPIED: Mapping[str, Mapping[str, str]] = {
    "customers": {},
    "identifiers": {"value": "named"},
    "links": {"left_value": "named", "right_value": "named", "touchpoint_id": "named"},
    "sightings": {"value": "named", "touchpoint_id": "named"},
    "seen": {"id": "named"},
    "touchpoints": {"id": "named", "payload": "named_json"},
    "passages": {"touchpoint_id": "named"},
    "outbox": {"key": "s.key", "value": _OUTBOX_VALUE},
}
"""Tables in the order of their references, and the columns that are not copied as they are; ids of any kind are made
twins. What is generated is left to the database."""


Copier = Callable[[psycopg.Connection, int, int], None]
"""Writes the copies from one number to another, both included."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What a database holds."""

    customers: int
    touchpoints: int
    bytes: int


def fill(url: str, copies: int) -> Filled:
    """Copy the sample that stands in `url` until it is there `copies` times.

    Raises:
        RaceError: what `twins` says of the sample is not what the worker said.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_FUNCTIONS)
        for table in COPIED:
            statement = "CREATE TABLE prefill.{0} AS TABLE journey.{0}"
            connection.execute(sql.SQL(statement).format(sql.Identifier(table)))
        statements = [_statement(connection, table) for table in COPIED]
        sample = Sample.read(connection)
    copiers = [*map(_copier, statements), *map(sample.copier, MADE)]
    with ThreadPoolExecutor(2) as pool:
        for copier in copiers:
            list(pool.map(partial(_load, url, copier), _chunks(copies)))
    with psycopg.connect(url) as connection:
        for rollup in (PATHS, FUNNELS):
            _spread(connection, rollup, copies)
    return _finish(url)


def _spread(connection: psycopg.Connection, rollup: Rollup, copies: int) -> None:
    """Make the sums those of all copies, spread over hours, as those of touchpoints that came over a month are."""
    connection.execute(rollup.statement(_ADD_COPIES), {"copies": copies, "hours": SPREAD_HOURS})
    connection.execute(rollup.statement("DELETE FROM journey.{table}_counts WHERE span <> 'h'"))
    connection.execute(rollup.statement("INSERT INTO journey.{table}_counts ({coarse})", coarse=rollup.coarse))


def _chunks(copies: int) -> list[tuple[int, int]]:
    return [(first, min(first + CHUNK, copies) - 1) for first in range(1, copies, CHUNK)]


def _load(url: str, copier: Copier, chunk: tuple[int, int]) -> None:
    options = "-c synchronous_commit=off -c session_replication_role=replica"  # no checks of references, row by row
    with psycopg.connect(url, options=options) as connection:
        copier(connection, *chunk)


def _copier(statement: sql.Composed) -> Copier:
    def copy(connection: psycopg.Connection, first: int, last: int) -> None:
        connection.execute(statement, {"first": first, "last": last})

    return copy


def _statement(connection: psycopg.Connection, table: str) -> sql.Composed:
    columns = _columns(connection, table)
    values = [_expression(column, kind, COPIED[table].get(column)) for column, kind in columns]
    return sql.SQL(
        "INSERT INTO journey.{table} ({columns}) SELECT {values} FROM prefill.{table} AS s,"
        " generate_series(%(first)s::integer, %(last)s::integer) AS k"
    ).format(
        table=sql.Identifier(table),
        columns=sql.SQL(", ").join(sql.Identifier(column) for column, _ in columns),
        values=sql.SQL(", ").join(values),
    )


def _columns(connection: psycopg.Connection, table: str) -> list[tuple[str, str]]:
    return connection.execute(
        """SELECT attname, format_type(atttypid, NULL) FROM pg_attribute
            WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = '' AND attgenerated = ''
            ORDER BY attnum""",
        (f"journey.{table}",),
    ).fetchall()


def _expression(of: str, kind: str, change: str | None) -> sql.Composable:
    column = sql.SQL("s.{}").format(sql.Identifier(of))
    if change == "named":
        return sql.SQL("prefill.named({}, k)").format(column)
    if change == "named_json":
        return sql.SQL("prefill.named({}::text, k)::json").format(column)
    if change is not None:
        return sql.SQL(change)
    return sql.SQL("prefill.twin({}, k)").format(column) if kind == "uuid" else column


SPREAD_HOURS = 30 * 24
"""Over how many hours the sums of all copies are spread; a question for a month of paths reads so many of them."""

_ADD_COPIES = """
INSERT INTO journey.{table}_counts AS p (span, since, step_id, bucket, {sums})
SELECT span, since - make_interval(hours => mod(k, %(hours)s)), step_id, bucket, {summed}
  FROM journey.{table}_counts, generate_series(1, %(copies)s::integer - 1) AS k
 WHERE span = 'h' GROUP BY 1, 2, 3, 4
ON CONFLICT (span, since, step_id, bucket) DO UPDATE SET {added}"""

Made = Callable[[Row, int], Row]
"""Makes the row of the copy with this number."""

MADE: Mapping[str, tuple[Made, tuple[str, ...]]] = {
    "journeys": (twins.of_journey, ("journey_id", "digest")),
    "frictions": (twins.of_friction, ("friction_id", "digest")),
    "timers": (twins.of_timer, ("timer_id",)),
}
"""Tables whose rows are made one by one, and the columns that show whether copy number 0 is what the worker wrote."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The rows of the sample that are not copied by SQL, by table."""

    rows: Mapping[str, list[Row]]

    @classmethod
    def read(cls, connection: psycopg.Connection) -> Self:
        """Read them, and check that copy number 0 is what the worker wrote."""
        rows = {table: _rows(connection, table) for table in MADE}
        for table, (made, telling) in MADE.items():
            for row in rows[table]:
                again = made(row, 0)
                if any(again[column] != row[column] for column in telling):
                    raise RaceError(f"copied {table} would not be what the worker says")
        return cls(rows)

    def copier(self, table: str) -> Copier:
        """Return what writes copies of the rows of a table."""

        def copy(connection: psycopg.Connection, first: int, last: int) -> None:
            _write(connection, table, self.rows[table], range(first, last + 1))

        return copy


def _rows(connection: psycopg.Connection, table: str) -> list[Row]:
    text = {column: f"{column}::text AS {column}" for column in ("payload", "effort_parts")}
    names = [column for column, _ in _columns(connection, table)]
    columns = sql.SQL(", ").join(sql.SQL(text[n]) if n in text else sql.Identifier(n) for n in names)
    query = sql.SQL("SELECT {} FROM journey.{}").format(columns, sql.Identifier(table))
    return connection.cursor(row_factory=dict_row).execute(query).fetchall()


def _write(connection: psycopg.Connection, table: str, rows: list[Row], copies: range) -> None:
    if not rows:
        return
    made, _ = MADE[table]
    names = sql.SQL(", ").join(map(sql.Identifier, rows[0]))
    copy_in = sql.SQL("COPY journey.{} ({}) FROM STDIN").format(sql.Identifier(table), names)
    with connection.cursor().copy(copy_in) as copy:
        for number in copies:
            for row in rows:
                copy.write_row(list(made(row, number).values()))


def _finish(url: str) -> Filled:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA prefill CASCADE")
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
        row = connection.execute(
            """SELECT (SELECT count(*) FROM journey.customers), (SELECT count(*) FROM journey.touchpoints),
                      pg_database_size(current_database())"""
        ).fetchone()
    assert row is not None
    return Filled(*row)
