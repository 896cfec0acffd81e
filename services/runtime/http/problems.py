"""Problem documents: the answer to a request that cannot be served, in the form of RFC 9457.

They have two members more, `code` and `message`: a client library in the field retries a 400 whose body lacks them.
What a caller sent is never echoed, because it is personal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.responses import Response

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
