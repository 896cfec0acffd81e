"""What a migration makes of rows that an earlier release left."""

import json
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import pytest

from services.alerts.issues.model import AlertSeverity
from services.alerts.migrations import alerts_0006_hearing as hearing
from services.alerts.notify import directory_store
from services.alerts.policy.tree import RouteOptions, RoutingFacts
from services.runtime.postgres.pools import Connection
from tests.fixtures.alerts_service import rows

pytestmark = pytest.mark.local

DESK = str(uuid4())


async def keep(connection: asyncpg.Connection, history: list[tuple[str, dict[UUID, list[str]]]]) -> None:
    """Write versions of the routes, each with its change and the endpoints by route; the last is how they stand."""
    for change, routes in history:
        document = [{"id": str(key), "name": "r", "endpoints": names, "teams": []} for key, names in routes.items()]
        await connection.execute(
            "INSERT INTO alerts.route_versions (at, actor, change, document) VALUES (now(), 'test', $1, $2)",
            *(change, json.dumps(document)),
        )
    for position, (key, names) in enumerate(history[-1][1].items()):
        await connection.execute(
            "INSERT INTO alerts.routes (route_id, position, name, endpoints, updated_at)"
            " VALUES ($1, $2, 'r', $3, now())",
            *(key, position, names),
        )


async def test_routes_that_were_emptied_on_purpose_tell_nobody(database: str) -> None:
    made_empty, emptied, lost, lost_then_kept, telling = (uuid4() for _ in range(5))
    history: list[tuple[str, dict[UUID, list[str]]]] = [
        ("route added", {made_empty: [], emptied: [DESK], lost: [DESK], lost_then_kept: [DESK], telling: [DESK]}),
        ("endpoint deleted", {made_empty: [], emptied: [DESK], lost: [], lost_then_kept: [], telling: [DESK]}),
        ("route changed", {made_empty: [], emptied: [], lost: [], lost_then_kept: [DESK], telling: [DESK]}),
        ("route changed", {made_empty: [], emptied: [], lost: [], lost_then_kept: [], telling: [DESK]}),
    ]
    async with rows(database) as connection:
        await keep(connection, history)
        await connection.execute(hearing.MUTED_ON_PURPOSE)
        muted = await connection.fetch("SELECT route_id FROM alerts.routes WHERE tells_nobody")

    assert {row["route_id"] for row in muted} == {made_empty, emptied, lost_then_kept}


async def test_routes_of_an_earlier_release_are_routes_of_the_tree(database: str) -> None:
    key = uuid4()
    async with rows(database) as connection:
        await keep(connection, [("route added", {key: [DESK]})])
        directory = await directory_store.load_directory(cast(Connection, connection))

    [route] = directory.routes
    assert (route.id, route.endpoints, route.matchers, route.routes) == (key, (UUID(DESK),), (), ())
    assert route.options == RouteOptions()
    assert not directory.policy.walk(RoutingFacts(rules=("x",), severity=AlertSeverity.LOW)).hits[0].options.grouped


async def an_issue(connection: asyncpg.Connection, state: str, document: dict[str, Any], reason: str | None) -> UUID:
    key = uuid4()
    await connection.execute(
        """
        INSERT INTO alerts.issues (issue_id, document, fingerprint, occurrence, version, state, severity, rules,
            customer_id, channel, count, last_at, opened_at, resolved_at, updated_at)
        VALUES ($1, $2, $3, 1, 1, $4, 'low', '{}', 'c', 'phone', 1, now(), now(),
                CASE WHEN $4 = 'resolved' THEN now() END, '2026-11-22T00:15:00Z')
        """,
        *(key, json.dumps(document), str(key), state),
    )
    for line in ("quiet", reason) if reason else ():
        await connection.execute(
            "INSERT INTO alerts.issue_events (issue_id, version, at, actor, kind, detail)"
            " VALUES ($1, 1, now(), 'waymark', 'not_told', $2)",
            *(key, json.dumps({"reason": line})),
        )
    return key


async def test_issues_that_nobody_could_hear_of_wait_and_untold_ends_count_as_told(database: str) -> None:
    untold = {"loud_severity": "low", "told": {"severity": None, "resolved": False}}
    ended = {"loud_severity": "low", "told": {"severity": "low", "resolved": False}}
    async with rows(database) as connection:
        waiting = await an_issue(connection, "open", untold, "no_route")
        await an_issue(connection, "open", untold, "not_wanted")
        await an_issue(connection, "open", untold, None)
        await an_issue(connection, "acknowledged", untold, "no_route")
        over = await an_issue(connection, "resolved", ended, None)
        standing = await an_issue(connection, "open", ended, None)
        await connection.execute(hearing.ENDS_COUNT_AS_TOLD)
        await connection.execute(hearing.WAITING_ALREADY)
        found = await connection.fetch("SELECT issue_id FROM alerts.issues WHERE unheard_since IS NOT NULL")
        told = await connection.fetch(
            "SELECT issue_id, document->'told'->>'resolved' AS resolved, document->>'unheard_since' AS since"
            "  FROM alerts.issues WHERE issue_id = ANY($1)",
            [waiting, over, standing],
        )

    assert [row["issue_id"] for row in found] == [waiting]
    by_id = {row["issue_id"]: (row["resolved"], row["since"]) for row in told}
    assert by_id[over] == ("true", None)
    assert by_id[standing] == ("false", None)
    assert by_id[waiting][1].startswith("2026-11-22T00:15:00")
