"""The console's process: wires, starts and stops it."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from importlib.metadata import version

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from services.console.forwarded import ApiName
from services.console.http import forwarding, page_files, provider_return, session_resource
from services.console.http.access import ConsoleParts
from services.console.http.forwarding import StreamDesk
from services.console.identity_provider import IdentityProvider
from services.console.metrics import ConsoleMetrics
from services.console.sessions import SessionSealer
from services.console.settings import ConsoleProcessSettings, ConsoleSettings
from services.console.upstream import Upstream
from services.runtime.clock import Clock, SystemClock
from services.runtime.credentials.sealing import SecretSealer
from services.runtime.http.application import build_api
from services.runtime.http.server import OnReady, serving, until_stopped
from services.runtime.process.startup import check_listening
from services.runtime.telemetry import logs
from services.runtime.telemetry.health import Check, CheckResult, HealthChecks

_log = logs.get_logger(__name__)

DESCRIPTION = """
The pages for people, and their sessions. Programs use the three APIs themselves; what the pages ask of them goes
through `/api/ingest`, `/api/journey` and `/api/alerts` of this origin, with the session instead of a key.
"""
TAGS = ({"name": "session", "description": "Signing in and out."},)


def build(settings: ConsoleSettings, clock: Clock, registry: CollectorRegistry) -> FastAPI:
    """Return the application; `app.state` has its `health`, its `desk` of streams, and its `upstream` to be closed."""
    metrics = ConsoleMetrics(registry)
    upstream = Upstream(settings, metrics)
    health = HealthChecks(registry=registry, ready=[_answers(upstream, api) for api in ApiName])
    app = build_api(
        title="Waymark console", description=DESCRIPTION, version=version("waymark"), health=health, tags=TAGS
    )
    keys = settings.master_keys or (secrets.token_urlsafe(32),)
    app.state.parts = ConsoleParts(
        settings=settings,
        sealer=SessionSealer(SecretSealer(keys)),
        upstream=upstream,
        metrics=metrics,
        clock=clock,
        provider=IdentityProvider(settings, clock) if settings.oidc_issuer else None,
    )
    app.state.health = health
    app.state.upstream = upstream
    app.state.provider = app.state.parts.provider or nullcontext()
    app.state.desk = StreamDesk(settings.stream_clients)
    app.include_router(session_resource.router)
    app.router.routes.extend(provider_return.routes())
    app.router.routes.extend(forwarding.routes(app.state.desk))
    app.router.routes.extend(page_files.routes())
    return app


async def run(settings: ConsoleProcessSettings, *, on_ready: OnReady | None = None) -> None:
    """Serve until SIGTERM or SIGINT; call `on_ready` with the port once requests are answered.

    Raises:
        SettingsError: a setting is wrong.
    """
    logs.configure("console", settings.common.log_level, settings.common.log_format)
    async with running(settings) as port:
        if on_ready is not None:
            await on_ready(port)
        await until_stopped()
    _log.info("console stopped")


@asynccontextmanager
async def running(settings: ConsoleProcessSettings) -> AsyncIterator[int]:
    """Run the process for the length of the block and yield its port; drain on leaving."""
    console = settings.console
    if not console.master_keys:
        _log.warning("no key for sessions is set: a restart signs everybody out, and replicas know only their own")
    check_listening(ConsoleSettings, console.host, console.port)
    app = build(console, SystemClock(), CollectorRegistry())
    async with (
        app.state.upstream,
        app.state.provider,
        serving(app, console.host, console.port, drain_s=console.drain_s, prefix=console.path_prefix) as port,
    ):
        _log.info("console serves", host=console.host, port=port)
        yield port
        app.state.health.draining = True
        app.state.desk.close()


def _answers(upstream: Upstream, api: ApiName) -> Check:
    """Return a check whether an API is ready; the pages say so, too, so the console itself is ready without."""

    async def check() -> CheckResult:
        ready = await upstream.is_ready(api)
        detail = "does not answer" if ready is None else "" if ready else "is not ready"
        return CheckResult(name=api, ok=bool(ready), detail=detail, essential=False)

    return check
