"""`POST /v1/touchpoints`: HTTP in, HTTP out.

The handler speaks ASGI itself: FastAPI's own machinery costs more per request than all that ingest does (measured: 2.6
times fewer requests per second with its usual idiom). It stands in the application as a documented route all the same.
What happens to the touchpoints is `services.ingest.intake`'s business.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from services.ingest import answer, body, document
from services.ingest.admission import Admission, Held
from services.ingest.answer import Reply
from services.ingest.body import BodyLimits, ClientGone, Wire
from services.ingest.document import ItemLimits
from services.ingest.intake import Intake, Request
from services.ingest.metrics import Metrics
from services.ingest.openapi import OPERATION
from services.ingest.reasons import Refusal, Refused
from services.ingest.sources import Sources
from services.ingest.wording import Language, preferred, say
from services.runtime.http import Problem, problem_response
from services.runtime.logs import get_logger

_log = get_logger(__name__)

_JSON = b"application/json"
_UTF8 = frozenset({b"utf-8", b"utf8"})

Headers = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteRules:
    """What the route may be set to."""

    body: BodyLimits
    items: ItemLimits
    retry_after_s: int


class PostTouchpoints:
    """The ASGI application behind `POST /v1/touchpoints`."""

    def __init__(
        self, sources: Sources, intake: Intake, admission: Admission, metrics: Metrics, rules: RouteRules
    ) -> None:
        self._sources = sources
        self._intake = intake
        self._admission = admission
        self._metrics = metrics
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers: Headers = dict(reversed(scope["headers"]))  # of a header that came twice, the first counts
        language = preferred(headers.get(b"accept-language", b"").decode("latin-1"))
        wire = Wire(receive)
        try:
            reply = await self._reply(scope["method"], headers, wire, language)
        except Refused as refused:
            if refused.refusal is not Refusal.BODY_TIMEOUT and b"expect" not in headers:
                await wire.discard(2 * self._rules.body.wire_bytes, self._rules.body.timeout_s)
            await self._refuse(refused, language, wire, scope, send)
        except ClientGone:
            await _send(send, Reply(status=408, body=b"", headers=()))  # heard by nobody, but counted
        else:
            await _send(send, reply)

    async def _reply(self, method: str, headers: Headers, wire: Wire, language: Language) -> Reply:
        if method != "POST":
            raise Refused(Refusal.METHOD_NOT_ALLOWED, headers={"allow": "POST"})
        _check_media_type(headers.get(b"content-type", b""))
        with self._admission.request() as held:
            request = await self._request(headers, wire, held)
            verdicts = await self._intake.take(request)
        return answer.answer(verdicts, language, self._rules.retry_after_s)

    async def _request(self, headers: Headers, wire: Wire, held: Held) -> Request:
        key = _presented_key(headers)
        source = await self._sources.source_of(key) if key is not None else None
        whole = await body.read(wire, headers, self._rules.body, held.more)
        self._metrics.body_bytes.observe(len(whole))
        envelope = document.open_envelope(whole, self._rules.items)
        return Request(
            items=envelope.items,
            source=source if source is not None else await self._sources.source_of(envelope.write_key),
            traceparent=headers.get(b"traceparent", b"").decode("latin-1"),
            carries_key=envelope.write_key is not None,
        )

    async def _refuse(self, refused: Refused, language: Language, wire: Wire, scope: Scope, send: Send) -> None:
        reason = refused.refusal
        self._metrics.refused.labels(str(reason)).inc()
        _log.debug("request refused", reason=str(reason))
        headers = {"content-language": str(language), **refused.headers}
        if not wire.ended:
            headers["connection"] = "close"
        problem = Problem(refused.status, str(reason), say(reason, language, **refused.facts), headers=headers)
        await problem_response(problem)(scope, wire.receive, send)


def _presented_key(headers: Headers) -> str | None:
    """Return the key that the headers carry, unchecked. Never the URL: URLs are logged by everything on the way."""
    authorization = headers.get(b"authorization", b"").decode("latin-1").strip()
    if authorization:
        scheme, _, rest = authorization.partition(" ")
        return _basic_user(rest.strip()) if scheme.lower() == "basic" else rest.strip() or scheme
    write_key = headers.get(b"x-write-key", b"").decode("latin-1").strip()
    return write_key.partition(":")[0] or None


def _basic_user(encoded: str) -> str:
    try:
        user, _, _ = base64.b64decode(encoded, validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return encoded  # is no key either, and is refused as one
    return user.decode("latin-1") or encoded


def _check_media_type(content_type: bytes) -> None:
    """Take JSON in UTF-8, and a body of which nothing is said: many producers forget the header."""
    media_type, _, parameters = content_type.lower().partition(b";")
    if not media_type.strip():
        return
    charset = _UTF8
    for parameter in parameters.split(b";"):
        name, _, value = parameter.partition(b"=")
        if name.strip() == b"charset":
            charset = frozenset({value.strip().strip(b'"')})
    if media_type.strip() != _JSON or not charset <= _UTF8:
        raise Refused(Refusal.UNSUPPORTED_MEDIA_TYPE, headers={"accept": "application/json"})


async def _send(send: Send, reply: Reply) -> None:
    await send({"type": "http.response.start", "status": reply.status, "headers": list(reply.headers)})
    await send({"type": "http.response.body", "body": reply.body})


class RawRoute(APIRoute):
    """A route of FastAPI's for its documentation, served by an ASGI application of ours."""

    def __init__(self, path: str, app: ASGIApp, operation: Mapping[str, Any]) -> None:
        super().__init__(
            path,
            _documented,
            methods=["POST"],
            summary=operation["summary"],
            description=operation["description"],
            operation_id=operation["operationId"],
            tags=list(operation["tags"]),
            status_code=202,
            responses=dict(operation["responses"]),
            openapi_extra={"requestBody": operation["requestBody"], "security": operation["security"]},
        )
        self.app = app


class Shortcut:
    """Middleware that takes requests for one raw route straight to its application, whatever their method.

    It stands innermost, so that requests are measured and failures answered like all others; what lies further in
    (exception handlers, exit stacks, matching route after route, the limit of the APIs' bodies) is not needed here and
    costs as much as the work itself.
    """

    def __init__(self, app: ASGIApp, route: RawRoute) -> None:
        self._app = app
        self._route = route

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the route, or pass the request on."""
        if scope["type"] == "http" and scope["path"] == self._route.path:
            scope["route"] = self._route  # what the request metrics go by
            await self._route.app(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _documented() -> None:
    """Stand in for the endpoint, of which FastAPI reads the documentation only."""


def add_touchpoints(api: FastAPI, app: ASGIApp) -> None:
    """Serve `POST /v1/touchpoints` with `app`, and show it in the documentation of `api`."""
    route = RawRoute("/v1/touchpoints", app, OPERATION)
    api.max_body_size = None  # services.ingest.body counts bodies, up to larger limits than those of the APIs
    api.router.routes.append(route)
    api.user_middleware.append(Middleware(Shortcut, route=route))
