"""State of the reference job in PostgreSQL: one upsert for all journeys that a batch touched. asyncpg and nothing else.

Shared by the contestants that keep their state there: Waymark's worker, the aiokafka loop and the confluent-kafka loop.
A journey is read from the table once and then kept in memory, until `forget` is called: a batch that failed, or a
partition that went elsewhere. The offsets of the plain loops stand in `bench.progress`, moved by compare-and-swap.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import asyncpg
import asyncpg.pool

from benchmarks import reference_job
from benchmarks.reference_job import Journey

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
"""A connection, or one that a pool lends."""

BATCH_RECORDS = 5000
"""Records in one transaction, for all who batch."""

TABLES = """
CREATE SCHEMA bench;
CREATE TABLE bench.journeys (customer bytea PRIMARY KEY, state bytea NOT NULL) WITH (fillfactor = 70);
CREATE TABLE bench.progress (partition integer PRIMARY KEY, next_offset bigint NOT NULL) WITH (fillfactor = 50);
"""

_RECALL = "SELECT customer, state FROM bench.journeys WHERE customer = ANY($1::bytea[])"
_REMEMBER = """
INSERT INTO bench.journeys AS j (customer, state) SELECT * FROM unnest($1::bytea[], $2::bytea[])
ON CONFLICT (customer) DO UPDATE SET state = excluded.state"""
_LOCK = "SELECT partition, next_offset FROM bench.progress ORDER BY partition FOR UPDATE"
_ADVANCE = """
UPDATE bench.progress AS p SET next_offset = a.next_offset
  FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) AS a (partition, was, next_offset)
 WHERE p.partition = a.partition AND p.next_offset = a.was RETURNING p.partition"""


class Journeys:
    """The journeys of all customers that were met."""

    def __init__(self) -> None:
        self._kept: dict[bytes, Journey] = {}

    def forget(self) -> None:
        """Read them from the table again when they are needed."""
        self._kept.clear()

    async def apply(self, connection: Connection, records: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        """Do the job for (key, value) pairs and store what they touched; return the frictions to publish."""
        await self._recall(connection, {key for key, _ in records} - self._kept.keys())
        kept, update, decode = self._kept, reference_job.update, reference_job.decode
        frictions: list[tuple[bytes, bytes]] = []
        touched: dict[bytes, Journey] = {}
        for key, value in records:
            touchpoint = decode(value)
            journey = touched[key] = kept[key]
            broken = update(journey, touchpoint)
            if broken:
                frictions.append((key, reference_job.friction(touchpoint, broken)))
        states = [reference_job.remember(journey) for journey in touched.values()]
        await connection.execute(_REMEMBER, list(touched), states)
        return frictions

    async def _recall(self, connection: Connection, customers: Iterable[bytes]) -> None:
        missing = list(customers)
        if not missing:
            return
        for customer, state in await connection.fetch(_RECALL, missing):
            self._kept[customer] = reference_job.recall(state)
        for customer in missing:
            self._kept.setdefault(customer, Journey())


async def begin(pool: asyncpg.Pool, partitions: int) -> dict[int, int]:
    """Make the rows of progress and return where to read on."""
    await pool.execute(
        "INSERT INTO bench.progress SELECT n, 0 FROM generate_series(0, $1 - 1) n ON CONFLICT DO NOTHING", partitions
    )
    rows = await pool.fetch("SELECT partition, next_offset FROM bench.progress")
    return {row["partition"]: row["next_offset"] for row in rows}


async def advance(connection: Connection, moves: Mapping[int, tuple[int, int]]) -> None:
    """Move partitions from one offset to another, or raise: somebody else moved them."""
    partitions = sorted(moves)
    await connection.fetch(_LOCK)
    was, to = [moves[p][0] for p in partitions], [moves[p][1] for p in partitions]
    if len(await connection.fetch(_ADVANCE, partitions, was, to)) != len(partitions):
        raise RuntimeError("the progress is not where this loop left it")
