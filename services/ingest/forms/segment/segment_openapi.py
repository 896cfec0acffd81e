"""The OpenAPI documentation of the addresses of calls, written by hand, with an example for every status.

The test suite compares the examples with the service's responses.
"""

from collections.abc import Mapping
from typing import Any

from services.ingest.forms.segment.segment_mapping import CallType
from services.ingest.http.exchange import JSON_TYPE
from services.runtime.http.problems import PROBLEM_SCHEMA, PROBLEM_TYPE

TAG = {"name": "segment", "description": "Calls of Segment's, RudderStack's and Jitsu's libraries, unmodified."}

_WHEN = {"timestamp": "2026-11-22T00:14:30.000Z"}
_WHO = {"userId": "C-1009", "anonymousId": "a-7f3a"}

MESSAGES: dict[CallType, dict[str, Any]] = {
    CallType.TRACK: {
        "type": "track",
        "messageId": "ajs-1",
        "event": "Order Completed",
        **_WHO,
        **_WHEN,
        "properties": {"order_id": "A-5512", "total": 129000, "currency": "KRW", "channel": "web"},
    },
    CallType.IDENTIFY: {
        "type": "identify",
        "messageId": "ajs-2",
        **_WHO,
        **_WHEN,
        "traits": {"email": "kim@example.com", "phone": "010-1234-5678"},
    },
    CallType.PAGE: {"type": "page", "messageId": "ajs-3", **_WHO, **_WHEN, "name": "배송 조회"},
    CallType.SCREEN: {"type": "screen", "messageId": "ajs-4", **_WHO, **_WHEN, "name": "주문 내역"},
    CallType.GROUP: {"type": "group", "messageId": "ajs-5", **_WHO, **_WHEN, "groupId": "acme"},
    CallType.ALIAS: {"type": "alias", "messageId": "ajs-6", "previousId": "a-7f3a", "userId": "C-1009", **_WHEN},
}
"""A message of each call."""

BATCH: dict[str, Any] = {
    "batch": [MESSAGES[CallType.IDENTIFY], MESSAGES[CallType.TRACK]],
    "sentAt": "2026-11-22T00:14:31.000Z",
}

_REJECTED: dict[str, Any] = {
    "index": 1,
    "messageId": "ajs-9",
    "code": "unknown_call",
    "message": "`type` names no call. Use track, identify, page, screen, group or alias.",
    "field": "type",
}
_NOTE = {
    "type": "object",
    "required": ["path", "code", "message"],
    "properties": {name: {"type": "string"} for name in ("path", "code", "message")},
}
_TAKEN = {
    "type": "object",
    "required": ["success", "accepted", "duplicate", "ignored", "rejected"],
    "properties": {
        "success": {"const": True, "description": "The request was taken; `rejected` says what is wrong in it."},
        "accepted": {"type": "integer", "description": "Calls that Kafka has on all its replicas."},
        "duplicate": {"type": "integer", "description": "Calls that were accepted before."},
        "ignored": {"type": "integer", "description": "Calls that the source's mapping leaves out."},
        "rejected": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["index", "code", "message"],
                "properties": {
                    "index": {"type": "integer", "description": "Which call of the batch, from 0."},
                    "messageId": {"type": "string"},
                    "code": {"type": "string", "description": "Why, for programs; stable."},
                    "message": {"type": "string", "description": "What is wrong and how to fix it."},
                    "field": {"type": "string", "description": "Which member of the message is wrong."},
                    "errors": {"type": "array", "items": _NOTE},
                },
            },
        },
        "warnings": {"type": "array", "items": {"type": "object"}, "description": "Identifiers that were left out."},
    },
}


def _taken(**counts: Any) -> dict[str, Any]:
    return {"success": True, "accepted": 0, "duplicate": 0, "ignored": 0, "rejected": [], **counts}


def _problem(status: int, title: str, code: str, message: str) -> dict[str, Any]:
    head = {"type": "about:blank", "title": title, "status": status}
    return {**head, "detail": message, "code": code, "message": message}


def _refusal(description: str, status: int, title: str, code: str, message: str) -> dict[str, Any]:
    example = {"value": _problem(status, title, code, message)}
    content = {PROBLEM_TYPE: {"schema": dict(PROBLEM_SCHEMA), "examples": {code: example}}}
    return {"description": description, "content": content}


RESPONSES: dict[int, dict[str, Any]] = {
    200: {
        "description": "The request was taken; every call in it has its outcome.",
        "content": {
            JSON_TYPE: {
                "schema": _TAKEN,
                "examples": {
                    "accepted": {"value": _taken(accepted=1)},
                    "sent again": {"value": _taken(duplicate=1)},
                    "left out": {"value": _taken(ignored=1)},
                    "one rejected": {"value": _taken(accepted=1, rejected=[_REJECTED])},
                },
            }
        },
    },
    400: _refusal(
        "The body is no JSON document, empty, or not what Content-Encoding says.",
        400,
        "Bad request",
        "invalid_calls",
        'The body is neither a call nor a batch of them. Send {...} or {"batch": [...]}.',
    ),
    401: _refusal(
        "No source key, or not a valid one.",
        401,
        "Unauthorized",
        "key_invalid",
        "This is not a source key that we know. A source key starts with wm_src_.",
    ),
    403: _refusal(
        "The source is disabled, or is not sent from this web page.",
        403,
        "Forbidden",
        "origin_not_allowed",
        "This source may not be sent from this web page. Ask the operator to allow its origin.",
    ),
    408: _refusal(
        "The body did not arrive in time.",
        408,
        "Request timeout",
        "body_timeout",
        "The body did not arrive within 10 s. Send it again, faster or in smaller parts.",
    ),
    413: _refusal(
        "Larger than a limit, which the message says.",
        413,
        "Content too large",
        "too_many_items",
        "There are more touchpoints than the limit of 1000 in one request. Send fewer at once.",
    ),
    415: _refusal(
        "An unknown Content-Encoding. Content-Type does not matter here.",
        415,
        "Unsupported media type",
        "unsupported_encoding",
        "This Content-Encoding is not known here. Use gzip, deflate, or none.",
    ),
    429: _refusal(
        "The source sends faster than it may. `Retry-After` says when to try again.",
        429,
        "Too many requests",
        "too_many_requests",
        "This source sends more than its limit of 500 requests a second. Send the same request again after 1 s.",
    ),
    503: _refusal(
        "Some calls were not confirmed, or too much is in flight. `Retry-After` says when to send all of it again.",
        503,
        "Unavailable",
        "overloaded",
        "Too much is in flight just now. Send the same request again after 5 s.",
    ),
}

_DESCRIPTION = """
Exactly what a library of Segment, RudderStack or Jitsu sends, with any Content-Type, gzip or not. **200** means that
every call has its outcome: accepted (Kafka has it), a duplicate, left out by the mapping, or rejected, which the
body and the inspector show. Refusals end a library's retries; 429 and 503 ask for one after `Retry-After` seconds.

Keys: the Basic user name, `X-Write-Key`, `Authorization: Bearer`, or `writeKey` in the body. `messageId` is the id.
""".strip()

_ALSO: dict[CallType | None, str] = {
    None: "`/v1/b`, `/api/s/s2s/batch`",
    **{call: f"`/v1/{call[0]}`, `/api/s/s2s/{call}`, `/api/s/{call}`" for call in CallType},
}


def operations() -> Mapping[str, dict[str, Any]]:
    """Return the operation of each documented address; what it is also known as stands in its description."""
    found = {f"/v1/{call}": _operation(call.value, call, {call.value: MESSAGES[call]}) for call in CallType}
    batch = {"batch": BATCH}
    found["/v1/batch"] = _operation("batch", None, batch)
    found["/v1/import"] = _operation("import", None, batch)
    found["/v1/import"]["description"] += " A source with the replay scope sends history here: it is marked as such."
    return found


def _operation(name: str, call: CallType | None, examples: Mapping[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "description": "A message" if call else "A batch of messages"}
    if call is None:
        schema |= {"required": ["batch"], "properties": {"batch": {"type": "array", "items": {"type": "object"}}}}
    named = {key: {"value": value} for key, value in examples.items()}
    return {
        "operationId": f"segment_{name}",
        "tags": [TAG["name"]],
        "summary": f"Send a {name} call" if call else "Send a batch of calls",
        "description": f"{_DESCRIPTION}\n\nAlso at {_ALSO[call]}.",
        "security": [{"basic": []}, {"write_key": []}, {"bearer": []}],
        "requestBody": {"required": True, "content": {JSON_TYPE: {"schema": schema, "examples": named}}},
        "responses": RESPONSES,
    }
