"""Builds an application: health, metrics, docs that need no internet, and a problem document for every error.

Leaves routes to the services, the form of an error to `problems`, and listening to `server`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from prometheus_client import CollectorRegistry, Counter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime.http import docs
from services.runtime.http.bodies import BodyLimit
from services.runtime.http.fields import path_of
from services.runtime.http.methods import MethodDefaults
from services.runtime.http.problems import TITLES, FieldProblem, Problem, problem_response
from services.runtime.telemetry.health import HealthChecks
from services.runtime.telemetry.histograms import FastHistogram, HistogramSeries
from services.runtime.telemetry.logs import get_logger

_log = get_logger(__name__)

MAX_BODY_BYTES = 1024 * 1024
"""Largest body of an API call. Ingest, which takes batches, counts its bytes by itself."""


class HttpMetrics:
    """Requests by route template, method and class of status; never by path, which can carry identifiers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("route", "method", "code_class")
        self.requests = Counter("waymark_http_requests", "HTTP requests answered.", labels, registry=registry)
        self.seconds = FastHistogram(
            "waymark_http_request_duration_seconds",
            "Seconds from the first byte of a request to the last of its answer.",
            ("route", "method"),
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0),
            registry=registry,
        )


class _Measured:
    """Counts and times every request by the template of the route that served it."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self._app = app
        self._metrics = metrics
        # Finding a metric by its labels costs more than counting; there are few, since both templates and methods are.
        self._found: dict[tuple[str, str, int], tuple[Counter, HistogramSeries]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = 500

        async def watching(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            await self._app(scope, receive, watching)
        finally:
            template = getattr(scope.get("route"), "path", "unrouted")
            labels = (template, scope["method"], status // 100)
            requests, seconds = self._found.get(labels) or self._find(labels)
            requests.inc()
            seconds.observe(loop.time() - started)

    def _find(self, labels: tuple[str, str, int]) -> tuple[Counter, HistogramSeries]:
        template, method, hundreds = labels
        requests = self._metrics.requests.labels(template, method, f"{hundreds}xx")
        found = self._found[labels] = (requests, self._metrics.seconds.labels(template, method))
        return found


Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build_api(
    *,
    title: str,
    description: str,
    version: str,
    health: HealthChecks,
    lifespan: Lifespan | None = None,
    tags: Sequence[Mapping[str, Any]] = (),
) -> FastAPI:
    """Return an application with health, metrics, offline docs and problem documents for every error."""
    app = FastAPI(
        title=title,
        description=description,
        version=version,
        lifespan=lifespan,
        openapi_tags=[dict(tag) for tag in tags],
        servers=docs.SERVERS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # to an absolute address, which no proxy knows; `Methods` does it relatively
        max_body_size=None,  # it would answer with no problem document; `BodyLimit` leaves the answer to us
        telemetry={"tracing": False, "metrics": False, "logs": False},  # its log records carry what callers sent
    )
    app.router.routes.extend(health.routes())
    app.state.http_metrics = HttpMetrics(health.registry)
    docs.add_docs(app)
    app.add_middleware(BodyLimit, most=MAX_BODY_BYTES)
    app.add_middleware(MethodDefaults, routes=app.router.routes)
    app.add_middleware(_Measured, metrics=app.state.http_metrics)
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(Exception, _on_unexpected_error)
    return app


def mount_beside(api: FastAPI, app: ASGIApp) -> ASGIApp:
    """Return `app` to be served beside `api`, with its requests measured and its failures logged like the API's.

    `app` sets `scope["route"]`, by which requests are measured, before it answers.
    """
    return ServerErrorMiddleware(_Measured(app, api.state.http_metrics), handler=_on_unexpected_error)


async def _on_problem(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)  # noqa: S101  registered for this type alone
    return problem_response(error)


async def _on_http_exception(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  registered for this type alone
    return problem_response(http_problem(error))


_HTTP_PROBLEMS = {
    400: ("body_unreadable", "The body cannot be read: it is not JSON, or ended early."),
    404: ("no_such_route", "There is nothing at this address; /docs lists what there is."),
    405: ("method_not_allowed", "This address does not take that method; see the Allow header."),
    413: ("body_too_large", f"A body may have {MAX_BODY_BYTES} bytes at most."),
}


def http_problem(error: HTTPException) -> Problem:
    """Return the framework's refusal as a problem."""
    code, message = _HTTP_PROBLEMS.get(error.status_code, ("http_error", TITLES.get(error.status_code, "Error")))
    return Problem(error.status_code, code, message, headers=error.headers)


async def _on_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  registered for this type alone
    message = "The request does not have the expected form; `errors` names each field."
    return problem_response(Problem(422, "invalid_request", message, errors=field_problems(error)))


def field_problems(error: RequestValidationError) -> list[FieldProblem]:
    """Return what is wrong with each field, twenty at most, without the values given."""
    return [
        FieldProblem(path=path_of(item), code=str(item["type"]), message=_message_without_value(item))
        for item in error.errors()[:20]
    ]


def _message_without_value(error: Mapping[str, Any]) -> str:
    """Return pydantic's sentence, less what it quotes: of a wrong UUID it repeats a character."""
    message = str(error["msg"])
    return message.partition(", invalid")[0] if error["type"] == "uuid_parsing" else message


async def _on_unexpected_error(request: Request, error: Exception) -> Response:
    route = getattr(request.scope.get("route"), "path", "unrouted")
    _log.error("request failed", route=route, method=request.method, exc_info=error)
    return problem_response(Problem(500, "internal_error", "This is our fault, not yours. It has been logged."))


def ops_app(health: HealthChecks) -> Starlette:
    """Return the application of a process that has no API: health and metrics alone."""
    routes = health.routes()
    app = Starlette(routes=routes, exception_handlers={HTTPException: _on_http_exception})
    app.router.redirect_slashes = False
    app.add_middleware(MethodDefaults, routes=routes)
    return app
