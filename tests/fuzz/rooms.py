"""The three APIs on ports of their own, with real rows behind them: what the fuzzers ask.

A room lives in the event loop of whoever opens it.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
from prometheus_client import CollectorRegistry

from services.alerts.api.application import build as build_alerts
from services.journey.api.api_settings import ApiSettings
from services.journey.api.app import build as build_journey
from services.journey.rulebook import rules_file
from services.journey.versions import storing
from services.runtime.clock import SystemClock
from services.runtime.credentials.api_keys import KeyKind, mint
from services.runtime.http.server import serving
from services.runtime.postgres.pools import acquire, close_pool, create_pool, transaction
from services.runtime.process.tasks import TaskOwner
from tests.fixtures.alerts_engine import AlertsEngine, alerts_engine
from tests.fixtures.alerts_service import a_friction, a_receiver, mint_keys
from tests.fixtures.clock import SteppingClock
from tests.fixtures.ingest_bench import a_touchpoint, bench_with
from tests.fixtures.journey_api import WRITTEN_TRIALS, desk_over
from tests.fixtures.journey_rows import Rows, named
from tests.fuzz.edges import Known
from tests.waiting import until


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """An API that answers at `port`, its OpenAPI document, and what is really there."""

    port: int
    document: dict[str, Any]
    known: Known
    values: dict[str, tuple[str, ...]]
    """For parameters of paths, by name: what leads to real rows."""


Opening = Callable[[str], AbstractAsyncContextManager[Room]]
"""Opens a room over a migrated database."""


@asynccontextmanager
async def journey_room(database: str) -> AsyncIterator[Room]:
    """The journey API over a customer with a merge, journeys, aliases, frictions and touchpoints."""
    pool = await create_pool(database, application_name="test-fuzz", size=4)
    key = mint(KeyKind.READER)
    async with acquire(pool) as connection:
        await connection.execute(
            "INSERT INTO journey.api_keys (key_id, kind, secret_hash) VALUES ($1, 'reader', $2)",
            *(key.key_id, key.secret_hash),
        )
    await _journey_rows(Rows(pool))
    first = storing.first_rules(rules_file.resolve_file(), file="")
    async with transaction(pool) as connection:
        await storing.begin(connection, first, named=False)
    app = build_journey(
        pool, ApiSettings.load({}), SystemClock(), CollectorRegistry(), desk=desk_over(pool), trials=WRITTEN_TRIALS
    )
    customers = ("phone:%2B821012345678", "cookie:ck-1", f"id:{named('caller')}", f"id:{named('visitor')}")
    journeys = tuple(str(named(name)) for name in ("billing", "later", "oldest", "gone"))
    try:
        async with serving(app, "127.0.0.1", 0, drain_s=1.0) as port, _client(port, key.text) as client:
            timeline = f"/v1/customers/{customers[0]}/timeline"
            cursors = [
                await _cursor(client, at) for at in (timeline, f"{timeline}?from=2020-01-01T00:00:00Z", "/v1/journeys")
            ]
            document = (await client.get("/openapi.json")).json()
            known = Known(key=key.text, ids=(*customers, *journeys), cursors=(*cursors, "MSAy"))
            yield Room(
                port=port,
                document=document,
                known=known,
                values={"reference": customers, "journey_id": journeys, "rule": ("long_wait",)},
            )
    finally:
        await close_pool(pool)


async def _journey_rows(rows: Rows) -> None:
    await rows.customer("caller", level="premium")
    await rows.customer("visitor", merged_into="caller")
    await rows.identifier("caller", "phone", "+821012345678", verified=True)
    await rows.identifier("visitor", "cookie", "ck-1")
    await rows.journey("caller", "billing", reason="billing", refs={"case_id": "T-77"}, effort=35)
    await rows.journey("caller", "later", state="closed")
    await rows.alias("caller", "oldest", merged_into="billing")
    await rows.alias("caller", "gone", merged_into=None)
    for number in range(4):
        await rows.touchpoint("caller", f"call-{number}", number, journey="billing", text="다시 전화함")
    await rows.friction("caller", "again", ["call-1", "call-2"], journey="billing")
    await rows.friction("caller", "taken back", ["call-1"], journey="later", state="retracted", rule="transfers")


@asynccontextmanager
async def alerts_room(database: str) -> AsyncIterator[Room]:
    """The alerts API, its console and its stream over issues in every state, deliveries, routes and a team."""
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(a_receiver())
        clock = SteppingClock(datetime.now(UTC))
        engine = await stack.enter_async_context(alerts_engine(database, clock))
        key = (await mint_keys(database))["admin"]
        owner = await stack.enter_async_context(TaskOwner(stop_within_s=2.0))
        owner.start("live", engine.service.live.run)
        app = build_alerts(engine.service.parts, engine.service.health())
        port = await stack.enter_async_context(serving(app, "127.0.0.1", 0, drain_s=1.0))
        stack.callback(engine.service.live.close)
        client = await stack.enter_async_context(_client(port, key))
        values = await _alerts_rows(engine, client, receiver.url)
        await until(lambda: receiver.got(2))
        (endpoint,) = values["endpoint_id"]
        sent = (await client.get(f"/v1/endpoints/{endpoint}/deliveries")).json()["deliveries"]
        values["delivery_id"] = tuple(delivery["id"] for delivery in sent)
        cursors = [await _cursor(client, at) for at in ("/v1/issues", f"/v1/endpoints/{endpoint}/deliveries")]
        known = Known(
            key=key,
            ids=tuple(value for found in values.values() for value in found),
            cursors=(*cursors, "MSAy"),
            events=tuple(await engine.column("SELECT xid::text || '-' || id FROM alerts.feed ORDER BY id LIMIT 3")),
        )
        document = (await client.get("/openapi.json")).json()
        yield Room(port=port, document=document, known=known, values=values)


async def _alerts_rows(engine: AlertsEngine, client: httpx2.AsyncClient, url: str) -> dict[str, tuple[str, ...]]:
    team = (await client.post("/v1/teams", json={"name": "billing desk"})).json()["id"]
    body = {"name": "desk", "url": url, "catch_all": True, "team_id": team}
    endpoint = (await client.post("/v1/endpoints", json=body)).json()["id"]
    route = (await client.post("/v1/routes", json={"name": "all", "teams": [team], "continue": True})).json()["id"]
    for minutes in (1, 2, 3, 4):
        await engine.take(a_friction(occurred_at=engine.clock.now() - timedelta(minutes=minutes)))
    issues = tuple(str(found) for found in await engine.column("SELECT issue_id FROM alerts.issues ORDER BY 1"))
    await client.post(f"/v1/issues/{issues[0]}/acknowledge")
    await client.post(f"/v1/issues/{issues[1]}/resolve", json={"resolution": "called_back"})
    await client.post(f"/v1/issues/{issues[2]}/snooze", json={"for_s": 3600})
    return {"issue_id": issues, "endpoint_id": (endpoint,), "route_id": (route,), "team_id": (team,)}


@asynccontextmanager
async def ingest_room(_database: str = "") -> AsyncIterator[Room]:
    """Ingest with its inspector, which has seen touchpoints of every fate."""
    clock = SteppingClock(datetime(2026, 11, 22, 0, 15, tzinfo=UTC))
    bench = await bench_with(clock, wrong_keys_per_minute="0", requests_per_s="0", body_timeout_s="0.5").started()
    for document in (a_touchpoint(), a_touchpoint(), a_touchpoint(id="call-2", channel="smoke"), b"{"):
        await bench.post(document)
    async with serving(bench.app, "127.0.0.1", 0, drain_s=1.0) as port, _client(port, bench.key.text) as client:
        listing = (await client.get("/v1/inspector?limit=1")).json()
        cursors = (listing["next"], "MSAy")
        events = (f"{listing['replica']}-1-0", f"{listing['replica']}-{'9' * 40}-0", f"{listing['replica']}--1-0")
        known = Known(key=bench.key.text, ids=("ivr", "call-1"), cursors=cursors, events=events)
        document = (await client.get("/openapi.json")).json()
        yield Room(port=port, document=document, known=known, values={})
        bench.health.draining = True


def _client(port: int, key: str) -> httpx2.AsyncClient:
    headers = {"authorization": f"Bearer {key}"}
    return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30)


async def _cursor(client: httpx2.AsyncClient, at: str) -> str:
    answer = (
        await client.get(at, params={"limit": 1} if "?" not in at else None)
        if "?" not in at
        else await client.get(f"{at}&limit=1")
    )
    return str(answer.json()["next_cursor"])
