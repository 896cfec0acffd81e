"""HTTP for people and machines: problem documents, docs that need no internet, a server that drains.

Leaves routes to the services. Errors are RFC 9457 problem documents with two members more, `code` and `message`: a
client library in the field retries a 400 whose body lacks them. What a caller sent is never echoed: it is personal.
"""

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import uvicorn
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from prometheus_client import CollectorRegistry, Counter
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.runtime.distribution import Distribution, Series
from services.runtime.heads import GuardedProtocol
from services.runtime.health import Health
from services.runtime.logs import get_logger
from services.runtime.web import docs
from services.runtime.web.bodies import BodyLimit
from services.runtime.web.fields import path_of
from services.runtime.web.methods import Methods
from services.runtime.web.prefix import Prefixed

_log = get_logger(__name__)

MAX_BODY_BYTES = 1024 * 1024
"""Largest body of an API call. Ingest, which takes batches, counts its bytes by itself."""

PROBLEM_TYPE = "application/problem+json"
TITLES = {
    400: "Bad request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    408: "Request timeout",
    409: "Conflict",
    410: "Gone",
    413: "Content too large",
    415: "Unsupported media type",
    422: "Unprocessable content",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """What is wrong with one field; `path` as `endpoint.url` or `touchpoints[3].id`."""

    path: str
    code: str
    message: str


class Problem(Exception):  # noqa: N818  named for the document that it becomes
    """A request that cannot be served, as the document its caller gets."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        errors: Sequence[FieldProblem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.errors = tuple(errors)
        self.headers = dict(headers or {})


def problem_response(problem: Problem) -> Response:
    """Return the RFC 9457 document of `problem`."""
    document: dict[str, Any] = {
        "type": "about:blank",
        "title": TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "detail": problem.message,
        "code": problem.code,
        "message": problem.message,
    }
    if problem.errors:
        document["errors"] = [{"path": e.path, "code": e.code, "message": e.message} for e in problem.errors]
    return Response(
        orjson.dumps(document), status_code=problem.status, headers=problem.headers, media_type=PROBLEM_TYPE
    )


PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "code", "message"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "The same text as `message`, where RFC 9457 readers look for it."},
        "code": {"type": "string", "description": "What is wrong, for programs; stable."},
        "message": {"type": "string", "description": "What is wrong and how to fix it, for people."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "path": {"type": "string"},
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
"""JSON Schema of a problem document, for OpenAPI."""


class HttpMetrics:
    """Requests by route template, method and class of status; never by path, which can carry identifiers."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("route", "method", "code_class")
        self.requests = Counter("waymark_http_requests", "HTTP requests answered.", labels, registry=registry)
        self.seconds = Distribution(
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
        self._found: dict[tuple[str, str, int], tuple[Counter, Series]] = {}

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

    def _find(self, labels: tuple[str, str, int]) -> tuple[Counter, Series]:
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
    health: Health,
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
    app.add_middleware(Methods, routes=app.router.routes)
    app.add_middleware(_Measured, metrics=app.state.http_metrics)
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(Exception, _on_bug)
    return app


def beside(api: FastAPI, app: ASGIApp) -> ASGIApp:
    """Return `app` to be served beside `api`: measured, and its failures answered and logged, like its requests.

    `app` sets `scope["route"]`, by which requests are measured, before it answers.
    """
    return ServerErrorMiddleware(_Measured(app, api.state.http_metrics), handler=_on_bug)


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
    """Return as a problem what the framework refused."""
    code, message = _HTTP_PROBLEMS.get(error.status_code, ("http_error", TITLES.get(error.status_code, "Error")))
    return Problem(error.status_code, code, message, headers=error.headers)


async def _on_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  registered for this type alone
    message = "The request does not have the expected form; `errors` names each field."
    return problem_response(Problem(422, "invalid_request", message, errors=field_problems(error)))


def field_problems(error: RequestValidationError) -> list[FieldProblem]:
    """Return what is wrong with each field, twenty at most, without what stood there."""
    return [
        FieldProblem(path=path_of(item), code=str(item["type"]), message=_said(item)) for item in error.errors()[:20]
    ]


def _said(error: Mapping[str, Any]) -> str:
    """Return pydantic's sentence, less what it quotes: of a wrong UUID it repeats a character."""
    message = str(error["msg"])
    return message.partition(", invalid")[0] if error["type"] == "uuid_parsing" else message


async def _on_bug(request: Request, error: Exception) -> Response:
    route = getattr(request.scope.get("route"), "path", "unrouted")
    _log.error("request failed", route=route, method=request.method, exc_info=error)
    return problem_response(Problem(500, "internal_error", "This is our fault, not yours. It has been logged."))


class _Server(uvicorn.Server):
    """uvicorn, leaving signals alone: the process decides when it stops, and in which order."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@asynccontextmanager
async def serving(app: ASGIApp, host: str, port: int, *, drain_s: float = 10.0, prefix: str = "") -> AsyncIterator[int]:
    """Serve `app` for the length of the block and yield the port; on leaving, finish open requests within `drain_s`.

    `prefix` is a path (`/waymark`) that a proxy leaves before those of `app`.

    Raises:
        OSError: the address cannot be had.
    """
    listener = _listen(host, port)
    config = uvicorn.Config(
        Prefixed(app, prefix) if prefix else app,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(drain_s),
        timeout_keep_alive=30,
        http=GuardedProtocol,
        proxy_headers=False,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]), name="http server")
    try:
        while not server.started:
            if task.done():
                await task
                raise OSError("the application did not start; its log says why")
            await asyncio.sleep(0.01)
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task


def _listen(host: str, port: int) -> socket.socket:
    """Bind before the application starts, so that a taken address is an error of its own."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, not left to the default 0: asyncio turns Nagle's algorithm off only then (else +40 ms an answer).
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


def ops_app(health: Health) -> Starlette:
    """Return the application of a process that has no API: health and metrics alone."""
    routes = health.routes()
    app = Starlette(routes=routes, exception_handlers={HTTPException: _on_http_exception})
    app.router.redirect_slashes = False
    app.add_middleware(Methods, routes=routes)
    return app


async def until_stopped() -> None:
    """Wait for SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await stop.wait()


OnReady = Callable[[int], Awaitable[None]]
"""Called once a process answers, with the port it listens on."""
