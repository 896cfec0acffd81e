"""What stands in the end: the tables of both services and the topic `frictions`, as plain values.

Reads SQL and Kafka and decides nothing; comparing with the oracle is left to `tests.faults.checker`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import asyncpg
import orjson

from tests.faults.log_reading import LogReader

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """One record of the topic `frictions`."""

    id: str
    revision: int
    state: str
    document: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A friction as it stands in the database of the journey service."""

    rule: str
    severity: str
    customer: str
    journey: str | None
    revision: int
    document: dict[str, Any]

    @property
    def evidence(self) -> tuple[Key, ...]:
        """The touchpoints it names."""
        return tuple((one["source"], one["id"]) for one in self.document["touchpoints"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far both services say that they are, and where the logs end; by topic and partition."""

    applied: Mapping[tuple[str, int], int]
    ends: Mapping[tuple[str, int], int]
    lines: int
    """How many lives of a log the services know, added up: one each, unless a fault made another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """What the alert service says that it told: the state of each webhook-id, and the issues that were announced."""

    states: Mapping[str, str]
    announced: Collection[str]
    """Issues with a notification that says that they were opened."""

    open_issues: Collection[str]
    """Issues that hold a standing friction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Everything that the checker looks at. Customers are the surviving ones."""

    touchpoints: list[tuple[Key, bool, str, str | None]]
    """Key, late, customer and journey of each row."""

    dead_letters: list[tuple[int, int]]
    identifiers: dict[tuple[str, str], str]
    frictions: dict[str, Standing]
    """Those that are detected."""

    retracted: set[str]
    issues: dict[str, str]
    """The issue of each friction that stands, as the alert service has it."""

    fingerprints: dict[str, str]
    """The fingerprint of each issue that holds a standing friction and is not resolved."""

    settled: dict[str, str]
    """The kind of touchpoint by which an issue that holds a standing friction closed by itself."""

    published: list[Published]
    orphans: list[str]
    """References that lead nowhere, in words."""


async def observe(database: str, bootstrap: str) -> Observed:
    """Read it all. Nothing may be running any more, or at least nothing may be moving."""
    connection = await asyncpg.connect(database)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            root = await _roots(connection)
            return Observed(
                touchpoints=[
                    ((row["source"], row["id"]), row["late"], root[str(row["customer_id"])], _text(row["journey_id"]))
                    for row in await connection.fetch("SELECT * FROM journey.touchpoints")
                ],
                dead_letters=[
                    (row["partition"], row["offset"])
                    for row in await connection.fetch('SELECT partition, "offset" FROM journey.dead_letters')
                ],
                identifiers={
                    (row["type"], row["value"]): root[str(row["customer_id"])]
                    for row in await connection.fetch(
                        "SELECT type, value, customer_id FROM journey.identifiers WHERE customer_id IS NOT NULL"
                    )
                },
                frictions=await _frictions(connection, root),
                retracted=await _retracted(connection),
                issues=await _pairs(connection, _ISSUES),
                fingerprints=await _pairs(connection, _FINGERPRINTS),
                settled=await _pairs(connection, _SETTLED),
                published=await read_frictions(bootstrap),
                orphans=[row["what"] for row in await connection.fetch(_ORPHANS)],
            )
    finally:
        await connection.close()


_ISSUES = "SELECT friction_id, issue_id::text FROM alerts.frictions WHERE state = 'detected'"
_FINGERPRINTS = """
SELECT issue_id::text, fingerprint FROM alerts.issues
 WHERE state <> 'resolved' AND issue_id IN (SELECT issue_id FROM alerts.frictions WHERE state = 'detected')
"""
_SETTLED = """
SELECT issue_id::text, document->>'resolution' FROM alerts.issues
 WHERE state = 'resolved' AND document->>'resolved_by' = 'waymark'
   AND document->>'resolution' NOT IN ('merged', 'retracted')
   AND issue_id IN (SELECT issue_id FROM alerts.frictions WHERE state = 'detected')
"""
_ORPHANS = """
SELECT 'identifier of nobody: ' || type AS what FROM journey.identifiers i
 WHERE i.customer_id IS NOT NULL AND NOT EXISTS (SELECT FROM journey.customers c WHERE c.customer_id = i.customer_id)
UNION ALL
SELECT 'touchpoint of nobody' FROM journey.touchpoints t
 WHERE NOT EXISTS (SELECT FROM journey.customers c WHERE c.customer_id = t.customer_id)
UNION ALL
SELECT 'touchpoint in no journey' FROM journey.touchpoints t
 WHERE t.journey_id IS NOT NULL AND NOT EXISTS (SELECT FROM journey.journeys j WHERE j.journey_id = t.journey_id)
UNION ALL
SELECT 'friction of no journey' FROM journey.frictions f
 WHERE f.state = 'detected' AND NOT EXISTS (SELECT FROM journey.journeys j WHERE j.journey_id = f.journey_id)
UNION ALL
SELECT 'journey without touchpoints' FROM journey.journeys j
 WHERE NOT EXISTS (SELECT FROM journey.touchpoints t WHERE t.journey_id = j.journey_id)
UNION ALL
SELECT 'timer without touchpoint' FROM journey.timers m
 WHERE NOT EXISTS (SELECT FROM journey.touchpoints t WHERE t.source = m.source AND t.id = m.touchpoint_id)
UNION ALL
SELECT 'seen without touchpoint' FROM journey.seen s
 WHERE NOT EXISTS (SELECT FROM journey.touchpoints t WHERE t.source = s.source AND t.id = s.id)
"""


_PROGRESS = """
SELECT topic, partition, max(next_offset) AS applied FROM journey.progress GROUP BY 1, 2
UNION ALL SELECT topic, partition, max(next_offset) FROM alerts.progress GROUP BY 1, 2
"""
_LINES = """
SELECT (SELECT count(DISTINCT line) FROM journey.progress) + (SELECT count(DISTINCT line) FROM alerts.progress)
"""
_ANNOUNCED = (
    "SELECT DISTINCT issue_id::text AS id FROM alerts.notifications WHERE type IN ('issue.opened', 'issue.reopened')"
)


async def read_progress(database: str, bootstrap: str) -> Progress:
    """How far both services are, and where the logs end."""
    ends: dict[tuple[str, int], int] = {}
    for topic in ("touchpoints", "frictions"):
        async with LogReader(bootstrap, topic) as log:
            ends |= {(topic, partition): end for partition, end in (await log.ends()).items()}
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch(_PROGRESS)
        applied = {(row["topic"], row["partition"]): row["applied"] for row in rows}
        return Progress(applied=applied, ends=ends, lines=await connection.fetchval(_LINES))
    finally:
        await connection.close()


async def read_deliveries(database: str) -> Deliveries:
    """What the alert service says that it told."""
    connection = await asyncpg.connect(database)
    try:
        return Deliveries(
            states=await _pairs(connection, "SELECT delivery_id, state FROM alerts.deliveries"),
            announced={row["id"] for row in await connection.fetch(_ANNOUNCED)},
            open_issues=set(await _pairs(connection, _FINGERPRINTS)),
        )
    finally:
        await connection.close()


async def _roots(connection: Connection) -> dict[str, str]:
    """The survivor of every customer; a cycle of merges is an error of its own."""
    rows = await connection.fetch("SELECT customer_id::text AS id, merged_into::text AS into FROM journey.customers")
    into = {row["id"]: row["into"] for row in rows}
    roots = {}
    for one in into:
        root, steps = one, 0
        while (absorber := into[root]) is not None:
            root, steps = absorber, steps + 1
            if steps > len(into):
                raise AssertionError("customers are merged in a circle")
        roots[one] = root
    return roots


async def _frictions(connection: Connection, root: dict[str, str]) -> dict[str, Standing]:
    return {
        str(row["friction_id"]): Standing(
            rule=row["rule"],
            severity=row["severity"],
            customer=root[str(row["customer_id"])],
            journey=_text(row["journey_id"]),
            revision=row["revision"],
            document=orjson.loads(row["payload"]),
        )
        for row in await connection.fetch("SELECT * FROM journey.frictions WHERE state = 'detected'")
    }


async def _retracted(connection: Connection) -> set[str]:
    rows = await connection.fetch("SELECT friction_id FROM journey.frictions WHERE state = 'retracted'")
    return {str(row["friction_id"]) for row in rows}


async def _pairs(connection: Connection, statement: str) -> dict[str, str]:
    return {row[0]: row[1] for row in await connection.fetch(statement)}


async def read_frictions(bootstrap: str) -> list[Published]:
    """The whole topic, partition by partition."""
    async with LogReader(bootstrap, "frictions") as log:
        documents = [orjson.loads(value) for value in await log.values()]
    return [Published(id=one["id"], revision=one["revision"], state=one["state"], document=one) for one in documents]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
