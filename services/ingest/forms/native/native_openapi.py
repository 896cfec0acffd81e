"""What `/docs` says about `POST /v1/touchpoints`: written by hand, with an example for every status.

The schema of a touchpoint is the contract's own. The test suite holds the examples to what the service answers.
"""

from collections.abc import Mapping
from typing import Any

from schemas import validation
from services.ingest.http.exchange import JSON_TYPE
from services.runtime.http.problems import PROBLEM_SCHEMA, PROBLEM_TYPE

EXAMPLE: dict[str, Any] = {
    "id": "call-8841-end",
    "occurred_at": "2026-11-22T09:15:00+09:00",
    "channel": "phone",
    "kind": "call_ended",
    "customer": {"phone": "+821012345678", "customer_id": {"value": "C-1009", "verified": True}},
    "direction": "inbound",
    "outcome": "unresolved",
    "reason": "billing",
    "refs": {"case_id": "T-77"},
    "interaction_id": "call-8841",
    "wait_s": 412,
    "text": "세 번째 전화인데 아직 해결이 안 됐어요",
}

_WARNING = {
    "path": "customer.phone",
    "code": "identifier_service_number",
    "message": "This identifier was left out: it is a company's or service number, not a customer's.",
}
_REJECTED = {
    "index": 1,
    "status": "rejected",
    "id": "web-77",
    "code": "no_usable_identifier",
    "field": "customer",
    "message": "Nothing in `customer` points to one person. Send at least one real identifier, "
    "for example customer_id, email, phone or cookie.",
}
_INVALID: dict[str, Any] = {
    "index": 0,
    "status": "rejected",
    "id": "web-78",
    "code": "invalid_field",
    "field": "channel",
    "message": "Use one of: web, app, phone, …",
    "errors": [{"path": "channel", "code": "not_allowed", "message": "Use one of: web, app, phone, …"}],
}
_UNAVAILABLE: dict[str, Any] = {
    "index": 0,
    "status": "unavailable",
    "id": "call-8841-end",
    "code": "not_acknowledged",
    "message": "Not confirmed as written. Send it again with the same id after 5 s; a repeat does no harm.",
}


def _counted(results: list[dict[str, Any]]) -> dict[str, Any]:
    outcomes = [result["status"] for result in results]
    counts = {name: outcomes.count(name) for name in ("accepted", "duplicate", "rejected", "unavailable")}
    return {"results": results, **counts}


def _problem(status: int, title: str, code: str, message: str, **more: Any) -> dict[str, Any]:
    document = {"type": "about:blank", "title": title, "status": status, "detail": message}
    return {**document, "code": code, "message": message, **more}


_NOTE = {
    "type": "object",
    "required": ["path", "code", "message"],
    "properties": {"path": {"type": "string"}, "code": {"type": "string"}, "message": {"type": "string"}},
}
_RESULT = {
    "type": "object",
    "required": ["index", "status"],
    "properties": {
        "index": {"type": "integer", "description": "Which touchpoint of the request, from 0."},
        "status": {"enum": ["accepted", "duplicate", "rejected", "unavailable"]},
        "id": {"type": "string", "description": "Its id, where it had one."},
        "code": {"type": "string", "description": "Why, for programs; stable."},
        "field": {"type": "string", "description": "Which member is wrong, the first if several are."},
        "message": {"type": "string", "description": "What is wrong and how to fix it, in the language asked for."},
        "errors": {"type": "array", "items": _NOTE, "description": "Every wrong member."},
        "warnings": {"type": "array", "items": _NOTE, "description": "Identifiers that were left out, and why."},
    },
}
_COUNTS = {name: {"type": "integer"} for name in ("accepted", "duplicate", "rejected", "unavailable")}
_ANSWER = {
    "type": "object",
    "required": ["results", *_COUNTS],
    "properties": {
        "results": {"type": "array", "items": _RESULT},
        **_COUNTS,
        "dry_run": {"const": True, "description": "There in the answer to a dry run: nothing was written."},
    },
}
_PROBLEM_WITH_RESULTS = {"allOf": [PROBLEM_SCHEMA, _ANSWER]}


def _json(description: str, examples: Mapping[str, Any]) -> dict[str, Any]:
    named = {name: {"value": value} for name, value in examples.items()}
    return {"description": description, "content": {JSON_TYPE: {"schema": _ANSWER, "examples": named}}}


def _refusal(description: str, schema: Mapping[str, Any] = PROBLEM_SCHEMA, **examples: Any) -> dict[str, Any]:
    named = {name: {"value": value} for name, value in examples.items()}
    return {"description": description, "content": {PROBLEM_TYPE: {"schema": dict(schema), "examples": named}}}


def _inlined(node: Any, definitions: Mapping[str, Any], within: tuple[str, ...] = ()) -> Any:
    """Return `node` with each `$ref` replaced by what it points to; a definition inside itself becomes "anything"."""
    if isinstance(node, list):
        return [_inlined(element, definitions, within) for element in node]
    if not isinstance(node, dict):
        return node
    name = str(node.get("$ref", "")).removeprefix("#/$defs/")
    if name in within:
        return {}
    target = _inlined(definitions[name], definitions, (*within, name)) if name else {}
    own = {key: _inlined(value, definitions, within) for key, value in node.items() if not key.startswith(("$", "x-"))}
    return {**target, **own}


def touchpoint_schema() -> dict[str, Any]:
    """Return the schema of a touchpoint as posted, whole in itself."""
    document = validation.schema("touchpoint.v1")
    inlined: dict[str, Any] = _inlined(dict(document), document["$defs"])
    return inlined


_MANY = {"touchpoints": [EXAMPLE, {**EXAMPLE, "id": "call-8842-end", "interaction_id": "call-8842"}]}

_EVENT: dict[str, Any] = {
    "specversion": "1.0",
    "id": "call-8841-end",
    "source": "/callcentre/seoul",
    "type": "waymark.touchpoint.v1",
    "time": "2026-11-22T09:15:00+09:00",
    "identity": "010-1234-5678",
    "identitytype": "phone",
    "data": {"channel": "phone", "kind": "call_ended", "outcome": "unresolved", "reason": "billing"},
}
_EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "A CloudEvent 1.0 in JSON; other attributes are extensions.",
    "required": ["specversion", "id", "source", "type"],
    "properties": {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "minLength": 1},
        "source": {"type": "string", "format": "uri-reference", "minLength": 1},
        "type": {"type": "string", "minLength": 1, "description": "waymark.touchpoint.v1: `data` is a touchpoint."},
        "time": {"type": ["string", "null"], "format": "date-time"},
        "subject": {"type": ["string", "null"], "minLength": 1},
        "datacontenttype": {"type": ["string", "null"], "minLength": 1},
        "dataschema": {"type": ["string", "null"], "format": "uri", "minLength": 1},
        "identity": {"type": ["string", "null"], "description": "An identifier of the customer."},
        "identitytype": {"type": ["string", "null"], "description": "Its type: email, phone, customer_id …"},
        "data": {"description": "Any JSON, or text where datacontenttype says so; not beside data_base64."},
        "data_base64": {"type": ["string", "null"]},
    },
}
_CLOUDEVENTS: dict[str, Any] = {
    "application/cloudevents+json": {"schema": _EVENT_SCHEMA, "examples": {"event": {"value": _EVENT}}},
    "application/cloudevents-batch+json": {
        "schema": {"type": "array", "items": _EVENT_SCHEMA},
        "examples": {"batch": {"value": [_EVENT, {**_EVENT, "id": "call-8842-end", "identity": "010-9876-5432"}]}},
    },
}

_DESCRIPTION = """
Takes one touchpoint, a list, or `{"touchpoints": [...]}`, and answers for each one. **Accepted** means that Kafka has
it on all its replicas. Sending the same `id` again is always safe, and right after a 503 or a broken connection.

| status | when | what to do |
|---|---|---|
| 202 | all accepted, or known already | nothing |
| 207 | some rejected | mend those that `results` names |
| 422 | all rejected | mend them; sending them again unchanged never helps |
| 429 | faster than this source may send | wait for `Retry-After` seconds, send again with the same ids |
| 503 | some not confirmed | wait for `Retry-After` seconds, send again with the same ids |

Keys: `Authorization: Bearer`, the Basic user name, `X-Write-Key`, or `writeKey` in the body. `Content-Encoding`
gzip and deflate are taken. `Accept-Language: ko` answers in Korean.

CloudEvents 1.0 are taken in all three modes: structured and batched by Content-Type, binary by the `ce-*` headers with
the touchpoint as the body. docs/cloudevents.md says what becomes of an event.
""".strip()

OPERATION: dict[str, Any] = {
    "operationId": "post_touchpoints",
    "tags": ["touchpoints"],
    "summary": "Send touchpoints",
    "description": _DESCRIPTION,
    "security": [{"bearer": []}, {"basic": []}, {"write_key": []}],
    "parameters": [
        {
            "name": "Waymark-Dry-Run",
            "in": "header",
            "required": False,
            "description": "`true`: answer with what would become of them, and write nothing. All well is 200 then.",
            "schema": {"type": "string", "enum": ["true", "false"]},
        }
    ],
    "requestBody": {
        "required": True,
        "content": {
            JSON_TYPE: {
                "schema": {
                    "oneOf": [
                        touchpoint_schema(),
                        {"type": "array", "items": {"description": "A touchpoint."}},
                        {
                            "type": "object",
                            "required": ["touchpoints"],
                            "properties": {
                                "touchpoints": {"type": "array", "items": {"description": "A touchpoint."}},
                                "writeKey": {"type": "string", "description": "The source key, if no header has it."},
                            },
                        },
                    ]
                },
                "examples": {"one": {"value": EXAMPLE}, "many": {"value": _MANY}},
            },
            **_CLOUDEVENTS,
        },
    },
    "responses": {
        202: _json(
            "All accepted, or known already.",
            {
                "accepted": _counted([{"index": 0, "status": "accepted", "id": "call-8841-end"}]),
                "duplicate": _counted([{"index": 0, "status": "duplicate", "id": "call-8841-end"}]),
                "with a warning": _counted(
                    [{"index": 0, "status": "accepted", "id": "call-8841-end", "warnings": [_WARNING]}]
                ),
            },
        ),
        200: _json(
            "In a dry run: all would be accepted, or are known already.",
            {
                "dry run": {
                    **_counted([{"index": 0, "status": "accepted", "id": "call-8841-end"}]),
                    "dry_run": True,
                }
            },
        ),
        207: _json(
            "Some accepted, some rejected.",
            {"mixed": _counted([{"index": 0, "status": "accepted", "id": "call-8841-end"}, _REJECTED])},
        ),
        400: _refusal(
            "The body is no JSON document, empty, or not what Content-Encoding says.",
            broken=_problem(
                400,
                "Bad request",
                "body_not_json",
                "The body is not one JSON document in UTF-8 (with nothing after it).",
            ),
            batch=_problem(
                400,
                "Bad request",
                "invalid_batch",
                "A batch of CloudEvents is a JSON list. One alone goes with Content-Type application/cloudevents+json.",
            ),
        ),
        401: _refusal(
            "No source key, or not a valid one.",
            unknown=_problem(
                401,
                "Unauthorized",
                "key_invalid",
                "This is not a source key that we know. A source key starts with wm_src_.",
            ),
        ),
        403: _refusal(
            "The source is disabled.",
            disabled=_problem(403, "Forbidden", "source_disabled", "This source is disabled. Ask the operator."),
        ),
        408: _refusal(
            "The body did not arrive in time.",
            slow=_problem(
                408,
                "Request timeout",
                "body_timeout",
                "The body did not arrive within 10 s. Send it again, faster or in smaller parts.",
            ),
        ),
        413: _refusal(
            "Larger than a limit, which the message says.",
            large=_problem(
                413,
                "Content too large",
                "body_too_large",
                "The body is larger than the limit of 4194304 bytes. Send fewer touchpoints at once, or gzip.",
            ),
        ),
        415: _refusal(
            "Not JSON, or an unknown Content-Encoding; Accept-Encoding says which are known.",
            encoding=_problem(
                415,
                "Unsupported media type",
                "unsupported_encoding",
                "This Content-Encoding is not known here. Use gzip, deflate, or none.",
            ),
        ),
        422: _refusal(
            "All rejected.",
            _PROBLEM_WITH_RESULTS,
            rejected=_problem(
                422, "Unprocessable content", "invalid_field", _INVALID["message"], **_counted([_INVALID])
            ),
        ),
        429: _refusal(
            "The source, or its key, sends faster than it may, or its address presented too many wrong keys. "
            "`Retry-After` says when to try again; `RateLimit` and `RateLimit-Policy` (a draft of the IETF) stand on "
            "every answer.",
            rate=_problem(
                429,
                "Too many requests",
                "too_many_touchpoints",
                "This source sends more touchpoints than it may (`RateLimit` says how many are left). "
                "Send the same again after 3 s, or ask the operator for a higher limit.",
            ),
        ),
        503: _refusal(
            "Some touchpoints were not confirmed, or too much is in flight. `Retry-After` says when to try again.",
            _PROBLEM_WITH_RESULTS,
            unavailable=_problem(
                503, "Unavailable", "not_acknowledged", _UNAVAILABLE["message"], **_counted([_UNAVAILABLE])
            ),
        ),
    },
}

SECURITY_SCHEMES: dict[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The source key."},
    "basic": {"type": "http", "scheme": "basic", "description": "The source key as the user name, no password."},
    "write_key": {"type": "apiKey", "in": "header", "name": "X-Write-Key", "description": "The source key."},
}
