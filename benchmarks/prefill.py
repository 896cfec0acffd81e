"""Fills a database with customers as the worker would have left them, without the hours that it would take.

The worker itself applies a sample; its rows are then copied, each copy with other customers: their names and telephone
numbers have the number of the copy in them (see `traffic`). Ids that are made of content
(frictions, timers) are made anew with the domain's own functions, and so are the digests of frictions, so that the
worker finds nothing to mend when such a customer comes back. Everything else is copied by SQL.
"""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any, Self, cast
from uuid import UUID

import msgspec
import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from benchmarks.racing import RaceError
from benchmarks.traffic import name, phone
from services.journey.domain import friction as friction_domain
from services.journey.domain.friction import Finding, Friction
from services.journey.domain.names import CustomerId, JourneyId, friction_id, timer_id

COPY_ROOM = 10_000
"""Numbers of customers are so far apart from copy to copy."""

CHUNK = 25
"""Copies in one transaction."""

NAME, PHONE = name(0)[:-4], phone(0)[:-4]
"""How names and telephone numbers of the sample begin: `n0000`, and a prefix with three digits for the copy."""

_FUNCTIONS = f"""
CREATE SCHEMA prefill;
CREATE FUNCTION prefill.named(t text, k integer) RETURNS text IMMUTABLE LANGUAGE sql AS
$$ SELECT replace(replace(t, '{NAME}', 'n' || lpad(k::text, 4, '0')),
                  '{PHONE}', '{PHONE[:-3]}' || lpad(k::text, 3, '0')) $$;
CREATE FUNCTION prefill.twin(id uuid, k integer) RETURNS uuid IMMUTABLE LANGUAGE sql AS
$$ SELECT md5(id::text || k::text)::uuid $$;
"""
_JOURNEY_PAYLOAD = """replace(replace(prefill.named(s.payload::text, k), s.journey_id::text,
    prefill.twin(s.journey_id, k)::text), s.customer_id::text, prefill.twin(s.customer_id, k)::text)::json"""
_OUTBOX_VALUE = "convert_to(prefill.named(convert_from(s.value, 'UTF8'), k), 'UTF8')"

COPIED: Mapping[str, Mapping[str, str]] = {
    "customers": {},
    "identifiers": {"value": "named"},
    "links": {"left_value": "named", "right_value": "named", "touchpoint_id": "named"},
    "seen": {"id": "named"},
    "touchpoints": {"id": "named", "payload": "named_json"},
    "journeys": {"payload": _JOURNEY_PAYLOAD},
    "outbox": {"key": "s.key", "value": _OUTBOX_VALUE},
}
"""Tables in the order of their references, and the columns that are not copied as they are; ids of any kind are made
twins. What is generated is left to the database."""


@dataclass(frozen=True, slots=True)
class Filled:
    """What a database holds."""

    customers: int
    touchpoints: int
    bytes: int


def fill(url: str, copies: int) -> Filled:
    """Copy the sample that stands in `url` until it is there `copies` times.

    Raises:
        RaceError: what this module says of the sample's frictions or timers is not what the worker said.
    """
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_FUNCTIONS)
        for table in (*COPIED, "frictions", "timers"):
            statement = "CREATE TABLE prefill.{0} AS TABLE journey.{0}"
            connection.execute(sql.SQL(statement).format(sql.Identifier(table)))
        statements = [_statement(connection, table) for table in COPIED]
        sample = Sample.read(connection)
    copiers: list[Callable[[psycopg.Connection, int, int], None]] = [_copier(one) for one in statements]
    copiers += [sample.copy_frictions, sample.copy_timers]
    with ThreadPoolExecutor(2) as pool:
        for copier in copiers:
            list(pool.map(partial(_load, url, copier), _chunks(copies)))
    return _finish(url)


def _chunks(copies: int) -> list[tuple[int, int]]:
    return [(first, min(first + CHUNK, copies) - 1) for first in range(1, copies, CHUNK)]


def _load(url: str, copier: Callable[[psycopg.Connection, int, int], None], chunk: tuple[int, int]) -> None:
    options = "-c synchronous_commit=off -c session_replication_role=replica"  # no checks of references, row by row
    with psycopg.connect(url, options=options) as connection:
        copier(connection, *chunk)


def _copier(statement: sql.Composed) -> Callable[[psycopg.Connection, int, int], None]:
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


Rows = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Sample:
    """Frictions and timers of the sample, as rows."""

    frictions: Rows
    timers: Rows

    @classmethod
    def read(cls, connection: psycopg.Connection) -> Self:
        """Read them, and check that copy number 0 is what the worker wrote."""
        frictions = _rows(connection, "frictions")
        timers = _rows(connection, "timers")
        for row in frictions:
            again = _friction(row, 0)
            if (again["friction_id"], again["digest"]) != (row["friction_id"], row["digest"]):
                raise RaceError(f"a copied friction of {row['rule']} would not be what the worker says")
        for row in timers:
            if _timer(row, 0)["timer_id"] != row["timer_id"]:
                raise RaceError(f"a copied timer of {row['rule']} would not be what the worker says")
        return cls(frictions, timers)

    def copy_frictions(self, connection: psycopg.Connection, first: int, last: int) -> None:
        """Write copies of the frictions."""
        _write(connection, "frictions", self.frictions, _friction, range(first, last + 1))

    def copy_timers(self, connection: psycopg.Connection, first: int, last: int) -> None:
        """Write copies of the timers."""
        _write(connection, "timers", self.timers, _timer, range(first, last + 1))


def _rows(connection: psycopg.Connection, table: str) -> Rows:
    text = {"payload": "payload::text AS payload"}
    names = [column for column, _ in _columns(connection, table)]
    columns = sql.SQL(", ").join(sql.SQL(text[n]) if n in text else sql.Identifier(n) for n in names)
    query = sql.SQL("SELECT {} FROM journey.{}").format(columns, sql.Identifier(table))
    return connection.cursor(row_factory=dict_row).execute(query).fetchall()


def _write(
    connection: psycopg.Connection,
    table: str,
    rows: Rows,
    made: Callable[[dict[str, Any], int], dict[str, Any]],
    copies: range,
) -> None:
    if not rows:
        return
    names = sql.SQL(", ").join(map(sql.Identifier, rows[0]))
    copy_in = sql.SQL("COPY journey.{} ({}) FROM STDIN").format(sql.Identifier(table), names)
    with connection.cursor().copy(copy_in) as copy:
        for number in copies:
            for row in rows:
                copy.write_row(list(made(row, number).values()))


def _friction(row: dict[str, Any], copy: int) -> dict[str, Any]:
    said = friction_domain.decode(named(row["payload"], copy).encode())
    anchor = said.anchor
    friction = friction_id(
        said.rule, anchor.source, interaction_id=anchor.interaction_id, touchpoint_id=anchor.touchpoint_id or ""
    )
    ids = said.journey_ids or ((said.journey_id,) if said.journey_id else ())
    journeys = tuple(JourneyId(twin(one, copy)) for one in ids)
    made = msgspec.structs.replace(
        said,
        id=friction,
        customer_id=CustomerId(twin(said.customer_id, copy)),
        journey_id=journeys[0] if journeys else None,
        journey_ids=journeys if len(journeys) > 1 else (),
    )
    return {
        **row,
        "friction_id": friction,
        "customer_id": made.customer_id,
        "journey_id": made.journey_id,
        "digest": _digest(made, journeys),
        "payload": friction_domain.encode(made).decode(),
    }


def _digest(said: Friction, journeys: tuple[JourneyId, ...]) -> bytes:
    """Return the digest that the domain gives what is said: of a finding, which only lends it its members here."""
    finding = SimpleNamespace(
        rule_version=said.rule_version,
        severity=said.severity,
        at=SimpleNamespace(occurred_at=said.occurred_at, channel=said.channel),
        touchpoints=tuple((one.source, one.id) for one in said.touchpoints),
        evidence=said.evidence,
        timeline=said.timeline,
        reason=said.reason,
        service_level=said.service_level,
        refs=said.refs,
    )
    return friction_domain.digest(cast(Finding, finding), journeys)


def _timer(row: dict[str, Any], copy: int) -> dict[str, Any]:
    touchpoint_id = named(row["touchpoint_id"], copy)
    return {
        **row,
        "timer_id": timer_id(row["rule"], row["source"], touchpoint_id),
        "customer_id": twin(row["customer_id"], copy),
        "touchpoint_id": touchpoint_id,
    }


def twin(id_: UUID, copy: int) -> UUID:
    """Return what `prefill.twin` returns; the sample is copy 0 and its own twin."""
    if copy == 0:
        return id_
    return UUID(hashlib.md5(f"{id_}{copy}".encode(), usedforsecurity=False).hexdigest())


def named(text: str, copy: int) -> str:
    """Return what `prefill.named` returns."""
    return text.replace(NAME, name(copy * COPY_ROOM)[:-4]).replace(PHONE, phone(copy * COPY_ROOM)[:-4])


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
