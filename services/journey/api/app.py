"""The process of the read API: puts its parts together, starts and stops them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import asyncpg
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from services.journey.api.api_metrics import ApiMetrics, LookupOutcome
from services.journey.api.api_settings import ApiProcessSettings, ApiSettings
from services.journey.api.authentication import build_authenticator
from services.journey.api.identity import identity_resource, policy_resource
from services.journey.api.identity.desk_opener import DeskOpener
from services.journey.api.issue_asking import IssueAsking
from services.journey.api.messages import ReadRefusal, refuse
from services.journey.api.overview import OverviewMetrics, keep_overview
from services.journey.api.resources import (
    account_resource,
    customer_resource,
    funnel_resource,
    journey_resource,
    outcome_resource,
    path_resource,
    pipeline_resource,
    stream_resource,
    touchpoint_resource,
)
from services.journey.api.resources.access import ReadApi
from services.journey.api.rules import (
    case_resource,
    explanation_resource,
    rule_resource,
    shadow_resource,
    trial_resource,
)
from services.journey.api.rules.trial_runner import TrialMeans, TrialRunner
from services.journey.live.live_changes import LiveChanges
from services.journey.past.past_reading import PastReader
from services.journey.read.account_reading import AccountReader
from services.journey.read.aggregates.customers_behind import CustomersBehind
from services.journey.read.aggregates.funnel_reading import FunnelReader
from services.journey.read.aggregates.hour_reading import HourReader
from services.journey.read.aggregates.path_reading import PathReader
from services.journey.read.aggregates.pipeline_reading import PipelineReader
from services.journey.read.contact_reading import ContactReader
from services.journey.read.queries import JourneyReader
from services.journey.read.snapshots import IdentifierOfManyError
from services.journey.read.timeline import TimelineReader
from services.journey.read.touchpoint_fate import FateReader
from services.journey.trial.case import CaseReader
from services.runtime.addresses import value_forms
from services.runtime.clock import Clock, SystemClock, new_id
from services.runtime.http.application import build_api, field_problems, http_problem
from services.runtime.http.event_stream import StreamListeners
from services.runtime.http.problems import problem_response
from services.runtime.http.server import OnReady, serving, until_stopped
from services.runtime.postgres.pools import (
    TRANSIENT,
    Pool,
    acquire,
    close_pool,
    create_pool,
    is_transient,
    ping,
    place_of,
)
from services.runtime.process.startup import check_listening, open_postgres
from services.runtime.process.tasks import TaskOwner
from services.runtime.telemetry import logs
from services.runtime.telemetry.health import Check, CheckResult, HealthChecks

_log = logs.get_logger(__name__)


WRITERS = 2
"""Connections that carry out what operators say; opened when the first of them does."""

DESCRIPTION = """
What Waymark knows about customers and their journeys, for agents, dashboards and other systems. Nothing is changed
here but who is who, and the rules, by operators with an admin key.

Send a reader, agent or admin key as `Authorization: Bearer wm_reader_…`. Times are RFC 3339; answers are in UTC with
microseconds. Errors are problem documents (RFC 9457) with a stable `code` and a `message` that says what to do, in
Korean where `Accept-Language` prefers it. Lists are paged by `next_cursor`: send it back unchanged.
"""
TAGS = (
    {"name": "customers", "description": "One person behind many identifiers, and what happened to them."},
    {"name": "touchpoints", "description": "What became of what was published; asked by ingest."},
    {"name": "journeys", "description": "Stories towards one end, and how hard they were."},
    {"name": "identity", "description": "Why identifiers are one customer, and words of operators that change it."},
    {"name": "rules", "description": "What friction is: the rules in force, their history, checking and applying."},
    {
        "name": "paths",
        "description": "How all customers together go from touchpoint to touchpoint, and stage to stage.",
    },
)


def build(
    pool: Pool,
    settings: ApiSettings,
    clock: Clock,
    registry: CollectorRegistry,
    *,
    desk: DeskOpener,
    trials: TrialMeans,
) -> FastAPI:
    """Return the application over an open `pool`, with a desk that opens another to write, and means to try rules."""
    health = HealthChecks(registry=registry, ready=(_database(pool), _schema(pool)))
    app = build_api(
        title="Waymark journey API", description=DESCRIPTION, version=version("waymark"), health=health, tags=TAGS
    )
    app.state.health = health
    app.state.read_api = _read_api(pool, settings, clock, registry)
    app.state.desk_opener = desk
    app.state.case_reader = trials.cases
    app.state.trials = TrialRunner(
        url=trials.database, processes=settings.trial_processes if trials.database else 0, most_s=settings.trial_limit_s
    )
    for resource in (
        stream_resource,
        identity_resource,
        policy_resource,
        shadow_resource,
        rule_resource,
        explanation_resource,
        case_resource,
        trial_resource,
        customer_resource,
        journey_resource,
        account_resource,
        path_resource,
        pipeline_resource,
        funnel_resource,
        outcome_resource,
        touchpoint_resource,
    ):
        app.include_router(resource.router)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(IdentifierOfManyError, _on_identifier_of_many)
    for kind in TRANSIENT:
        app.add_exception_handler(kind, _on_outage)  # type: ignore[arg-type]  # the tuple holds exceptions, not mere BaseExceptions
    return app


def _read_api(pool: Pool, settings: ApiSettings, clock: Clock, registry: CollectorRegistry) -> ReadApi:
    metrics = ApiMetrics(registry)
    return ReadApi(
        pool=pool,
        reader=JourneyReader(pool),
        timelines=TimelineReader(pool),
        past=PastReader(pool, new_id, settings.history_touchpoints),
        paths=PathReader(pool),
        funnels=FunnelReader(pool),
        behind=CustomersBehind(pool),
        hours=HourReader(pool),
        pipeline=PipelineReader(pool),
        contacts=ContactReader(pool),
        accounts=AccountReader(pool),
        fates=FateReader(pool),
        issues=IssueAsking(settings.alerts),
        authenticator=build_authenticator(pool, clock, for_people=value_forms.words(settings.keys_for_people)),
        live=_live_changes(pool, settings, metrics),
        metrics=metrics,
        phone_region=settings.phone_region,
        privacy_secret=settings.privacy_secret.get_secret_value().encode(),
        outcomes_secret=settings.outcomes_secret.get_secret_value().encode(),
    )


async def run(settings: ApiProcessSettings, *, cases: CaseReader, on_ready: OnReady | None = None) -> None:
    """Serve until SIGTERM or SIGINT; `cases` reads what is sent to try rules on.

    Raises:
        SettingsError: a setting is wrong.
        DependencyUnavailableError: PostgreSQL cannot be reached within half a minute.
    """
    logs.configure("journey-api", settings.common.log_level, settings.common.log_format)
    check_listening(ApiSettings, settings.api.host, settings.api.port)
    async with _pool(settings) as pool:
        clock, registry = SystemClock(), CollectorRegistry()
        desk = DeskOpener(
            open_pool=lambda: _open_pool(settings, writes=True), api=settings.api, worker=settings.worker, clock=clock
        )
        trials = TrialMeans(cases=cases, database=place_of(settings.common).url)
        app = build(pool, settings.api, clock, registry, desk=desk, trials=trials)
        pulse = OverviewMetrics.register(registry)
        async with (
            TaskOwner() as owner,
            serving(
                app,
                settings.api.host,
                settings.api.port,
                drain_s=settings.api.drain_s,
                prefix=settings.api.path_prefix,
            ) as port,
        ):
            owner.start("pulse", lambda: keep_overview(pool, pulse, clock))
            owner.start("live", app.state.read_api.live.run)
            _log.info("journey api ready", host=settings.api.host, port=port)
            if on_ready is not None:
                await on_ready(port)
            await until_stopped()
            app.state.health.draining = True
            app.state.read_api.live.close()
        await app.state.read_api.issues.aclose()
        await desk.close()
    _log.info("journey api stopped")


@asynccontextmanager
async def _pool(settings: ApiProcessSettings) -> AsyncIterator[Pool]:
    pool = await open_postgres(lambda: _open_pool(settings))
    try:
        yield pool
    finally:
        await close_pool(pool)


async def _open_pool(settings: ApiProcessSettings, *, writes: bool = False) -> Pool:
    return await create_pool(
        place_of(settings.common),
        application_name="waymark-journey-api",
        size=WRITERS if writes else settings.api.database_connections,
        statement_timeout_s=settings.api.statement_timeout_s,
        writes=writes,
    )


def _live_changes(pool: Pool, settings: ApiSettings, metrics: ApiMetrics) -> LiveChanges:
    return LiveChanges(
        pool=pool,
        listeners=StreamListeners(
            most=settings.stream_clients,
            queue_length=settings.stream_queue,
            heartbeat_s=settings.heartbeat_s,
            connected=metrics.live_clients.set,
            dropped=lambda reason: metrics.live_clients_dropped.labels(reason).inc(),
        ),
    )


def _database(pool: Pool) -> Check:
    async def check() -> CheckResult:
        return await ping(pool, writes=False)  # a standby answers as well

    return check


def _schema(pool: Pool) -> Check:
    """Return a check whether the journey schema exists: without it every answer would be an error."""

    async def check() -> CheckResult:
        try:
            async with asyncio.timeout(2.0), acquire(pool) as connection:
                there = await connection.fetchval("SELECT to_regclass('journey.customers') IS NOT NULL")
        except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            return CheckResult(name="schema", ok=False, detail=type(error).__name__)
        return CheckResult(name="schema", ok=bool(there), detail="" if there else "run `waymark migrate`")

    return check


async def _on_outage(request: Request, error: Exception) -> Response:
    if not is_transient(error):
        raise error  # a value that the driver cannot encode looks like an outage by its type
    route = getattr(request.scope.get("route"), "path", "unrouted")
    _log.warning("database does not answer", route=route, reason=type(error).__name__)
    return problem_response(refuse(ReadRefusal.STORE_UNAVAILABLE, request.headers.get("accept-language")))


async def _on_identifier_of_many(request: Request, _: Exception) -> Response:
    api: ReadApi = request.app.state.read_api
    api.metrics.looked_up(LookupOutcome.OF_MANY)
    return problem_response(refuse(ReadRefusal.IDENTIFIER_OF_MANY, request.headers.get("accept-language")))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for this type alone
    refusal = _REFUSED_BY_STATUS.get(error.status_code)
    if refusal is None:
        return problem_response(http_problem(error))
    return problem_response(refuse(refusal, request.headers.get("accept-language")))


_REFUSED_BY_STATUS = {404: ReadRefusal.NO_SUCH_ROUTE, 405: ReadRefusal.METHOD_NOT_ALLOWED}


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  registered for this type alone
    problem = refuse(ReadRefusal.INVALID_REQUEST, request.headers.get("accept-language"))
    problem.errors = tuple(field_problems(error))
    return problem_response(problem)
