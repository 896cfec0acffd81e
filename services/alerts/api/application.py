"""Builds the FastAPI application from the routers of this package and the parts of the service."""

from importlib.metadata import version

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from services.alerts.api import (
    access,
    console,
    endpoint_resource,
    issue_resource,
    reachability_resource,
    reply_resource,
    routing_resource,
    stream_resource,
)
from services.alerts.api.access import ApiParts
from services.alerts.api.loop import (
    digest_resource,
    feedback_resource,
    impact_resource,
    improvement_resource,
    watch_resource,
)
from services.alerts.api.overview import overview_resource
from services.alerts.api.policy import escalation_resource, policy_resource
from services.runtime.http.application import build_api
from services.runtime.http.problems import Problem, problem_response
from services.runtime.postgres.pools import TRANSIENT, is_transient
from services.runtime.telemetry.health import HealthChecks
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

DESCRIPTION = """
Issues, and who is notified of them. Send a key as `Authorization: Bearer wm_…`: a reader can look, an agent can also
act on issues, and an admin can also decide who is notified. Keys in addresses are not accepted. Times are RFC 3339 in
UTC. Errors are problem documents (RFC 9457) with a stable `code` and a `message` that says what to do. Lists are paged
by `next_cursor`.
"""
TAGS = (
    {"name": "issues", "description": "The inbox."},
    {"name": "outbreaks", "description": "What many customers meet at once."},
    {"name": "endpoints", "description": "Where teams are reached, and what was sent there."},
    {"name": "routes", "description": "Who is notified of which issues."},
    {"name": "replies", "description": "What readers of messages answer; signed by links or by vendors."},
    {"name": "silences", "description": "What notifies nobody for a time."},
    {"name": "loop", "description": "What came of resolutions: did the customer have to come back?"},
    {"name": "teams", "description": "Names for the people behind endpoints."},
)


def build(parts: ApiParts, health: HealthChecks) -> FastAPI:
    """Return the application with every router and error handler."""
    app = build_api(
        title="Waymark alerts", description=DESCRIPTION, version=version("waymark"), health=health, tags=TAGS
    )
    app.state.parts = parts
    for router in (
        overview_resource.router,
        issue_resource.router,
        stream_resource.router,
        endpoint_resource.router,
        reachability_resource.router,
        reply_resource.router,
        routing_resource.router,
        policy_resource.router,
        escalation_resource.router,
        watch_resource.router,
        feedback_resource.router,
        impact_resource.router,
        digest_resource.router,
        improvement_resource.router,
        access.router,
        console.router,
    ):
        app.include_router(router)
    for kind in TRANSIENT:
        app.add_exception_handler(kind, _on_outage)  # type: ignore[arg-type]  # the tuple holds exceptions only
    return app


async def _on_outage(request: Request, error: Exception) -> Response:
    if not is_transient(error):
        raise error  # the type of the error alone does not tell an outage from a value that the driver cannot encode
    route = getattr(request.scope.get("route"), "path", "unrouted")
    _log.warning("database does not answer", route=route, reason=type(error).__name__)
    message = "The database does not answer; try again."
    return problem_response(Problem(503, "store_unavailable", message, headers={"retry-after": "5"}))
